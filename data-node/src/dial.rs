//! The way to nodes of other processes, by name and address.

use std::fmt::Debug;
use std::sync::Arc;

use henge_platform::discovery::ServerId;

use crate::error::NodeError;
use crate::host::{HostError, SegmentHost};
use crate::node::DataNode;

/// Reaches data nodes of other processes. Nothing is asked of the node yet: one that is away is found out
/// by its first call.
pub trait DialNodes: Send + Sync + Debug {
    /// The node `server` at `address`, a host and a port.
    ///
    /// # Errors
    /// `Unavailable` when that is no address.
    fn dial(&self, server: &ServerId, address: &Arc<str>) -> Result<Arc<dyn DataNode>, NodeError>;
}

/// Reaches nodes of other processes that hold published segments, as [`DialNodes`] does.
pub trait DialHosts: Send + Sync + Debug {
    /// The node `server` at `address`, a host and a port.
    ///
    /// # Errors
    /// When that is no address.
    fn dial_host(
        &self,
        server: &ServerId,
        address: &Arc<str>,
    ) -> Result<Arc<dyn SegmentHost>, HostError>;
}
