//! The broker: builds its timeline from announcements, scatters a query to the data nodes, gathers
//! and merges the partial results, and finalises once.

pub mod admission;
pub mod api;
pub mod error;
pub mod execute;
pub mod registry;
pub mod route;
pub mod scatter;
pub mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::discovery::{Discovery, ServerId};
use henge_platform::rpc::DataNode;
use henge_platform::runtime::CpuPool;
use parking_lot::RwLock;

pub use error::{BrokerError, Result};
pub use execute::QueryResponse;

use crate::admission::Admission;
use crate::registry::QueryRegistry;
use crate::view::ClusterViews;

/// Limits and defaults of queries.
#[derive(Debug, Clone)]
pub struct BrokerOptions {
    /// Used when the query's context has no `timeout`.
    pub default_timeout_ms: u64,
    /// No query runs longer than this.
    pub max_timeout_ms: u64,
    /// Bytes that one query may take.
    pub memory_budget_bytes: usize,
    /// Most time buckets of one query.
    pub max_buckets: usize,
    /// Queries at work at once.
    pub max_running_queries: usize,
    /// Queries that wait for a place; more are refused.
    pub max_waiting_queries: usize,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self {
            default_timeout_ms: 300_000,
            max_timeout_ms: 3_600_000,
            memory_budget_bytes: 2 << 30,
            max_buckets: 1_000_000,
            max_running_queries: 64,
            max_waiting_queries: 1_000,
        }
    }
}

/// The broker role.
#[derive(Debug)]
pub struct Broker {
    pub(crate) options: BrokerOptions,
    pub(crate) pool: CpuPool,
    pub(crate) views: ClusterViews,
    pub(crate) nodes: RwLock<BTreeMap<ServerId, Arc<dyn DataNode>>>,
    pub(crate) registry: QueryRegistry,
    pub(crate) admission: Admission,
}

impl Broker {
    /// A broker over the announcements of `discovery`.
    #[must_use]
    pub fn new(options: BrokerOptions, discovery: Arc<dyn Discovery>, pool: CpuPool) -> Self {
        let admission = Admission::new(options.max_running_queries, options.max_waiting_queries);
        Self {
            options,
            pool,
            views: ClusterViews::new(discovery),
            nodes: RwLock::default(),
            registry: QueryRegistry::default(),
            admission,
        }
    }

    /// Makes a data node reachable under its name.
    pub fn connect(&self, node: Arc<dyn DataNode>) {
        self.nodes.write().insert(node.server_id().clone(), node);
    }

    /// Cancels the running query with this id; unknown ids are ignored. True when there was one.
    pub fn cancel(&self, query_id: &str) -> bool {
        self.registry.cancel(query_id)
    }
}
