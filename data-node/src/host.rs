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

/// Which instruction it is that a node is given: one of a later leader, or a later one of the same leader,
/// compares as larger. What a later one was to load no earlier one drops, in whatever order they arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Instruction {
    /// The epoch of the coordinator that leads; 0 where there is no other.
    pub epoch: u64,
    /// Rises with each call of that coordinator.
    pub number: u64,
}

/// A node that holds published segments.
#[async_trait]
pub trait SegmentHost: Send + Sync + Debug {
    /// The node's name, as in discovery.
    fn server_id(&self) -> &ServerId;

    /// Fetches, verifies, maps and announces a segment. Loading what is loaded already succeeds, and
    /// from then on it is not unloaded by an earlier instruction: so a leader knows what it can rely on.
    async fn load(
        &self,
        segment: &PublishedSegment,
        instruction: Instruction,
    ) -> Result<(), HostError>;

    /// Withdraws a segment and forgets it once the last reader is done. Unknown ids are ignored.
    /// `Conflict` when a later instruction was to load it.
    async fn unload(&self, id: &SegmentId, instruction: Instruction) -> Result<(), HostError>;
}
