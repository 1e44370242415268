//! What a broker needs of a cluster of several processes.

use std::sync::Arc;

use henge_data_node::DialNodes;
use henge_platform::membership::MissingInventory;
use tokio::sync::watch;

/// How a broker reaches the other processes of its cluster, and what it knows of them.
#[derive(Debug, Clone)]
pub struct ClusterLinks {
    /// Reaches data nodes of other processes; without it only those of this one are reached.
    pub dial: Option<Arc<dyn DialNodes>>,
    /// What has still to be seen of the cluster before the first query is answered.
    pub awaited: watch::Receiver<Vec<MissingInventory>>,
    /// The broker's own zone, whose data nodes are preferred; empty for none.
    pub zone: Arc<str>,
}

impl Default for ClusterLinks {
    /// There are no other processes, so nothing of them is awaited.
    fn default() -> Self {
        Self { dial: None, awaited: watch::Sender::default().subscribe(), zone: "".into() }
    }
}
