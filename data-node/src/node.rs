//! Calls between roles. In one process a call passes [`Partial`]s without serialising them.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use henge_exec::{CancelFlag, ExecError, Extent, MemoryLease, Partial, QueryMemory};
use henge_platform::discovery::ServerId;
use henge_platform::runtime::{PoolError, Priority};
use henge_query::Query;
use henge_types::{ErrorClass, Interval, SegmentId};

use crate::spill::GroupSpill;

/// A segment and the part of its interval that is visible: a newer version may hide the rest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SegmentDescriptor {
    /// Identity.
    pub id: SegmentId,
    /// Rows outside are hidden.
    pub visible: Interval,
}

impl SegmentDescriptor {
    /// The query as this segment is to answer it: its intervals cut to the visible part, see
    /// [`Query::clip_to`].
    #[must_use]
    pub fn restrict(&self, query: &Arc<Query>) -> Arc<Query> {
        // Most often the visible part is all that the query wants of the segment anyway.
        let unaffected = query.base().intervals.iter().all(|interval| {
            interval
                .intersect(&self.id.interval)
                .is_none_or(|wanted| self.visible.contains_interval(&wanted))
        });
        if unaffected {
            return Arc::clone(query);
        }
        let mut restricted = Query::clone(query);
        restricted.clip_to(self.visible);
        Arc::new(restricted)
    }
}

/// A query for some segments of one data node.
#[derive(Debug, Clone)]
pub struct SegmentQuery {
    /// The query.
    pub query: Arc<Query>,
    /// The segments to answer for, each exactly once or named as missing.
    pub segments: Vec<SegmentDescriptor>,
    /// Set when the client went away, somebody cancelled, or the deadline passed.
    pub cancel: CancelFlag,
    /// Larger runs first.
    pub priority: Priority,
    /// Bytes that one task of this query may take on the node.
    pub memory_budget_bytes: usize,
    /// What the query holds altogether is accounted for here.
    pub memory: QueryMemory,
    /// Where groups go that do not fit, if they may go anywhere.
    pub spill: Option<Arc<GroupSpill>>,
    /// `Whole` when these are all segments of the query: the node then need not send what cannot be in
    /// the answer, as long as it has every one of them.
    pub extent: Extent,
}

/// A data node's answer.
#[derive(Debug, Default)]
pub struct SegmentReply {
    /// Partial results, merged or one a segment; together they hold each answered segment once.
    pub partials: Vec<Partial>,
    /// What the partial results hold; to be kept as long as they are.
    pub leases: Vec<MemoryLease>,
    /// Segments that the node does not have (any more): ask a replica.
    pub missing: Vec<SegmentDescriptor>,
    /// What it took.
    pub stats: ReplyStats,
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
        self.cpu_time_us += other.cpu_time_us;
        self.queue_time_us += other.queue_time_us;
    }
}

/// Why a data node gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The query failed on the node; a replica would fail as well.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A task of the query panicked or the node is stopping.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The node is away: ask a replica.
    #[error("data node '{server}' is unavailable: {reason}")]
    Unavailable {
        /// The node.
        server: String,
        /// What happened.
        reason: String,
    },
}

impl NodeError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Exec(error) => error.class(),
            Self::Pool(error) => error.class(),
            Self::Unavailable { .. } => ErrorClass::Unavailable,
        }
    }
}

/// A node that answers queries for segments: realtime or historical.
#[async_trait]
pub trait DataNode: Send + Sync + Debug {
    /// The node's name, as in discovery.
    fn server_id(&self) -> &ServerId;

    /// Answers for the segments asked for. A segment that the node does not have is named in
    /// `missing`, never silently left out.
    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError>;
}
