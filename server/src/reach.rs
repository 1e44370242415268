//! How the broker reaches the data nodes of its process: it calls them. With the setting `encode_calls`,
//! for tests, every request, reply and error is encoded and decoded in between, and nodes share nothing
//! with the broker: what goes wrong then would go wrong on a wire.

use std::sync::Arc;

use henge_data_node::wire::Loopback;
use henge_data_node::{DataNode, QueryServices, RunningQueries};

/// The way from the broker to nodes.
pub(crate) struct Reach {
    brokers: QueryServices,
    encodes: bool,
}

impl Reach {
    /// From a broker with such services.
    pub(crate) fn from(brokers: QueryServices, encodes: bool) -> Self {
        Self { brokers, encodes }
    }

    /// What nodes answer queries with.
    pub(crate) fn services_of_nodes(&self) -> QueryServices {
        if !self.encodes {
            return self.brokers.clone();
        }
        let capacity_bytes = self.brokers.running.pool().capacity_bytes();
        let running = Arc::new(RunningQueries::new(capacity_bytes));
        QueryServices { running, ..self.brokers.clone() }
    }

    /// A node as the broker calls it.
    pub(crate) fn reach(&self, node: Arc<dyn DataNode>) -> Arc<dyn DataNode> {
        match self.encodes {
            true => Arc::new(Loopback::to(node, Arc::clone(&self.brokers.running))),
            false => node,
        }
    }
}
