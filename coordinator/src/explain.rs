//! Why copies were moved: the last moves with what they cost before and after, by term.

use std::sync::Arc;

use henge_placement::balance::Cost;
use henge_platform::discovery::ServerId;
use henge_types::SegmentId;
use serde::Serialize;

use crate::Coordinator;

/// Moves that are remembered.
const KEPT: usize = 1_000;

/// A move and its reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedMove {
    /// Which segment.
    pub segment: String,
    /// Where it was.
    pub from: ServerId,
    /// Where it went.
    pub to: ServerId,
    /// The term that it gained most by.
    pub main_reason: &'static str,
    /// By how much the whole is cheaper.
    pub gain: f64,
    /// What it cost where it was, by term.
    pub before: Cost,
    /// What it costs where it went, by term.
    pub after: Cost,
    /// When it was planned, in milliseconds since 1970.
    pub time_ms: i64,
}

/// A move that was planned just now.
#[derive(Debug, Clone)]
pub(crate) struct Explained {
    pub from: ServerId,
    pub to: ServerId,
    pub before: Cost,
    pub after: Cost,
}

impl Coordinator {
    /// The last moves that this coordinator planned, the newest first.
    #[must_use]
    pub fn explained_moves(&self) -> Vec<ExplainedMove> {
        self.explained.lock().iter().rev().cloned().collect()
    }

    pub(crate) fn explain(&self, id: &SegmentId, planned: Explained) {
        let Explained { from, to, before, after } = planned;
        let explained = ExplainedMove {
            segment: id.to_string(),
            from: Arc::clone(&from),
            to: Arc::clone(&to),
            main_reason: after.main_gain(&before),
            gain: before.total() - after.total(),
            before,
            after,
            time_ms: self.shared.clock.now_ms(),
        };
        tracing::info!(
            segment = %id, %from, %to, reason = explained.main_reason, gain = explained.gain,
            "moving a segment to a better place"
        );
        let mut kept = self.explained.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(explained);
    }
}
