//! Selected rows of a block with the groups they belong to.

use crate::filter::{BlockBits, CompiledFilter, Selection};

/// Selected rows of one block with their groups.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Batch<'b> {
    /// All rows belong to one group.
    One { selection: Selection<'b>, group: u32 },
    /// `groups[row]` is the group of a selected row.
    ByRow { selection: Selection<'b>, groups: &'b [u32] },
    /// `groups[i]` is the group of `rows[i]`: multi-value dimensions put a row in several groups.
    Pairs { rows: &'b [u16], groups: &'b [u32] },
}

impl<'b> Batch<'b> {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::One { selection, .. } | Self::ByRow { selection, .. } => selection.is_empty(),
            Self::Pairs { rows, .. } => rows.is_empty(),
        }
    }

    /// Calls `visit` with each row and its group. One loop a shape; the closure is inlined in each.
    #[inline]
    pub(crate) fn visit(&self, mut visit: impl FnMut(usize, usize)) {
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
    pub(crate) fn try_visit<E>(
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

/// Space for the part of a batch that passes an aggregator's own filter.
#[derive(Debug)]
pub(crate) struct FilteredBatch {
    passing: BlockBits,
    rows: Vec<u16>,
    groups: Vec<u32>,
}

impl FilteredBatch {
    pub(crate) fn new() -> Self {
        Self { passing: BlockBits::new(), rows: Vec::new(), groups: Vec::new() }
    }

    /// The part of the batch that passes the filter.
    pub(crate) fn filter<'s>(
        &'s mut self,
        batch: &Batch<'s>,
        block: usize,
        filter: &'s mut CompiledFilter<'_>,
    ) -> crate::error::Result<Batch<'s>> {
        Ok(match *batch {
            Batch::One { selection, group } => {
                Batch::One { selection: filter.select(block, selection)?, group }
            }
            Batch::ByRow { selection, groups } => {
                Batch::ByRow { selection: filter.select(block, selection)?, groups }
            }
            Batch::Pairs { rows, groups } => {
                let Self { passing, rows: kept_rows, groups: kept_groups } = self;
                Selection::Rows(rows).to_bits(passing);
                filter.select_bits(block, passing)?;
                kept_rows.clear();
                kept_groups.clear();
                for (&row, &group) in rows.iter().zip(groups) {
                    if passing.contains(row as usize) {
                        kept_rows.push(row);
                        kept_groups.push(group);
                    }
                }
                Batch::Pairs { rows: kept_rows, groups: kept_groups }
            }
        })
    }
}
