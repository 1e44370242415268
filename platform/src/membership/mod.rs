//! Who is alive: the processes of a cluster, what each is, where it is reached, and the version of what it
//! serves. What a node serves is not said here: whoever wants it pulls the inventory when its version
//! changes and announces it in [`discovery`](crate::discovery).
//!
//! Nobody decides who is alive; every node has a view of its own, which follows the truth after a while.
//! Who leads, and what is published, the metadata say.

mod gossip;
mod memory;
mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use henge_types::ErrorClass;
use tokio::sync::watch;

pub use gossip::{GossipMembership, GossipOptions, HeardNode, NodeCondition};
pub use memory::{MemoryCluster, MemoryMembership};
pub use seen::{MissingInventory, SeenInventories};

/// Names a node; unique within the cluster, and the same after a restart.
pub type NodeId = Arc<str>;

/// What a process does. One may do several things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Takes pushes and serves what is not published yet.
    Realtime,
    /// Serves published segments.
    Historical,
    /// Answers queries.
    Broker,
    /// Plans what is loaded where, when it leads.
    Coordinator,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Realtime, Self::Historical, Self::Broker, Self::Coordinator];

    /// Its name in settings, on the wire and for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Historical => "historical",
            Self::Broker => "broker",
            Self::Coordinator => "coordinator",
        }
    }

    /// The role of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether nodes of this role serve segments, and so have an inventory.
    #[must_use]
    pub fn serves_segments(self) -> bool {
        matches!(self, Self::Realtime | Self::Historical)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A process of the cluster, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub node_id: NodeId,
    /// Grows with each start of the node: the larger one is the node now.
    pub incarnation: u64,
    /// What it does.
    pub roles: BTreeSet<Role>,
    /// Host and port of its HTTP API; empty when it has none.
    pub http_address: Arc<str>,
    /// Host and port of its gRPC services; empty when it has none.
    pub grpc_address: Arc<str>,
    /// What it shares its fate with: a rack, a data centre. Replicas go to different ones.
    pub zone: Arc<str>,
    /// The tier of a historical node; empty for others.
    pub tier: Arc<str>,
    /// Grows with each change of what it serves.
    pub inventory_version: u64,
}

impl Member {
    /// Whether it serves segments.
    #[must_use]
    pub fn serves_segments(&self) -> bool {
        self.roles.iter().any(|role| role.serves_segments())
    }
}

/// The cluster as one node sees it at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterView {
    /// Who is alive, this node included.
    pub members: BTreeMap<NodeId, Member>,
    /// Nodes that were heard of, and of which it is not known yet what they are or whether they live.
    pub unknown: BTreeSet<NodeId>,
    /// False while the others could not be heard of: at first a node knows nobody but itself.
    pub is_settled: bool,
    /// Another process with this node's name started later; this one should stop.
    pub is_superseded: bool,
}

impl ClusterView {
    /// True when nobody is alive who is not among the members, as far as can be known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_settled && self.unknown.is_empty()
    }

    /// Those with a role.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Member> {
        self.members.values().filter(move |member| member.roles.contains(&role))
    }

    /// Those that serve segments.
    pub fn data_nodes(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| member.serves_segments())
    }
}

/// Why membership failed.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// The address cannot be listened on, or the seeds cannot be understood.
    #[error("membership: {0}")]
    Unavailable(String),
}

impl MembershipError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Unavailable
    }
}

/// This process as a member of the cluster. Dropping it is a crash, as far as others can tell.
/// Implementations pass the suite in `contract`.
#[async_trait]
pub trait Membership: Send + Sync + Debug {
    /// The cluster at this instant.
    fn view(&self) -> Arc<ClusterView>;

    /// Follows the cluster.
    fn watch(&self) -> watch::Receiver<Arc<ClusterView>>;

    /// Tells the others that what this node serves has changed. A version never goes back.
    async fn set_inventory_version(&self, version: u64);

    /// Tells the others that this node stops, so that nobody has to wait for its silence.
    async fn leave(&self);
}

#[cfg(test)]
mod contract;
