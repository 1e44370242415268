//! What failed, and when it is worth trying again: a failure is never remembered for good.

use std::collections::{BTreeMap, BTreeSet};

use henge_platform::discovery::ServerId;
use henge_types::SegmentId;
use parking_lot::Mutex;

/// Wait before the second attempt; doubles with each failure.
const FIRST_WAIT_MS: u64 = 500;
/// No wait is longer.
const LONGEST_WAIT_MS: u64 = 60_000;

/// A server and a segment that it was asked to load, or to drop.
pub(crate) type Pair = (ServerId, SegmentId);

/// Failures, counted in time that goes on, since the date may be set back by an hour.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    failures: Mutex<BTreeMap<Pair, Failure>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Failure {
    count: u32,
    due_ms: u64,
}

impl Attempts {
    pub(crate) fn failed(&self, pair: Pair, now_ms: u64) {
        let mut failures = self.failures.lock();
        let failure = failures.entry(pair).or_default();
        let wait_ms = (FIRST_WAIT_MS << failure.count.min(16)).min(LONGEST_WAIT_MS);
        failure.count += 1;
        failure.due_ms = now_ms + wait_ms;
    }

    pub(crate) fn succeeded(&self, pair: &Pair) {
        self.failures.lock().remove(pair);
    }

    /// What is not to be tried now.
    pub(crate) fn resting(&self, now_ms: u64) -> BTreeSet<Pair> {
        let failures = self.failures.lock();
        let resting = failures.iter().filter(|(_, failure)| failure.due_ms > now_ms);
        resting.map(|(pair, _)| pair.clone()).collect()
    }

    /// Forgets what nobody will try again.
    pub(crate) fn retain(&self, mut is_wanted: impl FnMut(&Pair) -> bool) {
        self.failures.lock().retain(|pair, _| is_wanted(pair));
    }
}

#[cfg(test)]
mod tests {
    use henge_types::{Interval, Version};

    use super::*;

    #[test]
    fn f_49_a_failed_load_is_tried_again_later_and_later() {
        let attempts = Attempts::default();
        let id = SegmentId::new("d", Interval { start_ms: 0, end_ms: 1 }, Version(1), 0);
        let pair = (ServerId::from("a"), id);
        let is_due = |now_ms| !attempts.resting(now_ms).contains(&pair);
        assert!(is_due(0));
        attempts.failed(pair.clone(), 0);
        assert!(!is_due(499) && is_due(500));
        attempts.failed(pair.clone(), 500);
        assert!(!is_due(1_499) && is_due(1_500));
        attempts.succeeded(&pair);
        assert!(is_due(0));
    }
}
