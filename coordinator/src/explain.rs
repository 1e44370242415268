//! Why copies were moved or made: the last ones with the reason, and for what the balancer moved the cost before and
//! after, by term; and what became of each.

use std::collections::VecDeque;
use std::sync::Arc;

use henge_placement::balance::Cost;
use henge_platform::discovery::ServerId;
use henge_types::SegmentId;
use parking_lot::Mutex;
use serde::Serialize;

use crate::Coordinator;

/// Moves that are remembered.
const KEPT: usize = 1_000;

/// A copy that was ordered, and its reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedMove {
    /// Which segment.
    pub segment: String,
    /// Where it was.
    pub from: ServerId,
    /// Where it went.
    pub to: ServerId,
    /// `drain`: the node it was on is to be empty; `rules`: they ask for more copies; else the term of the cost
    /// that it gained most by.
    pub main_reason: &'static str,
    /// By how much the whole is cheaper, in the unit of [`Cost`]; 0 for what the cost had no say in.
    pub gain: f64,
    /// What it cost where it was, by term.
    pub before: Cost,
    /// What it costs where it went, by term.
    pub after: Cost,
    /// When it was planned, in milliseconds since 1970.
    pub time_ms: i64,
    /// How far it is.
    pub outcome: Outcome,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip)]
    id: SegmentId,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The node was told.
    Ordered,
    /// It is there.
    Loaded,
    /// It is there, and where it was it is no more.
    Moved,
    /// It is not there, and may be tried again.
    Failed,
}

/// A copy that is planned just now.
#[derive(Debug, Clone)]
pub(crate) struct Explained {
    pub from: ServerId,
    pub to: ServerId,
    pub main_reason: &'static str,
    pub before: Cost,
    pub after: Cost,
}

/// The last ones.
#[derive(Debug, Default)]
pub(crate) struct Explanations(Mutex<VecDeque<ExplainedMove>>);

impl Explanations {
    fn add(&self, explained: ExplainedMove) {
        let mut kept = self.0.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(explained);
    }

    /// A node loaded a segment, or failed to.
    pub(crate) fn note_load(&self, server: &ServerId, id: &SegmentId, error: Option<String>) {
        let outcome = if error.is_none() { Outcome::Loaded } else { Outcome::Failed };
        let is_it = |one: &ExplainedMove| one.outcome == Outcome::Ordered && one.to == *server;
        self.note(id, is_it, outcome, error);
    }

    /// A node dropped its copy of a segment that others have.
    pub(crate) fn note_drop(&self, server: &ServerId, id: &SegmentId) {
        let is_it = |one: &ExplainedMove| one.outcome == Outcome::Loaded && one.from == *server;
        self.note(id, is_it, Outcome::Moved, None);
    }

    fn note(
        &self,
        id: &SegmentId,
        is_it: impl Fn(&ExplainedMove) -> bool,
        outcome: Outcome,
        error: Option<String>,
    ) {
        let mut kept = self.0.lock();
        if let Some(one) = kept.iter_mut().rev().find(|one| is_it(one) && one.id == *id) {
            (one.outcome, one.error) = (outcome, error);
        }
    }
}

impl Coordinator {
    /// The last copies that this coordinator ordered of what nodes had, the newest first.
    #[must_use]
    pub fn explained_moves(&self) -> Vec<ExplainedMove> {
        self.shared.explained.0.lock().iter().rev().cloned().collect()
    }

    pub(crate) fn explain(&self, id: &SegmentId, planned: Explained) {
        let Explained { from, to, main_reason, before, after } = planned;
        let explained = ExplainedMove {
            segment: id.to_string(),
            id: id.clone(),
            from: Arc::clone(&from),
            to: Arc::clone(&to),
            main_reason,
            gain: before.total() - after.total(),
            before,
            after,
            time_ms: self.shared.clock.now_ms(),
            outcome: Outcome::Ordered,
            error: None,
        };
        tracing::info!(
            segment = %id, %from, %to, reason = explained.main_reason, gain = explained.gain,
            "moving a segment to a better place"
        );
        self.shared.explained.add(explained);
    }
}
