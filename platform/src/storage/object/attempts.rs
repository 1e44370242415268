//! How often and how long a request is repeated. Time is tokio's, which a paused runtime moves, and
//! chance comes through the runtime's door, so that a seed decides every wait.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::super::error::{Result, StorageError};
use super::failure::{Failure, Place};
use crate::runtime::random;

/// When a request that failed in passing is repeated, and when it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a request is made at most.
    pub attempts: u32,
    /// No request begins later than this after the first one.
    pub total: Duration,
    /// The longest wait before the second attempt; it doubles with each further one.
    pub first_wait: Duration,
    /// The longest wait before any attempt.
    pub longest_wait: Duration,
    /// How long one request may take, and how long a body may bring nothing.
    pub request_timeout: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 8,
            total: Duration::from_secs(60),
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// The wait after `failed` attempts: between half and all of what doubles each time, so that
    /// clients that failed together do not come back together. `draw` is any number.
    #[must_use]
    pub fn wait(&self, failed: u32, draw: u32) -> Duration {
        let doubled = self.first_wait.saturating_mul(1 << failed.saturating_sub(1).min(20));
        let longest = doubled.min(self.longest_wait);
        let share = 0.5 + f64::from(draw) / f64::from(u32::MAX) / 2.0;
        longest.mul_f64(share)
    }
}

/// The attempts of one request.
#[derive(Debug)]
pub(super) struct Attempts<'s> {
    policy: &'s RetryPolicy,
    place: &'s Place,
    /// What is tried, for people.
    request: &'static str,
    key: &'s str,
    started: Instant,
    failed: u32,
}

impl<'s> Attempts<'s> {
    pub(super) fn new(
        policy: &'s RetryPolicy,
        place: &'s Place,
        request: &'static str,
        key: &'s str,
    ) -> Self {
        Self { policy, place, request, key, started: Instant::now(), failed: 0 }
    }

    /// Makes a request, which ends in time.
    pub(super) async fn bounded<T>(
        &self,
        request: impl Future<Output = object_store::Result<T>> + Send,
    ) -> Result<T, Failure> {
        match timeout(self.policy.request_timeout, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Failure::of(&error)),
            Err(_) => {
                let seconds = self.policy.request_timeout.as_secs_f32();
                Err(Failure::Passing(format!("no answer within {seconds} s")))
            }
        }
    }

    /// Something was achieved: what failed before does not count any more.
    pub(super) fn got_on(&mut self) {
        (self.started, self.failed) = (Instant::now(), 0);
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// What the failure is, when another attempt is of no use or there were enough.
    pub(super) async fn again(&mut self, failure: Failure) -> Result<()> {
        let reason = match failure {
            Failure::Passing(reason) => reason,
            other => return Err(self.error(other)),
        };
        self.failed += 1;
        let wait = self.policy.wait(self.failed, random());
        let elapsed = self.started.elapsed();
        if self.failed >= self.policy.attempts || elapsed + wait > self.policy.total {
            return Err(self.spent(&reason, elapsed));
        }
        tracing::debug!(
            request = self.request,
            key = self.key,
            reason,
            "deep storage is asked again"
        );
        sleep(wait).await;
        Ok(())
    }

    /// What a failure is that no other attempt would mend.
    pub(super) fn error(&self, failure: Failure) -> StorageError {
        match failure {
            Failure::Missing => StorageError::NotFound(self.key.to_owned()),
            Failure::Exists => StorageError::Conflict(self.key.to_owned()),
            Failure::Refused(reason) => StorageError::Refused {
                place: self.place.to_string(),
                reason: format!("{} of '{}': {reason}", self.request, self.key),
            },
            Failure::Unsupported(reason) | Failure::Passing(reason) => StorageError::Unavailable(
                format!("{}: {} of '{}': {reason}", self.place, self.request, self.key),
            ),
        }
    }

    fn spent(&self, reason: &str, elapsed: Duration) -> StorageError {
        StorageError::Unavailable(format!(
            "{}: {} of '{}' failed {} times in {:.1} s, in the end with: {reason}",
            self.place,
            self.request,
            self.key,
            self.failed,
            elapsed.as_secs_f32()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_41_waits_double_up_to_a_bound_and_are_spread_by_chance() {
        let policy = RetryPolicy::default();
        let waits = |draw| (1..=8).map(|failed| policy.wait(failed, draw).as_millis()).collect();
        let longest: Vec<u128> = waits(u32::MAX);
        assert_eq!(longest, [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        let shortest: Vec<u128> = waits(0);
        assert_eq!(shortest, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(policy.wait(u32::MAX, 0).as_millis(), 5_000);
    }

    /// A store that says "slow down" for ten minutes is asked a few times and no more.
    #[tokio::test(start_paused = true)]
    async fn f_41_a_busy_store_is_asked_a_bounded_number_of_times() {
        let (policy, place) = (RetryPolicy::default(), Place::memory());
        let mut attempts = Attempts::new(&policy, &place, "PUT", "k");
        let (started, mut asked) = (Instant::now(), 0);
        let error = loop {
            asked += 1;
            let busy = Failure::Passing("503 SlowDown".into());
            if let Err(error) = attempts.again(busy).await {
                break error;
            }
        };
        assert_eq!(asked, policy.attempts);
        assert!(started.elapsed() < policy.total);
        let told = error.to_string();
        assert!(told.contains("PUT of 'k' failed 8 times") && told.contains("SlowDown"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_an_answer_ends_in_time() {
        let (policy, place) = (RetryPolicy::default(), Place::memory());
        let attempts = Attempts::new(&policy, &place, "PUT", "k");
        let failure = attempts.bounded(std::future::pending::<object_store::Result<()>>()).await;
        assert!(matches!(failure, Err(Failure::Passing(reason)) if reason.contains("30 s")));
    }
}
