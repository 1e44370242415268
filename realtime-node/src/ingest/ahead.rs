//! What is published of a partition beyond its committed position (ADR 18).
//!
//! Chunks are handed off one by one: rows of one chunk may wait long after those of the others, and
//! after those of later positions, are published. For ranges of positions this says which times are
//! still waiting; rows of all other times are published and are left out when they are read again. It
//! is told by the times of rows, not by chunks or segments, so it means the same whatever schemas,
//! replaces and drops come in between.

use std::cmp::Ordering;

use henge_platform::metadata::Position;
use henge_types::Interval;
use serde::{Deserialize, Serialize};

use super::source::Order;

/// Ranges of positions in order, none overlapping another. Of positions in none nothing is published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Ahead(Vec<Range>);

/// Positions after `after` up to `up_to`: published but for the rows of the waiting times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredRange", into = "StoredRange")]
struct Range {
    after: Position,
    up_to: Position,
    /// In order, none overlapping another.
    waiting: Vec<Interval>,
}

/// The stored form: the positions, then start and end of each waiting time.
type StoredRange = (Position, Position, Vec<(i64, i64)>);

impl Ahead {
    /// True when nothing is published beyond the position.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// False when ranges are not in order: whoever reads them trusts that they are.
    pub(crate) fn is_ordered(&self, order: Order) -> bool {
        let is_before = |a: &Position, b: &Position| order(a, b) == Ordering::Less;
        let times_are =
            |times: &[Interval]| times.windows(2).all(|two| two[0].end_ms <= two[1].start_ms);
        self.0.windows(2).all(|two| !is_before(&two[1].after, &two[0].up_to))
            && self.0.iter().all(|r| is_before(&r.after, &r.up_to) && times_are(&r.waiting))
    }

    /// The last position of which anything is published.
    pub(crate) fn last(&self) -> Option<&Position> {
        self.0.last().map(|range| &range.up_to)
    }

    /// The times of which the rows of a position are not published; `None` when none of its rows is.
    pub(crate) fn waiting_times(&self, position: &Position, order: Order) -> Option<&[Interval]> {
        let at = self.0.partition_point(|range| order(&range.up_to, position) == Ordering::Less);
        let range = self.0.get(at)?;
        (order(&range.after, position) == Ordering::Less).then_some(&*range.waiting)
    }

    /// Of the positions after `after` up to `up_to` only rows of the `waiting` times are not published
    /// now, and of those only the ones that were not before. The times are in order and do not overlap.
    pub(crate) fn settle(
        &mut self,
        after: &Position,
        up_to: &Position,
        waiting: &[Interval],
        order: Order,
    ) {
        let earlier = |a: &Position, b: &Position| {
            if order(a, b) == Ordering::Greater { b.clone() } else { a.clone() }
        };
        let later = |a: &Position, b: &Position| {
            if order(a, b) == Ordering::Greater { a.clone() } else { b.clone() }
        };
        let mut settled = Self::default();
        let mut next = after.clone();
        for Range { after: first, up_to: last, waiting: before } in std::mem::take(&mut self.0) {
            settled.push(first.clone(), earlier(&last, after), before.clone(), order);
            let (from, to) = (later(&first, after), earlier(&last, up_to));
            if order(&from, &to) == Ordering::Less {
                settled.push(next, from.clone(), waiting.to_vec(), order);
                settled.push(from, to.clone(), common(&before, waiting), order);
                next = to;
            }
            if order(&last, up_to) == Ordering::Greater {
                settled.push(next, up_to.clone(), waiting.to_vec(), order);
                next = up_to.clone();
                settled.push(later(&first, up_to), last, before, order);
            }
        }
        settled.push(next, up_to.clone(), waiting.to_vec(), order);
        *self = settled;
    }

    /// The position is there now: what lies before it needs no saying.
    pub(crate) fn forget_up_to(&mut self, position: &Position, order: Order) {
        self.0.retain(|range| order(&range.up_to, position) == Ordering::Greater);
        if let Some(first) = self.0.first_mut()
            && order(&first.after, position) == Ordering::Less
        {
            first.after = position.clone();
        }
    }

    /// The partition ends there: what was published of later positions is none of its business any
    /// more.
    pub(crate) fn forget_after(&mut self, end: &Position, order: Order) {
        self.0.retain(|range| order(&range.after, end) == Ordering::Less);
        if let Some(last) = self.0.last_mut()
            && order(&last.up_to, end) == Ordering::Greater
        {
            last.up_to = end.clone();
        }
    }

    /// Adds a range behind the others, unless it has no positions.
    fn push(&mut self, after: Position, up_to: Position, waiting: Vec<Interval>, order: Order) {
        if order(&after, &up_to) != Ordering::Less {
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

#[cfg(test)]
mod tests;
