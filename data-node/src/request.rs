//! What a data node is asked: plain data, nothing of the process that asks.

use std::sync::Arc;
use std::time::Duration;

use henge_exec::{Extent, RankCut};
use henge_platform::runtime::Priority;
use henge_query::Query;
use henge_types::{Interval, SegmentId};
use tokio::time::Instant;

use crate::running::QueryKey;

/// The lane of queries that others go before.
pub const LOW_LANE: &str = "low";

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

/// What one query may take on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryBudget {
    /// Bytes of memory.
    pub memory_bytes: usize,
    /// Bytes of temporary files; 0 for none.
    pub disk_bytes: u64,
    /// Time buckets.
    pub buckets: usize,
}

/// A query for some segments of one data node.
#[derive(Debug, Clone)]
pub struct SegmentQuery {
    /// The cluster that the query is for: a node of another refuses it.
    pub cluster: Arc<str>,
    /// Names the query: it is cancelled by its id.
    pub key: QueryKey,
    /// The query.
    pub query: Arc<Query>,
    /// The segments to answer for, each exactly once or named as missing.
    pub segments: Vec<SegmentDescriptor>,
    /// Time that is left when the request is sent; clocks of machines differ.
    pub timeout: Duration,
    /// Larger runs first.
    pub priority: Priority,
    /// The lane it was admitted in.
    pub lane: Option<Arc<str>>,
    /// What it may take on the node.
    pub budget: QueryBudget,
    /// `Whole` when these are all segments of the query: the node then need not send what cannot be in
    /// the answer, as long as it has every one of them.
    pub extent: Extent,
    /// Which groups are wanted of a ranking: the node may leave others out, and says then what bounds them.
    pub rank: Option<RankCut>,
}

impl SegmentQuery {
    /// The priority of the query's tasks. Whoever asks for the low lane gets no more than that.
    #[must_use]
    pub fn task_priority(&self) -> Priority {
        task_priority(self.priority, self.lane.as_deref())
    }
}

/// When the time of a query is up that may take so long from now.
#[must_use]
pub fn deadline_after(timeout: Duration) -> Instant {
    /// Longer than any server runs.
    const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
    Instant::now() + timeout.min(FAR)
}

/// The priority of tasks of a query that asked for `priority` in a lane.
#[must_use]
pub fn task_priority(priority: Priority, lane: Option<&str>) -> Priority {
    match lane {
        Some(LOW_LANE) => priority.min(-1),
        _ => priority,
    }
}
