//! The order of the rows of a segment: by time and dimensions, nulls first.
//!
//! The first column sorts all rows, mostly by time; then ties are sorted, each among themselves,
//! column by column until none is left.

use std::ops::Range;

/// Positions of rows in order, and the ranges of them that are still equal.
#[derive(Debug)]
pub(super) struct Order {
    rows: Vec<u32>,
    ties: Vec<Range<u32>>,
}

impl Order {
    pub(super) fn by_time(times: &[i64]) -> Self {
        let mut rows: Vec<u32> = (0..times.len() as u32).collect();
        if !times.is_sorted() {
            let mut keys: Vec<(i64, u32)> = times.iter().copied().zip(0..).collect();
            keys.sort_unstable();
            rows = keys.into_iter().map(|(_, row)| row).collect();
        }
        let mut order = Self { rows, ties: Vec::new() };
        let whole = 0..times.len() as u32;
        order.split(whole, |a, b| times[a as usize] == times[b as usize]);
        order
    }

    /// Rows as they come, all of them equal so far.
    pub(super) fn of_equals(count: usize) -> Self {
        let whole = 0..count as u32;
        Self { rows: whole.clone().collect(), ties: Vec::from_iter((count > 1).then_some(whole)) }
    }

    /// True when no two rows are equal any more.
    pub(super) fn is_total(&self) -> bool {
        self.ties.is_empty()
    }

    /// Sorts equal rows by a key of theirs.
    pub(super) fn refine_by_key(&mut self, key: impl Fn(usize) -> u64) {
        let mut keys: Vec<(u64, u32)> = Vec::new();
        for tie in std::mem::take(&mut self.ties) {
            let rows = &mut self.rows[tie.start as usize..tie.end as usize];
            keys.clear();
            keys.extend(rows.iter().map(|row| (key(*row as usize), *row)));
            // Rows that stay equal keep the order in which they came.
            keys.sort_unstable();
            rows.iter_mut().zip(&keys).for_each(|(row, (_, sorted))| *row = *sorted);
            let mut start = tie.start;
            for equal in keys.chunk_by(|a, b| a.0 == b.0) {
                let end = start + equal.len() as u32;
                if equal.len() > 1 {
                    self.ties.push(start..end);
                }
                start = end;
            }
        }
    }

    /// Sorts equal rows by comparing them.
    pub(super) fn refine_by(&mut self, compare: impl Fn(usize, usize) -> std::cmp::Ordering) {
        for tie in std::mem::take(&mut self.ties) {
            let rows = &mut self.rows[tie.start as usize..tie.end as usize];
            rows.sort_by(|a, b| compare(*a as usize, *b as usize));
            self.split(tie, |a, b| compare(a as usize, b as usize).is_eq());
        }
    }

    fn split(&mut self, range: Range<u32>, equal: impl Fn(u32, u32) -> bool) {
        let mut start = range.start;
        let rows = &self.rows[range.start as usize..range.end as usize];
        for group in rows.chunk_by(|a, b| equal(*a, *b)) {
            let end = start + group.len() as u32;
            if group.len() > 1 {
                self.ties.push(start..end);
            }
            start = end;
        }
    }

    /// The rows in order; `None` when they are in order as they are.
    pub(super) fn into_rows(self) -> Option<Vec<u32>> {
        let in_place = self.rows.iter().zip(0..).all(|(row, place)| *row == place);
        (!in_place).then_some(self.rows)
    }
}

#[cfg(test)]
mod tests {
    use henge_types::number::{long_order_bits, order_bits};

    use super::*;

    #[test]
    fn rows_in_order_stay_and_others_are_sorted_stably() {
        let order = Order::by_time(&[1, 2, 3]);
        assert!(order.is_total());
        assert_eq!(order.into_rows(), None);
        let first = [1_i64, 0, 1, 1, 0];
        let second = [-1.0, -0.5, -7.0, f64::INFINITY, -0.5];
        let mut order = Order::by_time(&[5, 2, 5, 5, 2]);
        order.refine_by_key(|row| long_order_bits(first[row]));
        order.refine_by_key(|row| order_bits(second[row]));
        assert!(!order.is_total());
        order.refine_by(|a, b| a.cmp(&b));
        assert!(order.is_total());
        assert_eq!(order.into_rows(), Some(vec![1, 4, 2, 0, 3]));
    }

    #[test]
    fn other_columns_can_come_before_the_time() {
        let (first, times) = ([1_i64, 0, 1, 0], [7, 9, 5, 9]);
        let mut order = Order::of_equals(4);
        order.refine_by_key(|row| long_order_bits(first[row]));
        order.refine_by_key(|row| long_order_bits(times[row]));
        assert!(!order.is_total());
        assert_eq!(order.into_rows(), Some(vec![1, 3, 2, 0]));
        assert!(Order::of_equals(1).is_total());
    }
}
