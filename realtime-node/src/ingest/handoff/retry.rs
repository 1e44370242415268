//! When something that failed is tried again, and what is known of its failures.

use std::fmt::Display;
use std::time::Duration;

use henge_types::Interval;
use serde::{Serialize, Serializer};
use tokio::time::Instant;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Attempts at one thing: due at once, after a failure ever later.
#[derive(Debug, Clone)]
pub(super) struct Retry {
    due: Instant,
    wait: Duration,
    failure: Option<HandoffFailure>,
}

/// A hand-off that does not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HandoffFailure {
    /// The time chunk whose rows wait; `None` when it is a commit that fails or is not settled: a
    /// change of the metadata counts once its manifest is in deep storage.
    #[serde(serialize_with = "as_text")]
    pub interval: Option<Interval>,
    /// Attempts that failed.
    pub attempts: u32,
    /// When the first of them did.
    pub since_ms: i64,
    /// When the next one begins.
    pub next_attempt_ms: i64,
    /// Why the last one failed.
    pub reason: String,
}

impl Retry {
    /// Due at once.
    pub(super) fn new() -> Self {
        Self { due: Instant::now(), wait: FIRST_WAIT, failure: None }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due <= now
    }

    /// When it is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Due at once, however often it failed.
    pub(super) fn hurry(&mut self) {
        self.due = Instant::now();
        self.wait = FIRST_WAIT;
    }

    /// An attempt failed.
    pub(super) fn failed(
        &mut self,
        interval: Option<Interval>,
        error: &impl Display,
        now_ms: i64,
    ) -> &HandoffFailure {
        let (attempts, since_ms) =
            self.failure.as_ref().map_or((0, now_ms), |known| (known.attempts, known.since_ms));
        let wait_ms = i64::try_from(self.wait.as_millis()).unwrap_or(i64::MAX);
        self.due = Instant::now() + self.wait;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        self.failure.insert(HandoffFailure {
            interval,
            attempts: attempts + 1,
            since_ms,
            next_attempt_ms: now_ms.saturating_add(wait_ms),
            reason: error.to_string(),
        })
    }

    /// Why it does not succeed, when it failed.
    pub(super) fn failure(&self) -> Option<&HandoffFailure> {
        self.failure.as_ref()
    }
}

fn as_text<S: Serializer>(interval: &Option<Interval>, serializer: S) -> Result<S::Ok, S::Error> {
    interval.map(|interval| interval.to_string()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::RealtimeError;

    #[tokio::test(start_paused = true)]
    async fn f_22_attempts_get_rarer_and_are_counted() {
        let mut retry = Retry::new();
        let error = RealtimeError::Unavailable("no store".into());
        let mut waits = Vec::new();
        for attempt in 1..=11 {
            assert!(retry.is_due(Instant::now()));
            let failure = retry.failed(None, &error, 7).clone();
            assert_eq!((failure.attempts, failure.since_ms), (attempt, 7));
            waits.push(failure.next_attempt_ms - 7);
            assert!(!retry.is_due(Instant::now()));
            tokio::time::sleep_until(retry.due()).await;
        }
        assert_eq!(waits[..3], [100, 200, 400]);
        assert_eq!(waits[9..], [30_000, 30_000]);
        retry.failed(None, &error, 8);
        retry.hurry();
        assert!(retry.is_due(Instant::now()) && retry.failure().is_some());
    }
}
