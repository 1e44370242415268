//! What the data nodes of one process announce, followed by another process: everything once, then every
//! change. Announcements of hundreds of thousands of segments do not belong into gossip; who is alive does,
//! and with it the version of the inventory.

mod follow;
mod messages;
mod mirror;
mod rpc;

use std::fmt::Debug;
use std::sync::Arc;

use futures::stream::BoxStream;

use super::{ChangeSet, DiscoveryError, LoadReport, ServerDescription, ServerId};

pub use follow::LocalInventory;
pub use mirror::Mirror;
pub use rpc::{InventoryRoute, InventoryService, connect_inventory, inventory_service};

/// The version of an inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InventoryVersion {
    /// Tells one start of the process from others; not 0.
    pub incarnation: u64,
    /// Grows with each change.
    pub version: u64,
}

impl InventoryVersion {
    /// True when whoever followed up to here knows all that was announced up to `other`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.incarnation == other.incarnation && self.version >= other.version
    }
}

/// What changed on one node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeChange {
    /// The node.
    pub server: ServerId,
    /// What it is; the address is that of its own process.
    pub description: Arc<ServerDescription>,
    /// What changed.
    pub changes: ChangeSet,
    /// True when it left, and all that it had.
    pub left: bool,
    /// How much its segments are read, when it told that.
    pub loads: Option<Arc<LoadReport>>,
}

/// An update, to be taken whole.
#[derive(Debug, Clone, PartialEq)]
pub struct InventoryUpdate {
    /// The version after it.
    pub at: InventoryVersion,
    /// True when this is everything that is announced: each node once, with all of its segments.
    pub is_whole: bool,
    /// The nodes.
    pub nodes: Vec<NodeChange>,
}

/// The updates of an inventory.
pub type Updates = BoxStream<'static, Result<InventoryUpdate, DiscoveryError>>;

/// The inventory of a process. Implementations pass the suite in `contract.rs`.
pub trait Inventory: Send + Sync + Debug {
    /// Everything, or what changed since `known`, then every change as it happens. After an error
    /// nothing comes; follow again from the last update that was taken.
    fn follow(&self, known: Option<InventoryVersion>) -> Updates;
}

#[cfg(test)]
mod contract;
