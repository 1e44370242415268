//! When a call is late, and how many calls may be made a second time for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Calls that are remembered.
const REMEMBERED: usize = 128;
/// Fewer say nothing.
const ENOUGH: usize = 20;
/// Of a hundred calls so many were no slower than [`Usual::nearly_all`].
const NEARLY_ALL_PERCENT: usize = 95;
/// Times as long as its peers of the same query did a late call take.
const TIMES_PEERS: u32 = 2;
/// Times as long as any call may take before it is late, while nothing is known to compare it with.
const TIMES_FLOOR: u32 = 20;
/// A second call, in the units of the budget.
const CALL: i64 = 100;
/// Second calls that may be made at once after a while without any.
const MOST_CALLS: i64 = 10;

/// How long calls took lately.
#[derive(Debug, Default)]
pub(crate) struct Usual {
    lately: VecDeque<Duration>,
}

impl Usual {
    /// A call took so long.
    pub(crate) fn observe(&mut self, took: Duration) {
        if self.lately.len() == REMEMBERED {
            self.lately.pop_front();
        }
        self.lately.push_back(took);
    }

    /// The 95th percentile; `None` while too few are known.
    #[must_use]
    pub(crate) fn nearly_all(&self) -> Option<Duration> {
        if self.lately.len() < ENOUGH {
            return None;
        }
        let mut sorted: Vec<Duration> = self.lately.iter().copied().collect();
        let place = (sorted.len() * NEARLY_ALL_PERCENT / 100).min(sorted.len() - 1);
        Some(*sorted.select_nth_unstable(place).1)
    }
}

/// How long after its start a call is late: it takes longer than nearly all did, and twice as long as
/// `peers`, the calls of the same query that were answered, if there are some; never before `floor`, and
/// much later when nothing is known to compare it with.
#[must_use]
pub(crate) fn late_after(floor: Duration, usual: Option<Duration>, peers: &[Duration]) -> Duration {
    let mut sorted = peers.to_vec();
    sorted.sort_unstable();
    let of_peers = sorted.get(sorted.len() / 2).map(|median| *median * TIMES_PEERS);
    usual.max(of_peers).unwrap_or(floor * TIMES_FLOOR).max(floor)
}

/// How many calls may be made a second time: a share of those that are made, so that replicas are never
/// flooded because everything is slow.
#[derive(Debug)]
pub(crate) struct Budget {
    percent: i64,
    left: AtomicI64,
}

impl Budget {
    /// So many of a hundred calls; 0 for none.
    #[must_use]
    pub(crate) fn new(percent: u32) -> Self {
        let percent = i64::from(percent.min(100));
        let most = if percent == 0 { 0 } else { MOST_CALLS * CALL };
        Self { percent, left: AtomicI64::new(most) }
    }

    /// True unless there is none at all.
    #[must_use]
    pub(crate) fn is_any(&self) -> bool {
        self.percent > 0
    }

    /// A call was made for the first time.
    pub(crate) fn earn(&self) {
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            Some((left + self.percent).min(MOST_CALLS * CALL)).filter(|_| self.percent > 0)
        });
    }

    /// Takes what `calls` second calls cost; false when there is not enough left.
    #[must_use]
    pub(crate) fn spend(&self, calls: usize) -> bool {
        let cost = i64::try_from(calls).unwrap_or(i64::MAX).saturating_mul(CALL);
        let spend = |left: i64| left.checked_sub(cost).filter(|left| *left >= 0);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn f_60_late_is_what_takes_longer_than_nearly_all_and_than_its_peers() {
        assert_eq!(late_after(ms(100), None, &[]), ms(2_000));
        assert_eq!(late_after(ms(100), Some(ms(40)), &[]), ms(100));
        assert_eq!(late_after(ms(100), Some(ms(400)), &[]), ms(400));
        // A heavy query is slow on all nodes.
        let heavy = [ms(3_000), ms(2_800), ms(3_100)];
        assert_eq!(late_after(ms(100), Some(ms(40)), &heavy), ms(6_000));
        assert_eq!(late_after(ms(100), None, &[ms(1)]), ms(100));
    }

    #[test]
    fn nearly_all_is_known_once_enough_are() {
        let mut usual = Usual::default();
        for millis in 1..ENOUGH as u64 {
            usual.observe(ms(millis));
            assert_eq!(usual.nearly_all(), None);
        }
        usual.observe(ms(ENOUGH as u64));
        assert_eq!(usual.nearly_all(), Some(ms(20)));
        for _ in 0..2 * REMEMBERED {
            usual.observe(ms(5));
        }
        assert_eq!((usual.nearly_all(), usual.lately.len()), (Some(ms(5)), REMEMBERED));
    }

    #[test]
    fn f_60_second_calls_are_a_share_of_all() {
        let budget = Budget::new(5);
        let mut second = 0;
        for _ in 0..10_000 {
            budget.earn();
            second += i64::from(budget.spend(1));
        }
        assert!((500..=500 + MOST_CALLS).contains(&second), "{second}");
        assert!(!budget.spend(1) && !budget.spend(usize::MAX));
        let none = Budget::new(0);
        none.earn();
        assert!(!none.is_any() && !none.spend(1));
    }
}
