//! What a data node answers.

use std::fmt::Debug;

use futures::StreamExt;
use futures::stream::BoxStream;
use henge_exec::{GroupedPartial, LeftOut, MemoryLease, Partial};
use henge_platform::discovery::inventory::InventoryVersion;

use crate::error::NodeError;
use crate::request::SegmentDescriptor;

/// A data node's answer.
#[derive(Debug, Default)]
pub struct SegmentReply {
    /// Partial results, merged or one a segment; together they hold each answered segment once.
    pub partials: Vec<Partial>,
    /// What bounds the groups that the one partial result lacks, of the segments that were answered for;
    /// `None` when it lacks none. Only where the request says which are wanted.
    pub left_out: Option<LeftOut>,
    /// Groups that did not fit into the node's memory, instead of `partials`.
    pub partitions: Option<Partitions>,
    /// What the partial results hold in this process; to be kept as long as they are.
    pub leases: Vec<MemoryLease>,
    /// Segments that the node does not have (any more): ask a replica.
    pub missing: Vec<SegmentDescriptor>,
    /// How many segments were answered for: with those that are missing, all that were asked for. Nodes
    /// of earlier builds do not say.
    pub answered_segments: Option<u64>,
    /// How far the announcements of the node's process were before its segments were looked up. `None`
    /// where they are seen at once, in one process, and of nodes of earlier builds.
    pub inventory: Option<InventoryVersion>,
    /// What it took.
    pub stats: ReplyStats,
}

/// Partitions of groups, one after the other, [`PARTITIONS`] in all. Equal groups are in the
/// partition of the same number on every node.
pub struct Partitions(BoxStream<'static, Result<Partition, NodeError>>);

/// How many partitions groups are cut into that do not fit: so many times what fits into memory may
/// an answer have.
pub const PARTITIONS: usize = 32;

/// The groups of one partition.
#[derive(Debug)]
pub struct Partition {
    /// The groups.
    pub groups: GroupedPartial,
    /// What they hold in this process.
    pub lease: MemoryLease,
}

impl Partitions {
    /// Gives what `stream` gives.
    #[must_use]
    pub fn new(stream: BoxStream<'static, Result<Partition, NodeError>>) -> Self {
        Self(stream)
    }

    /// The next partition; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Partition, NodeError>> {
        self.0.next().await
    }
}

impl Debug for Partitions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partitions").finish_non_exhaustive()
    }
}

/// What answering took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplyStats {
    /// Segments read.
    pub segments_scanned: u64,
    /// Segments whose contribution was known.
    pub segments_cached: u64,
    /// Segments whose rows all lie outside of the query's intervals.
    pub segments_pruned: u64,
    /// Rows of those segments.
    pub rows_scanned: u64,
    /// Bytes written to temporary files.
    pub spilled_bytes: u64,
    /// Time on the CPU pool.
    pub cpu_time_us: u64,
    /// Time in the CPU pool's queue.
    pub queue_time_us: u64,
}

impl std::ops::AddAssign for ReplyStats {
    fn add_assign(&mut self, other: Self) {
        self.segments_scanned += other.segments_scanned;
        self.segments_cached += other.segments_cached;
        self.segments_pruned += other.segments_pruned;
        self.rows_scanned += other.rows_scanned;
        self.spilled_bytes += other.spilled_bytes;
        self.cpu_time_us += other.cpu_time_us;
        self.queue_time_us += other.queue_time_us;
    }
}
