//! What waits to be handed off in a datasource, and why it does not get on. A hand-off that fails
//! stands in the datasource's status and in the process's numbers, slows pushes into this datasource
//! down once too much waits, and holds up nothing else: not the start, not other datasources.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;

use crate::error::RealtimeError;

/// Shared by the writer, which adds, the hand-off, which takes, and pushes, which ask.
#[derive(Debug, Clone, Default)]
pub struct Backlog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    waiting: usize,
    is_blocked: bool,
    failure: Option<HandoffFailure>,
}

/// A hand-off that does not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HandoffFailure {
    /// Attempts that failed.
    pub attempts: u32,
    /// When the first of them did.
    pub since_ms: i64,
    /// Why the last one failed.
    pub reason: String,
}

/// A backlog as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BacklogStatus {
    /// Closed generations that are not published yet.
    pub waiting: usize,
    /// True while pushes are refused because of it.
    pub blocks_pushes: bool,
    /// The failure of the oldest one, if it fails.
    pub failure: Option<HandoffFailure>,
}

impl Backlog {
    /// How it stands.
    #[must_use]
    pub fn status(&self) -> BacklogStatus {
        let state = self.0.lock();
        BacklogStatus {
            waiting: state.waiting,
            blocks_pushes: state.is_blocked,
            failure: state.failure.clone(),
        }
    }

    /// Refuses a push into a datasource whose hand-off does not get on, before anything is stored.
    pub(crate) fn check(&self, datasource: &str) -> Result<(), RealtimeError> {
        let state = self.0.lock();
        if !state.is_blocked {
            return Ok(());
        }
        let reason = state.failure.as_ref().map_or_else(
            || "it is slower than the pushes".to_owned(),
            |failure| format!("it failed {} times, last: {}", failure.attempts, failure.reason),
        );
        Err(RealtimeError::Busy(format!(
            "datasource '{datasource}' takes no more events until its hand-off gets on: {} parts wait; \
             {reason}; nothing of this push was stored, send it again later",
            state.waiting
        )))
    }

    /// Room for one more closed generation, of at most `limit`. Without it pushes are blocked from
    /// now on, until there is.
    pub(crate) fn has_room(&self, limit: usize) -> bool {
        let mut state = self.0.lock();
        let has_room = state.waiting < limit.max(1);
        state.is_blocked = !has_room;
        has_room
    }

    pub(crate) fn added(&self) {
        self.0.lock().waiting += 1;
    }

    pub(crate) fn taken(&self) {
        let mut state = self.0.lock();
        state.waiting = state.waiting.saturating_sub(1);
        state.is_blocked = false;
        state.failure = None;
    }

    pub(crate) fn failed(&self, error: &RealtimeError, now_ms: i64) {
        let mut state = self.0.lock();
        let (attempts, since_ms) =
            state.failure.as_ref().map_or((0, now_ms), |known| (known.attempts, known.since_ms));
        state.failure =
            Some(HandoffFailure { attempts: attempts + 1, since_ms, reason: error.to_string() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_22_a_hand_off_that_fails_is_named_and_blocks_pushes_once_too_much_waits() {
        let backlog = Backlog::default();
        backlog.check("d").unwrap();
        assert!(backlog.has_room(2));
        backlog.added();
        backlog.failed(&RealtimeError::Unavailable("no store".into()), 7);
        backlog.failed(&RealtimeError::Unavailable("no disk".into()), 9);
        backlog.added();
        backlog.check("d").unwrap();
        assert!(!backlog.has_room(2));
        let error = backlog.check("d").unwrap_err().to_string();
        assert!(
            error.contains("'d'") && error.contains("2 times") && error.contains("no disk"),
            "{error}"
        );
        let failure = backlog.status().failure.unwrap();
        assert_eq!((failure.attempts, failure.since_ms), (2, 7));
        backlog.taken();
        backlog.check("d").unwrap();
        assert_eq!(backlog.status(), BacklogStatus { waiting: 1, ..BacklogStatus::default() });
    }
}
