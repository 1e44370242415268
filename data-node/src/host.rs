//! How a coordinator tells a historical node what to hold.

use std::fmt::Debug;

use async_trait::async_trait;
use henge_platform::discovery::ServerId;
use henge_platform::metadata::PublishedSegment;
use henge_types::{ErrorClass, SegmentId};

/// Why a node could not do as told.
#[derive(Debug, thiserror::Error)]
#[error("{server}: {reason}")]
pub struct HostError {
    /// The node.
    pub server: String,
    /// What happened.
    pub reason: String,
    /// Who is at fault.
    pub class: ErrorClass,
}

/// A node that holds published segments.
#[async_trait]
pub trait SegmentHost: Send + Sync + Debug {
    /// The node's name, as in discovery.
    fn server_id(&self) -> &ServerId;

    /// Fetches, verifies, maps and announces a segment. Loading what is loaded already succeeds.
    async fn load(&self, segment: &PublishedSegment) -> Result<(), HostError>;

    /// Withdraws a segment and forgets it once the last reader is done. Unknown ids are ignored.
    async fn unload(&self, id: &SegmentId) -> Result<(), HostError>;
}
