//! What a plan consists of.

use std::sync::Arc;

use henge_platform::discovery::ServerId;
use henge_platform::metadata::PublishedSegment;
use henge_types::SegmentId;

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
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
