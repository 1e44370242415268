//! Selected rows of a window with the groups they belong to.

use std::ops::Range;

use crate::filter::CompiledFilter;
use crate::selection::{BlockBits, RowSet, Selection};

/// Selected rows of one window with their groups.
#[derive(Debug, Clone, Copy)]
pub enum Batch<'b> {
    /// All rows belong to one group.
    One {
        /// The rows.
        selection: Selection<'b>,
        /// Their group.
        group: u32,
    },
    /// `groups[row]` is the group of a selected row.
    ByRow {
        /// The rows.
        selection: Selection<'b>,
        /// Groups by row.
        groups: &'b [u32],
    },
    /// `groups[i]` is the group of `rows[i]`: multi-value dimensions put a row in several groups.
    Pairs {
        /// Rows, some more than once.
        rows: &'b [u16],
        /// One a row.
        groups: &'b [u32],
    },
}

impl<'b> Batch<'b> {
    /// True when there is no row.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::One { selection, .. } | Self::ByRow { selection, .. } => selection.is_empty(),
            Self::Pairs { rows, .. } => rows.is_empty(),
        }
    }

    /// Calls `visit` with each row and its group. One loop a shape; the closure is inlined in each.
    #[inline]
    pub fn visit(&self, mut visit: impl FnMut(usize, usize)) {
        match *self {
            Self::One { selection, group } => selection.for_each(|row| visit(row, group as usize)),
            Self::ByRow { selection: Selection::Range { start, end }, groups } => {
                for (offset, &group) in groups[start..end].iter().enumerate() {
                    visit(start + offset, group as usize);
                }
            }
            Self::ByRow { selection: Selection::Rows(rows), groups } => {
                for &row in rows {
                    visit(row as usize, groups[row as usize] as usize);
                }
            }
            Self::Pairs { rows, groups } => {
                for (&row, &group) in rows.iter().zip(groups) {
                    visit(row as usize, group as usize);
                }
            }
        }
    }

    /// As [`Batch::visit`], until `visit` fails.
    #[inline]
    pub fn try_visit<E>(
        &self,
        mut visit: impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut failure = None;
        self.visit(|row, group| {
            if failure.is_none() {
                failure = visit(row, group).err();
            }
        });
        failure.map_or(Ok(()), Err)
    }
}

/// An aggregator's own filter with the rows of the current block that pass it.
#[derive(Debug)]
pub struct OwnFilter<'a> {
    filter: CompiledFilter<'a>,
    passing: BlockBits,
    clipped: BlockBits,
    rows: Vec<u16>,
    groups: Vec<u32>,
}

impl<'a> OwnFilter<'a> {
    /// The filter of an aggregator, before any block.
    pub fn new(filter: CompiledFilter<'a>) -> Self {
        Self {
            filter,
            passing: BlockBits::default(),
            clipped: BlockBits::default(),
            rows: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// Finds the rows of a block that pass.
    pub fn start_block(&mut self, block: usize, rows: RowSet<'_>) -> crate::error::Result<()> {
        if self.filter.is_nothing() {
            self.passing.clear();
        } else {
            self.filter.select(block, rows)?.to_bits(&mut self.passing);
        }
        Ok(())
    }

    /// The passing rows among some of the block.
    pub fn within(&mut self, rows: RowSet<'_>) -> RowSet<'_> {
        let Self { passing, clipped, .. } = self;
        // Batches are spans of the block's selected rows, and so are these.
        RowSet::of(passing).clip(rows.span(), clipped)
    }

    /// The part of a batch that passes; its window starts at a row of the block.
    pub fn batch<'s>(&'s mut self, batch: &Batch<'s>, window_start: usize) -> Batch<'s> {
        let Self { passing, rows: kept, groups: kept_groups, .. } = self;
        match *batch {
            Batch::One { selection, group } => {
                let selection = passing_of(passing, selection, window_start, kept);
                Batch::One { selection, group }
            }
            Batch::ByRow { selection, groups } => {
                let selection = passing_of(passing, selection, window_start, kept);
                Batch::ByRow { selection, groups }
            }
            Batch::Pairs { rows, groups } => {
                kept.clear();
                kept_groups.clear();
                for (&row, &group) in rows.iter().zip(groups) {
                    if passing.contains(window_start + row as usize) {
                        kept.push(row);
                        kept_groups.push(group);
                    }
                }
                Batch::Pairs { rows: kept, groups: kept_groups }
            }
        }
    }
}

/// The selected rows that pass. The passing rows of a selection's span are all selected: they were
/// taken from the block's selected rows, and batches part these into spans.
fn passing_of<'s>(
    passing: &BlockBits,
    selection: Selection<'_>,
    window_start: usize,
    rows: &'s mut Vec<u16>,
) -> Selection<'s> {
    let Range { start, end } = selection.span();
    let first_word = start / 64 * 64;
    passing.positions_within(window_start + first_word..window_start + end, rows);
    let before = rows.partition_point(|&row| (row as usize) < start - first_word);
    rows.drain(..before);
    rows.iter_mut().for_each(|row| *row += first_word as u16);
    Selection::Rows(rows)
}
