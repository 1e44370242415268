//! Planning: a pure function of a snapshot. One duty a file, each adds its actions.

use std::sync::Arc;

use henge_platform::discovery::ServerId;
use henge_platform::metadata::PublishedSegment;
use henge_types::SegmentId;

use crate::duty;
use crate::snapshot::ClusterSnapshot;

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The server is to load the segment.
    Load {
        /// Which server.
        server: ServerId,
        /// Which segment.
        segment: Arc<PublishedSegment>,
    },
    /// The server is to forget the segment.
    Unload {
        /// Which server.
        server: ServerId,
        /// Which segment.
        id: SegmentId,
    },
    /// The segments are hidden by newer versions for good.
    MarkUnused {
        /// Which segments.
        ids: Vec<SegmentId>,
    },
}

/// What is to be done now.
#[must_use]
pub fn plan(snapshot: &ClusterSnapshot) -> Vec<Action> {
    let mut actions = duty::load::plan(snapshot);
    // "Unknown" is not "empty": what takes away needs to have seen everything.
    if snapshot.complete {
        actions.extend(duty::unload::plan(snapshot));
        actions.extend(duty::mark_overshadowed::plan(snapshot));
    }
    actions
}

#[cfg(test)]
mod tests;
