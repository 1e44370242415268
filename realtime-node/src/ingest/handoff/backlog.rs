//! What waits to be handed off in a datasource, and why it does not get on. What fails stands in the
//! datasource's status and in the process's numbers, slows pushes into this datasource down once too
//! much waits, and holds up nothing else: not other chunks, not other datasources, not the start.

use std::ops::{Add, Sub};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;

use super::retry::HandoffFailure;
use crate::error::RealtimeError;
use crate::options::BacklogLimits;

/// Failures that are shown of one datasource; all are counted.
const SHOWN_FAILURES: usize = 100;

/// Shared by the writer, which adds, the hand-off, which takes, and pushes, which ask.
#[derive(Debug, Clone)]
pub(crate) struct Backlog {
    limits: BacklogLimits,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// On the way to the hand-off.
    queued: Waiting,
    /// With the hand-off.
    taken: Waiting,
    is_blocked: bool,
    failures: Vec<HandoffFailure>,
    /// The commit at work, while it is not settled.
    unsettled: Option<HandoffFailure>,
}

/// Closed generations that are not wholly published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) generations: usize,
    /// Those of them that are not in segment files yet.
    pub(super) unwritten: usize,
    /// Time chunks of them that are not published.
    pub(super) chunks: usize,
    pub(super) request_bytes: u64,
}

/// A backlog as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BacklogStatus {
    /// Closed generations that are not wholly published yet.
    pub waiting: usize,
    /// Time chunks of theirs that are not published yet.
    pub waiting_chunks: usize,
    /// Bytes of pushed requests that the log keeps for them.
    pub waiting_bytes: u64,
    /// True while pushes are refused because of it.
    pub blocks_pushes: bool,
    /// Time chunks of generations whose hand-off fails, and a commit that is not settled.
    pub failing: usize,
    /// The first hundred of them, in the order of the log.
    pub failures: Vec<HandoffFailure>,
}

impl Backlog {
    /// Nothing waits.
    #[must_use]
    pub(crate) fn new(limits: BacklogLimits) -> Self {
        Self { limits, state: Arc::default() }
    }

    /// How it stands.
    #[must_use]
    pub(crate) fn status(&self) -> BacklogStatus {
        let state = self.state.lock();
        let waiting = state.waiting();
        BacklogStatus {
            waiting: waiting.generations,
            waiting_chunks: waiting.chunks,
            waiting_bytes: waiting.request_bytes,
            blocks_pushes: state.is_blocked,
            failing: state.all_failures().count(),
            failures: state.all_failures().take(SHOWN_FAILURES).cloned().collect(),
        }
    }

    /// Refuses a push into a datasource whose hand-off does not get on, before anything is stored.
    pub(crate) fn check(&self, datasource: &str) -> Result<(), RealtimeError> {
        let state = self.state.lock();
        if !state.is_blocked {
            return Ok(());
        }
        let reason = state.all_failures().next().map_or_else(
            || "it is slower than the pushes".to_owned(),
            |failure| {
                let chunk = failure.interval.map_or_else(String::new, |i| format!("of {i} "));
                format!("{chunk}it failed {} times, last: {}", failure.attempts, failure.reason)
            },
        );
        let Waiting { generations, request_bytes, .. } = state.waiting();
        Err(RealtimeError::Busy(format!(
            "datasource '{datasource}' takes no more events until its hand-off gets on: {generations} \
             parts with {request_bytes} bytes of requests wait; {reason}; nothing of this push was \
             stored, send it again later"
        )))
    }

    /// True since there was no room, until there is some.
    pub(crate) fn is_blocked(&self) -> bool {
        self.state.lock().is_blocked
    }

    /// Room for one more closed generation. Without it pushes are blocked from now on, until there is.
    pub(crate) fn has_room(&self) -> bool {
        let mut state = self.state.lock();
        state.is_blocked = !state.has_room(self.limits);
        !state.is_blocked
    }

    /// A generation is on the way to the hand-off.
    pub(super) fn queued(&self, one: Waiting) {
        let mut state = self.state.lock();
        state.queued = state.queued + one;
    }

