//! The order of result rows: several sort keys, then the natural order of the groups, so that an
//! answer never depends on the order in which partials were merged.

use std::cmp::Ordering as Cmp;

use crate::partial::GroupedPartial;

/// Sort keys of all groups, the most significant column first.
#[derive(Debug)]
pub(crate) struct RowOrder<'a> {
    keys: Vec<Vec<u64>>,
    partial: &'a GroupedPartial,
    dimensions_first: bool,
}

impl<'a> RowOrder<'a> {
    /// An order without keys: the natural order of groups, by time then dimensions, or the other
    /// way round.
    pub(crate) fn new(partial: &'a GroupedPartial, dimensions_first: bool) -> Self {
        Self { keys: Vec::new(), partial, dimensions_first }
    }

    /// Appends a column, as keys that `sort_keys` made of it.
    pub(crate) fn push(&mut self, mut keys: Vec<u64>, descending: bool) {
        if descending {
            keys.iter_mut().for_each(|key| *key = !*key);
        }
        self.keys.push(keys);
    }

    /// Appends a column of ascending keys, if there is one.
    pub(crate) fn push_optional(&mut self, keys: Option<Vec<u64>>) {
        self.keys.extend(keys);
    }

    /// Sorts `rows` and keeps the first `count`, in linear time plus sorting those that are kept.
    pub(crate) fn keep_first(&self, rows: &mut Vec<u32>, count: usize) {
        if count < rows.len() {
            *rows = self.first(rows, count);
        }
        rows.sort_unstable_by(|&a, &b| self.compare(a, b));
    }

    /// The first `count` rows, unsorted: one pass that drops whatever comes after the worst row
    /// kept so far, which soon is nearly everything.
    fn first(&self, rows: &[u32], count: usize) -> Vec<u32> {
        let room = count.saturating_mul(2).max(1_024);
        let mut kept: Vec<u32> = Vec::with_capacity(room.min(rows.len()));
        let mut worst: Option<u32> = None;
        let cut = |kept: &mut Vec<u32>| {
            if let Some(last) = count.checked_sub(1).filter(|last| *last < kept.len()) {
                kept.select_nth_unstable_by(last, |&a, &b| self.compare(a, b));
            }
            kept.truncate(count);
        };
        for &row in rows {
            if worst.is_some_and(|worst| self.compare(row, worst).is_gt()) {
                continue;
            }
            kept.push(row);
            if kept.len() == room {
                cut(&mut kept);
                worst = kept.last().copied();
            }
        }
        cut(&mut kept);
        kept
    }

    fn compare(&self, left: u32, right: u32) -> Cmp {
        let (left, right) = (left as usize, right as usize);
        for keys in &self.keys {
            let order = keys[left].cmp(&keys[right]);
            if order.is_ne() {
                return order;
            }
        }
        let starts = &self.partial.bucket_starts;
        let by_time = || starts.get(left).cmp(&starts.get(right));
        if self.dimensions_first {
            self.compare_dimensions(left, right).then_with(by_time)
        } else {
            by_time().then_with(|| self.compare_dimensions(left, right))
        }
    }

    fn compare_dimensions(&self, left: usize, right: usize) -> Cmp {
        self.partial
            .keys
            .iter()
            .map(|keys| keys.compare(left, right))
            .find(|order| order.is_ne())
            .unwrap_or(Cmp::Equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finalise::testing::{longs, partial, text_keys};

    fn sorted(order: &RowOrder<'_>, count: usize) -> Vec<u32> {
        let mut rows: Vec<u32> = (0..order.partial.group_count() as u32).rev().collect();
        order.keep_first(&mut rows, count);
        rows
    }

    #[test]
    fn natural_order_is_time_then_dimensions_null_first() {
        let partial = partial(
            &[2, 1, 1, 1],
            vec![text_keys(&[Some("a"), Some("b"), None, Some("b")]), longs(&[1, 9, 9, 8])],
            vec![],
        );
        assert_eq!(sorted(&RowOrder::new(&partial, false), 9), [2, 3, 1, 0]);
        assert_eq!(sorted(&RowOrder::new(&partial, true), 9), [2, 0, 3, 1]);
    }

    #[test]
    fn keys_come_first_and_ties_fall_back_to_the_natural_order() {
        let partial =
            partial(&[0; 4], vec![text_keys(&[Some("d"), Some("c"), Some("b"), None])], vec![]);
        let mut order = RowOrder::new(&partial, false);
        order.push(vec![5, 7, 7, 7], true);
        assert_eq!(sorted(&order, 9), [3, 2, 1, 0]);
        assert_eq!(sorted(&order, 2), [3, 2]);
        assert_eq!(sorted(&order, 0), [] as [u32; 0]);
    }

    #[test]
    fn the_best_of_many_are_those_that_sorting_would_put_first() {
        // Scattered by an odd factor, with ties.
        let values: Vec<i64> = (0..10_000).map(|n: i64| n * 7_919 % 10_007 / 3).collect();
        let partial = partial(&[0; 10_000], vec![longs(&values)], vec![]);
        let mut order = RowOrder::new(&partial, false);
        order.push((0..10_000).map(|n: u64| n * 31 % 97).collect(), true);
        let all = sorted(&order, usize::MAX);
        for count in [1, 10, 511, 512, 513, 3_000, 9_999] {
            assert_eq!(sorted(&order, count), all[..count], "{count}");
        }
    }
}
