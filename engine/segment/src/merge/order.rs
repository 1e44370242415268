//! The order of the rows of a merge, refined column by column.
//!
//! The first column sorts all rows, mostly by time; then each one sorts the rows that are still equal.
//! A column is thus needed once, alone, and none at all once no two rows are equal. Stable sorts find the runs
//! that sorted inputs leave, so merging sorted segments takes few comparisons.

use henge_types::Interval;

use crate::merge::load::{FromView, NumericRows};
use crate::merge::strings::StringRows;
use henge_types::narrow::narrow;

/// Row numbers count through all views, in the order given.
#[derive(Debug)]
pub(super) struct RowOrder {
    rows: Vec<u32>,
    /// True where a row differs from the one before it: where a group of equal rows starts.
    starts: Vec<bool>,
    start_count: usize,
}

impl RowOrder {
    /// All rows whose time lies in the interval, as one group.
    pub(super) fn new(times: &[i64], interval: Option<Interval>) -> Self {
        let rows: Vec<u32> = match interval {
            None => (0..narrow(times.len())).collect(),
            Some(interval) => {
                let inside = (0_u32..).zip(times).filter(|(_, ms)| interval.contains(**ms));
                inside.map(|(row, _)| row).collect()
            }
        };
        let mut starts = vec![false; rows.len()];
        starts.iter_mut().take(1).for_each(|start| *start = true);
        let start_count = starts.len().min(1);
        Self { rows, starts, start_count }
    }

    pub(super) fn refine_times(&mut self, times: &[i64]) {
        self.refine(
            |rows| rows.sort_by_key(|row| times[*row as usize]),
            |a, b| times[a] == times[b],
        );
    }

    pub(super) fn refine_strings(&mut self, column: &StringRows) {
        match &column.offsets {
            None => {
                let ids = &column.ids;
                self.refine(
                    |rows| rows.sort_by_key(|row| ids[*row as usize]),
                    |a, b| ids[a] == ids[b],
                );
            }
            Some(_) => self.refine(
                |rows| rows.sort_by(|a, b| column.list(*a as usize).cmp(column.list(*b as usize))),
                |a, b| column.list(a) == column.list(b),
            ),
        }
    }

    /// Nulls first, then by value.
    pub(super) fn refine_numbers<T: FromView>(&mut self, column: &NumericRows<T>) {
        let key = |row: usize| column.get(row).map(FromView::sort_key);
        self.refine(|rows| rows.sort_by_key(|row| key(*row as usize)), |a, b| key(a) == key(b));
    }

    /// Sorts each group and starts new ones where neighbours differ.
    fn refine(&mut self, sort: impl Fn(&mut [u32]), equal: impl Fn(usize, usize) -> bool) {
        let mut start = 0;
        while start < self.rows.len() {
            let rest = &self.starts[start + 1..];
            let length = 1 + rest.iter().position(|start| *start).unwrap_or(rest.len());
            let group = &mut self.rows[start..start + length];
            if length > 1 {
                sort(group);
                for (at, pair) in group.windows(2).enumerate() {
                    if !equal(pair[0] as usize, pair[1] as usize) {
                        self.starts[start + at + 1] = true;
                        self.start_count += 1;
                    }
                }
            }
            start += length;
        }
    }

    /// True when no two rows are equal, so that nothing refines the order further.
    pub(super) fn is_total(&self) -> bool {
        self.start_count == self.rows.len()
    }

    /// Makes every row a group of its own: no roll-up.
    pub(super) fn keep_all_rows(&mut self) {
        self.starts.fill(true);
        self.start_count = self.rows.len();
    }

    /// Starts further groups within groups of equal rows, where `fits` says of a row that it cannot be
    /// combined with those before it; `fits` is told which rows start a group.
    pub(super) fn keep_apart(&mut self, mut fits: impl FnMut(usize, bool) -> bool) {
        for (row, start) in self.rows.iter().zip(&mut self.starts) {
            if !fits(*row as usize, *start) && !*start {
                *start = true;
                self.start_count += 1;
            }
        }
    }

    /// Whether rows are combined.
    pub(super) fn combines(&self) -> bool {
        !self.is_total()
    }

    /// Rows of the target.
    pub(super) fn output_rows(&self) -> usize {
        self.start_count
    }

    /// The first row of each group.
    pub(super) fn heads(&self) -> impl Iterator<Item = usize> {
        let starts = self.rows.iter().zip(&self.starts).filter(|(_, start)| **start);
        starts.map(|(row, _)| *row as usize)
    }

    /// The rows of each group.
    pub(super) fn groups(&self) -> Groups<'_> {
        Groups { order: self, next: 0 }
    }
}

/// Iterates over groups of equal rows.
#[derive(Debug)]
pub(super) struct Groups<'a> {
    order: &'a RowOrder,
    next: usize,
}

impl<'a> Iterator for Groups<'a> {
    type Item = &'a [u32];

    fn next(&mut self) -> Option<&'a [u32]> {
        let start = self.next;
        let rest = self.order.starts.get(start + 1..)?;
        let length = 1 + rest.iter().position(|start| *start).unwrap_or(rest.len());
        self.next = start + length;
        self.order.rows.get(start..self.next)
    }
}
