//! What is published of a log beyond its committed position (ADR 18).
//!
//! Chunks are handed off one by one: rows of one chunk may wait long after those of the others, and
//! after those of later records, are published. For ranges of records this says which times are still
//! waiting; rows of all other times are published and are left out when the log is replayed. It is
//! told by the times of rows, not by chunks or segments, so it means the same whatever schemas,
//! replaces and drops come in between.

use henge_types::Interval;
use serde::{Deserialize, Serialize};

/// Ranges of records in order, none overlapping another. Of records in none nothing is published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ahead(Vec<Range>);

/// Records after `after` up to `up_to`: published but for the rows of the waiting times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredRange", into = "StoredRange")]
struct Range {
    after: u64,
    up_to: u64,
    /// In order, none overlapping another.
    waiting: Vec<Interval>,
}

/// The stored form: the records, then start and end of each waiting time.
type StoredRange = (u64, u64, Vec<(i64, i64)>);

impl Ahead {
    /// True when nothing is published beyond the position.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last record of which anything is published.
    #[must_use]
    pub(crate) fn last_record(&self) -> Option<u64> {
        self.0.last().map(|range| range.up_to)
    }

    /// The times of which a record's rows are not published; `None` when none of its rows is.
    #[must_use]
    pub(crate) fn waiting_times(&self, sequence: u64) -> Option<&[Interval]> {
        let at = self.0.partition_point(|range| range.up_to < sequence);
        self.0.get(at).filter(|range| range.after < sequence).map(|range| &*range.waiting)
    }

    /// Of the records after `after` up to `up_to` only rows of the `waiting` times are not published
    /// now, and of those only the ones that were not before. The times are in order and do not overlap.
    pub(crate) fn settle(&mut self, after: u64, up_to: u64, waiting: &[Interval]) {
        let mut settled = Self::default();
        let mut next = after;
        for Range { after: first, up_to: last, waiting: before } in std::mem::take(&mut self.0) {
            settled.push(first, last.min(after), before.clone());
            let (from, to) = (first.max(after), last.min(up_to));
            if from < to {
                settled.push(next, from, waiting.to_vec());
                settled.push(from, to, common(&before, waiting));
                next = to;
            }
            if last > up_to {
                settled.push(next, up_to, waiting.to_vec());
                next = up_to;
                settled.push(first.max(up_to), last, before);
            }
        }
        settled.push(next, up_to, waiting.to_vec());
        *self = settled;
    }

    /// The position is there now: what lies before it needs no saying.
    pub(crate) fn forget_up_to(&mut self, position: u64) {
        self.0.retain(|range| range.up_to > position);
        if let Some(first) = self.0.first_mut() {
            first.after = first.after.max(position);
        }
    }

    /// The log ends there: what was published of later records is none of its business any more.
    pub(crate) fn forget_after(&mut self, end: u64) {
        self.0.retain(|range| range.after < end);
        if let Some(last) = self.0.last_mut() {
            last.up_to = last.up_to.min(end);
        }
    }

    /// Adds a range behind the others, unless it has no records.
    fn push(&mut self, after: u64, up_to: u64, waiting: Vec<Interval>) {
        if after >= up_to {
            return;
        }
        match self.0.last_mut() {
            Some(last) if last.up_to == after && last.waiting == waiting => last.up_to = up_to,
            _ => self.0.push(Range { after, up_to, waiting }),
        }
    }
}

/// What is in both of two lists of times, each in order.
fn common(a: &[Interval], b: &[Interval]) -> Vec<Interval> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut found = Vec::new();
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        found.extend(x.intersect(y).filter(|both| !both.is_empty()));
        if x.end_ms < y.end_ms {
            a.next();
        } else {
            b.next();
        }
    }
    found
}

impl From<StoredRange> for Range {
    fn from((after, up_to, times): StoredRange) -> Self {
        let interval = |(start_ms, end_ms)| Interval { start_ms, end_ms };
        Self { after, up_to, waiting: times.into_iter().map(interval).collect() }
    }
}

impl From<Range> for StoredRange {
    fn from(range: Range) -> Self {
        let times = range.waiting.iter().map(|times| (times.start_ms, times.end_ms));
        (range.after, range.up_to, times.collect())
    }
}

