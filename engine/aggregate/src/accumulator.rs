//! What each way of aggregating does with rows: states by group, updated a batch of rows at a time.

use std::ops::Range;

use henge_scan::{Batch, ColumnSet, LoadedBlock, Result, RowSet, SlotId, SlotStats, Window};
use henge_vector::Column;

use crate::group_marks::GroupMarks;
use crate::table::StateTable;

/// Consecutive rows of one time bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Rows of the block.
    pub rows: Range<usize>,
    /// The number of the time bucket.
    pub bucket: u32,
}

/// A window as accumulators see it.
#[derive(Debug)]
pub struct BlockInput<'b> {
    /// Where it is.
    pub window: Window,
    /// Its decoded columns.
    pub loaded: &'b LoadedBlock<'b>,
}

/// States of one aggregator.
pub(crate) trait Accumulator: std::fmt::Debug {
    /// The slots that must be loaded.
    fn slots(&self) -> Vec<SlotId>;
    /// Makes room for groups up to this number; states only grow.
    fn resize(&mut self, groups: usize);
    /// Adds rows. States of fixed width are in the table, others in the accumulator.
    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        states: &mut StateTable,
    ) -> Result<()>;
    /// Adds rows of a block to a group as they are stored, without decoding; false when that is
    /// impossible.
    fn update_packed(
        &mut self,
        _group: u32,
        _block: usize,
        _rows: RowSet<'_>,
        _columns: &ColumnSet<'_>,
        _states: &mut StateTable,
    ) -> Result<bool> {
        Ok(false)
    }
    /// Adds all rows of a block by its statistics; false when they do not suffice.
    fn update_by_stats(
        &mut self,
        _group: u32,
        _rows: usize,
        _stats: &SlotStats,
        _states: &mut StateTable,
    ) -> Result<bool> {
        Ok(false)
    }
    /// Adds so many rows without looking at them; false when they must be looked at.
    fn update_by_count(&mut self, _group: u32, _rows: usize, _states: &mut StateTable) -> bool {
        false
    }
    /// The slot and the state's word of a sum of doubles that needs no flags.
    fn plain_sum(&self) -> Option<(SlotId, usize)> {
        None
    }
    /// Adds marked rows of a window to their groups; false when they must be added row by row.
    fn update_marked(
        &mut self,
        _marks: &GroupMarks,
        _input: &BlockInput<'_>,
        _states: &mut StateTable,
    ) -> Result<bool> {
        Ok(false)
    }
    /// A word of the table that any row makes other than 0.
    fn seen_word(&self) -> Option<usize> {
        None
    }
    /// True when all of its states are in the table.
    fn has_fixed_width(&self) -> bool {
        false
    }
    /// Bytes of the states that are not in the table.
    fn memory_bytes(&self) -> usize;
    /// The states of these groups; of all groups for `None`.
    fn finish(self: Box<Self>, groups: Option<&[u32]>, states: &StateTable) -> Result<Column>;
}
