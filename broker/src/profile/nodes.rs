//! What each call to a data node was to its query.

use std::time::Duration;

use henge_data_node::SegmentReply;
use henge_exec::Partial;
use serde::Serialize;

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CallOutcome {
    /// The node answered.
    Answered,
    /// It failed; others were asked.
    Failed,
    /// Its reply was not waited for.
    GivenUp,
}

/// A call to a node.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodePart {
    /// The node.
    pub(crate) node: String,
    /// Its zone, if it has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) zone: String,
    /// Segments that it was asked for.
    pub(crate) segments: u64,
    /// Rows of the segments read.
    pub(crate) rows: u64,
    /// Bytes of its partial results, in the broker's memory.
    pub(crate) bytes: u64,
    /// Time on its CPU threads.
    pub(crate) cpu_micros: u64,
    /// Time that its tasks waited for one.
    pub(crate) queue_micros: u64,
    /// From the call to its end, as the broker sees it.
    pub(crate) wait_micros: u64,
    /// Another node was late with the same segments.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) is_hedge: bool,
    /// Another node failed, or did not have the segments.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) is_retry: bool,
    /// What became of it.
    pub(crate) outcome: CallOutcome,
}

impl NodePart {
    /// A call that was given up after so long, as far as is known so far.
    pub(crate) fn of_call(
        node: &str,
        zone: &str,
        segments: usize,
        is_hedge: bool,
        is_retry: bool,
        took: Duration,
    ) -> Self {
        Self {
            node: node.to_owned(),
            zone: zone.to_owned(),
            segments: segments as u64,
            rows: 0,
            bytes: 0,
            cpu_micros: 0,
            queue_micros: 0,
            wait_micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            is_hedge,
            is_retry,
            outcome: CallOutcome::GivenUp,
        }
    }

    /// It was answered.
    pub(crate) fn answered(&mut self, reply: &SegmentReply) {
        self.outcome = CallOutcome::Answered;
        self.rows = reply.stats.rows_scanned;
        self.bytes = reply.partials.iter().map(Partial::memory_bytes).sum::<usize>() as u64;
        self.cpu_micros = reply.stats.cpu_time_us;
        self.queue_micros = reply.stats.queue_time_us;
    }
}

fn is_false(value: &bool) -> bool {
    !*value
}
