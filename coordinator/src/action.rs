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
    /// The server is to forget a segment that is not used any more.
    Unload {
        /// Which server.
        server: ServerId,
        /// Which segment.
        id: SegmentId,
    },
    /// The server is to forget a copy too many, once the others are proved to be there.
    DropCopy {
        /// Which server.
        server: ServerId,
        /// Which segment.
        segment: Arc<PublishedSegment>,
        /// Who has it too, and keeps it.
        keepers: Vec<ServerId>,
    },
    /// The segments are hidden by newer versions for good.
    MarkUnused {
        /// Which segments.
        ids: Vec<SegmentId>,
    },
    /// Somebody is to be told that hosts are full.
    ReportFull {
        /// Segments that wait for room.
        segments: usize,
        /// The first of them.
        named: Vec<SegmentId>,
    },
}
