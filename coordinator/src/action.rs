//! What a plan consists of.

use std::sync::Arc;

use henge_placement::balance::Cost;
use henge_platform::discovery::ServerId;
use henge_platform::metadata::PublishedSegment;
use henge_types::SegmentId;

/// Something to be done.
#[derive(Debug, Clone, PartialEq)]
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
    /// The server is to load the segment, which is better off there; a copy elsewhere is too many after that.
    Move {
        /// Which server.
        server: ServerId,
        /// Where it is now.
        from: ServerId,
        /// Which segment.
        segment: Arc<PublishedSegment>,
        /// What it costs where it is.
        before: Cost,
        /// What it costs where it goes.
        after: Cost,
    },
    /// Nobody is to ask for the segments any more.
    MarkUnused {
        /// Which segments.
        ids: Vec<SegmentId>,
        /// The reason.
        why: Unused,
    },
    /// Somebody is to be told that hosts are full.
    ReportFull {
        /// Segments that wait for room.
        segments: usize,
        /// The first of them.
        named: Vec<SegmentId>,
    },
    /// Somebody is to be told that rules name tiers that have no nodes.
    ReportTiers {
        /// The tiers, with how many segments want them.
        tiers: Vec<(Arc<str>, usize)>,
    },
}

/// Why segments are not used any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unused {
    /// Newer versions hide them for good.
    Overshadowed,
    /// A rule drops them.
    DroppedByRule,
}
