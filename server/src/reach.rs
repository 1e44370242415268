//! How the broker reaches the data nodes of its process: it calls them. Built with the feature
//! `loopback`, for tests, every request, reply and error is encoded and decoded in between, and nodes
//! share nothing with the broker: what goes wrong then would go wrong on a wire.

use std::sync::Arc;

use henge_data_node::{DataNode, QueryServices};

/// What nodes answer queries with.
#[cfg(not(feature = "loopback"))]
pub(crate) fn services_of_nodes(brokers: &QueryServices) -> QueryServices {
    brokers.clone()
}

/// A node as the broker calls it.
#[cfg(not(feature = "loopback"))]
pub(crate) fn reach(node: Arc<dyn DataNode>, _brokers: &QueryServices) -> Arc<dyn DataNode> {
    node
}

/// What nodes answer queries with.
#[cfg(feature = "loopback")]
pub(crate) fn services_of_nodes(brokers: &QueryServices) -> QueryServices {
    let running = henge_data_node::RunningQueries::new(brokers.running.pool().capacity_bytes());
    QueryServices { running: Arc::new(running), ..brokers.clone() }
}

/// A node as the broker calls it.
#[cfg(feature = "loopback")]
pub(crate) fn reach(node: Arc<dyn DataNode>, brokers: &QueryServices) -> Arc<dyn DataNode> {
    Arc::new(henge_data_node::wire::Loopback::to(node, Arc::clone(&brokers.running)))
}
