//! [`TimeSet`]: the times at which a condition can hold.

use henge_types::{Interval, MAX_TIME_MS, MIN_TIME_MS, condense};

/// More intervals than this are not worth the time to look at them for each segment.
const MOST_INTERVALS: usize = 10_000;

/// Times, and whether the condition holds at all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeSet {
    /// Ascending, none of them empty, none beside another.
    pub(super) intervals: Vec<Interval>,
    /// False when the condition may also fail at these times.
    pub(super) exact: bool,
}

impl TimeSet {
    /// What is known of a condition that does not speak of time.
    pub(super) fn unknown() -> Self {
        Self { intervals: vec![Interval::ETERNITY], exact: false }
    }

    /// Always or never.
    pub(super) fn constant(holds: bool) -> Self {
        let intervals = if holds { vec![Interval::ETERNITY] } else { Vec::new() };
        Self { intervals, exact: true }
    }

    /// From the first millisecond until before the second one; `None` is without end.
    pub(super) fn span(start_ms: Option<i64>, end_ms: Option<i64>) -> Self {
        let start_ms = start_ms.unwrap_or(MIN_TIME_MS).clamp(MIN_TIME_MS, MAX_TIME_MS);
        let end_ms = end_ms.unwrap_or(MAX_TIME_MS).clamp(MIN_TIME_MS, MAX_TIME_MS);
        let span = Interval { start_ms, end_ms: end_ms.max(start_ms) };
        Self { intervals: condense(vec![span]), exact: true }
    }

    /// Where both hold.
    pub(super) fn and(self, other: &Self) -> Self {
        let (mut left, mut right) = (0, 0);
        let mut common = Vec::new();
        while let (Some(a), Some(b)) = (self.intervals.get(left), other.intervals.get(right)) {
            common.extend(a.intersect(b).filter(|both| !both.is_empty()));
            if a.end_ms <= b.end_ms { left += 1 } else { right += 1 }
        }
        Self { intervals: common, exact: self.exact && other.exact }
    }

    /// Where one of them holds.
    pub(super) fn any(sets: Vec<Self>) -> Self {
        let exact = sets.iter().all(|set| set.exact);
        let intervals = condense(sets.into_iter().flat_map(|set| set.intervals).collect());
        match (intervals.first(), intervals.last()) {
            (Some(first), Some(last)) if intervals.len() > MOST_INTERVALS => {
                Self { intervals: vec![first.span(last)], exact: false }
            }
            _ => Self { intervals, exact },
        }
    }

    /// Where it does not hold. A time is never null, so that nothing is unknown.
    pub(super) fn not(self) -> Self {
        if !self.exact {
            return Self::unknown();
        }
        let mut rest = Vec::new();
        let mut start_ms = MIN_TIME_MS;
        for interval in &self.intervals {
            rest.push(Interval { start_ms, end_ms: interval.start_ms });
            start_ms = interval.end_ms;
        }
        rest.push(Interval { start_ms, end_ms: MAX_TIME_MS });
        Self { intervals: condense(rest), exact: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start_ms: i64, end_ms: i64) -> TimeSet {
        TimeSet::span(Some(start_ms), Some(end_ms))
    }

    fn ends(set: &TimeSet) -> Vec<(i64, i64)> {
        set.intervals.iter().map(|interval| (interval.start_ms, interval.end_ms)).collect()
    }

    #[test]
    fn sets_combine_as_conditions_do() {
        let either = TimeSet::any(vec![span(0, 10), span(20, 30), span(10, 12)]);
        assert_eq!(ends(&either), [(0, 12), (20, 30)]);
        assert_eq!(ends(&either.clone().and(&span(5, 25))), [(5, 12), (20, 25)]);
        assert_eq!(ends(&either.clone().not()), [(MIN_TIME_MS, 0), (12, 20), (30, MAX_TIME_MS)]);
        assert_eq!(either.clone().not().not(), either);
        assert_eq!(ends(&span(7, 7)), []);
        assert_eq!(span(9, 3), TimeSet::constant(false));
    }

    #[test]
    fn what_is_not_exact_only_narrows() {
        let mixed = span(0, 10).and(&TimeSet::unknown());
        assert_eq!((ends(&mixed), mixed.exact), (vec![(0, 10)], false));
        assert_eq!(mixed.clone().not(), TimeSet::unknown());
        let either = TimeSet::any(vec![mixed, span(20, 30)]);
        assert_eq!((ends(&either), either.exact), (vec![(0, 10), (20, 30)], false));
    }
}