    /// A generation came from the queue: this waits with the hand-off now.
    pub(super) fn arrived(&self, one: Waiting, taken: Waiting) {
        let mut state = self.state.lock();
        state.queued = state.queued - one;
        state.taken = taken;
    }

    /// A commit has to be asked after again, or is settled.
    pub(super) fn show_commit(&self, unsettled: Option<HandoffFailure>) {
        self.state.lock().unsettled = unsettled;
    }

    /// What waits with the hand-off now, and what of it fails.
    pub(super) fn show(&self, taken: Waiting, failures: Vec<HandoffFailure>) {
        let mut state = self.state.lock();
        state.taken = taken;
        state.failures = failures;
        // Blocked by whoever found no room; free again as soon as there is some.
        state.is_blocked &= !state.has_room(self.limits);
    }
}

impl Add for Waiting {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            generations: self.generations + other.generations,
            unwritten: self.unwritten + other.unwritten,
            chunks: self.chunks + other.chunks,
            request_bytes: self.request_bytes + other.request_bytes,
        }
    }
}

impl Sub for Waiting {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            generations: self.generations.saturating_sub(other.generations),
            unwritten: self.unwritten.saturating_sub(other.unwritten),
            chunks: self.chunks.saturating_sub(other.chunks),
            request_bytes: self.request_bytes.saturating_sub(other.request_bytes),
        }
    }
}

impl State {
    fn waiting(&self) -> Waiting {
        self.queued + self.taken
    }

    fn all_failures(&self) -> impl Iterator<Item = &HandoffFailure> {
        self.unsettled.iter().chain(&self.failures)
    }

    fn has_room(&self, limits: BacklogLimits) -> bool {
        let waiting = self.waiting();
        // What is published but for some chunks takes room in the log only.
        waiting.unwritten < limits.generations.max(1)
            && waiting.request_bytes < limits.request_bytes.max(1)
    }
}

#[cfg(test)]
mod tests {
    use henge_types::Interval;

    use super::*;

    fn failure(attempts: u32) -> HandoffFailure {
        HandoffFailure {
            interval: Some(Interval { start_ms: 0, end_ms: 3_600_000 }),
            attempts,
            since_ms: 7,
            next_attempt_ms: 9,
            reason: "no disk".into(),
        }
    }

    #[test]
    fn f_22_a_hand_off_that_fails_is_named_and_blocks_pushes_once_too_much_waits() {
        let backlog = Backlog::new(BacklogLimits { generations: 2, request_bytes: 100 });
        let here = |generations, unwritten, request_bytes| Waiting {
            generations,
            unwritten,
            chunks: generations,
            request_bytes,
        };
        backlog.check("d").unwrap();
        for bytes in [40, 20] {
            assert!(backlog.has_room());
            backlog.queued(here(1, 1, bytes));
        }
        assert!(!backlog.has_room(), "two are not written");
        backlog.arrived(here(1, 1, 40), here(1, 1, 40));
        backlog.show(here(1, 1, 40), vec![failure(2)]);
        let error = backlog.check("d").unwrap_err().to_string();
        let parts =
            ["'d'", "1970-01-01T00:00:00.000Z/1970-01-01T01:00:00.000Z", "2 times", "no disk"];
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        let status = backlog.status();
        assert_eq!((status.waiting, status.waiting_chunks, status.waiting_bytes), (2, 2, 60));
        assert_eq!(status.failing, 1);
        assert!(status.blocks_pushes && status.failures == [failure(2)]);
        // Once rows are in segment files, only the log's bytes count.
        backlog.show(here(1, 0, 40), vec![failure(3)]);
        backlog.check("d").unwrap();
        backlog.arrived(here(1, 1, 20), here(2, 0, 60));
        backlog.queued(here(1, 1, 40));
        assert!(!backlog.has_room(), "100 bytes wait");
        assert!(backlog.check("d").is_err());
        backlog.arrived(here(1, 1, 40), here(3, 0, 100));
        backlog.show(here(0, 0, 0), Vec::new());
        backlog.check("d").unwrap();
        assert_eq!(backlog.status(), BacklogStatus::default());
    }
}