impl Serialize for Ahead {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Ahead {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ranges = Vec::<Range>::deserialize(deserializer)?;
        // Whoever reads it on trusts the order.
        let is_ordered = ranges.windows(2).all(|two| two[0].up_to <= two[1].after)
            && ranges.iter().all(|range| {
                range.after < range.up_to
                    && range.waiting.windows(2).all(|two| two[0].end_ms <= two[1].start_ms)
            });
        match is_ordered {
            true => Ok(Self(ranges)),
            false => Err(serde::de::Error::custom("ranges of records are not in order")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn times(list: &[(i64, i64)]) -> Vec<Interval> {
        list.iter()
            .map(|(start_ms, end_ms)| Interval { start_ms: *start_ms, end_ms: *end_ms })
            .collect()
    }

    #[test]
    fn golden_form_of_what_is_ahead() {
        let mut ahead = Ahead::default();
        ahead.settle(0, 100, &times(&[(7, 9), (20, 30)]));
        ahead.settle(100, 200, &[]);
        ahead.settle(200, 300, &[]);
        let text = serde_json::to_string(&ahead).unwrap();
        assert_eq!(text, "[[0,100,[[7,9],[20,30]]],[100,300,[]]]");
        assert_eq!(serde_json::from_str::<Ahead>(&text).unwrap(), ahead);
        for wrong in ["[[0,5,[]],[4,9,[]]]", "[[5,5,[]]]", "[[0,5,[[3,9],[5,10]]]]", "[[0]]"] {
            assert!(serde_json::from_str::<Ahead>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn i_01_a_second_life_cuts_records_and_times_otherwise() {
        let mut ahead = Ahead::default();
        // Hour 2 of records 1 to 100 waits, all of 101 to 200 is published.
        ahead.settle(0, 100, &times(&[(2, 3)]));
        ahead.settle(100, 200, &[]);
        // Replayed, one generation has 1 to 150, and publishes what is left in a chunk of a day.
        ahead.settle(0, 150, &times(&[(0, 24)]));
        assert_eq!(ahead.waiting_times(100), Some(&*times(&[(2, 3)])));
        assert_eq!(ahead.waiting_times(101), Some(&[][..]));
        ahead.settle(0, 150, &[]);
        ahead.forget_up_to(150);
        assert_eq!(ahead.waiting_times(150), None);
        assert_eq!((ahead.waiting_times(151), ahead.last_record()), (Some(&[][..]), Some(200)));
        ahead.forget_after(180);
        assert_eq!(ahead.last_record(), Some(180));
        ahead.forget_up_to(180);
        assert!(ahead.is_empty());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Settle(u64, u64, Vec<(i64, i64)>),
        UpTo(u64),
        After(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let waiting = proptest::collection::btree_set(0..12_i64, 0..6);
        let pairs = |set: BTreeSet<i64>| {
            let list: Vec<i64> = set.into_iter().collect();
            list.chunks_exact(2).map(|two| (two[0], two[1])).collect::<Vec<_>>()
        };
        prop_oneof![
            8 => (0..20_u64, 0..20_u64, waiting).prop_map(move |(a, b, set)| {
                Step::Settle(a.min(b), a.max(b), pairs(set))
            }),
            1 => (0..20_u64).prop_map(Step::UpTo),
            1 => (0..20_u64).prop_map(Step::After),
        ]
    }

    proptest! {
        /// A set of (record, time) says the same.
        #[test]
        fn i_01_what_is_ahead_is_a_set_of_rows(steps in proptest::collection::vec(step(), 0..12)) {
            let (mut ahead, mut published) = (Ahead::default(), BTreeSet::new());
            for step in steps {
                match step {
                    Step::Settle(after, up_to, waiting) => {
                        let waiting = times(&waiting);
                        ahead.settle(after, up_to, &waiting);
                        for record in after + 1..=up_to {
                            let is_there = |time: &i64| !waiting.iter().any(|t| t.contains(*time));
                            published.extend((0..12).filter(is_there).map(|time| (record, time)));
                        }
                    }
                    Step::UpTo(position) => {
                        ahead.forget_up_to(position);
                        published.retain(|(record, _)| *record > position);
                    }
                    Step::After(end) => {
                        ahead.forget_after(end);
                        published.retain(|(record, _)| *record <= end);
                    }
                }
                for record in 0..22 {
                    for time in 0..12 {
                        let waiting = ahead.waiting_times(record);
                        let is_there =
                            waiting.is_some_and(|w| !w.iter().any(|t| t.contains(time)));
                        prop_assert_eq!(is_there, published.contains(&(record, time)));
                    }
                }
                let text = serde_json::to_string(&ahead).unwrap();
                prop_assert_eq!(serde_json::from_str::<Ahead>(&text).unwrap(), ahead.clone());
            }
        }
    }
}
