//! [`ClusterFacts`]: what system tables tell of processes, which a broker does not know of itself.

use std::fmt::Debug;

/// A process of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Process {
    /// Its name.
    pub node: String,
    /// What it does: `broker`, `coordinator`, `realtime`, `historical`.
    pub roles: Vec<String>,
    /// Host and port of HTTP; empty when it has none.
    pub http: String,
    /// Host and port of gRPC; empty when it has none.
    pub grpc: String,
    /// The tier of its segments; empty when it holds none.
    pub tier: String,
    /// The version of its program; empty when it does not say.
    pub version: String,
    /// True for the process that asks.
    pub is_self: bool,
    /// Whether it leads the coordinators; `None` where that is not known.
    pub is_leader: Option<bool>,
}

/// Tells of the processes of the cluster. Answers come from memory.
pub trait ClusterFacts: Debug + Send + Sync {
    /// The processes that live, this one among them.
    fn processes(&self) -> Vec<Process>;

    /// The settings of this process that are not secret, by name.
    fn properties(&self) -> Vec<(String, String)>;
}
