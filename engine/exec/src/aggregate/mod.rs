//! Aggregators: states by group, updated a batch of rows at a time.

mod build;
mod cardinality;
mod carry;
mod count;
mod distinct;
mod group_marks;
mod kernels;
mod marks;
mod number_sketches;
mod numeric;
mod scatter;
mod set;
mod sketch_kind;
mod sketches;
mod stored_sketches;
mod table;

use std::ops::Range;

use henge_query::AggregatorSpec;
use henge_segment::{NumericBlock, NumericValues};
use henge_vector::Column;

use crate::batch::{Batch, OwnFilter};
use crate::column::{ColumnSet, Columns, Loaded, LoadedBlock, SlotId, SlotStats, Window};
use crate::error::Result;
use crate::filter::CompiledFilter;
use crate::selection::RowSet;

pub(crate) use group_marks::GroupMarks;
use scatter::PlainSum;
pub(crate) use set::Aggregators;
use table::{Layout, StateTable};

/// Consecutive rows of one time bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) rows: Range<usize>,
    pub(crate) bucket: u32,
}

/// A window as accumulators see it.
#[derive(Debug)]
pub(crate) struct BlockInput<'b> {
    /// Where it is.
    pub(crate) window: Window,
    /// Its decoded columns.
    pub(crate) loaded: &'b LoadedBlock<'b>,
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
    /// Bytes of the states that are not in the table.
    fn memory_bytes(&self) -> usize;
    /// The states of these groups; of all groups for `None`.
    fn finish(self: Box<Self>, groups: Option<&[u32]>, states: &StateTable) -> Result<Column>;
}

/// An aggregator over one segment: its states and its own filter.
#[derive(Debug)]
pub(crate) struct Aggregator<'a> {
    filter: Option<OwnFilter<'a>>,
    accumulator: Box<dyn Accumulator + 'a>,
    slots: Vec<SlotId>,
}

impl<'a> Aggregator<'a> {
    pub(crate) fn new(
        spec: &'a AggregatorSpec,
        columns: &Columns<'a>,
        set: &mut ColumnSet<'a>,
        layout: &mut Layout,
    ) -> Result<Self> {
        let filter = match &spec.filter {
            None => None,
            Some(filter) => {
                let compiled = CompiledFilter::new(Some(filter), columns)?;
                (!compiled.is_everything()).then(|| OwnFilter::new(compiled))
            }
        };
        let accumulator = build::accumulator(spec, filter.is_some(), columns, set, layout)?;
        let slots = accumulator.slots();
        Ok(Self { filter, accumulator, slots })
    }

    /// A word of the table that is 0 just for groups without rows.
    fn seen_word(&self) -> Option<usize> {
        self.accumulator.seen_word().filter(|_| self.filter.is_none())
    }

    /// The window's values, when each is to be added to its group's sum of doubles.
    fn plain_sum<'b>(&self, input: &BlockInput<'b>) -> Option<PlainSum<'b>> {
        let unfiltered = self.filter.is_none();
        let (slot, word) = self.accumulator.plain_sum().filter(|_| unfiltered)?;
        match input.loaded.get(slot) {
            Loaded::Double(NumericBlock { values: NumericValues::Slice(values), nulls: None }) => {
                Some(PlainSum { values, word })
            }
            _ => None,
        }
    }

    /// The slots that must be loaded.
    pub(crate) fn slots(&self) -> &[SlotId] {
        &self.slots
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.accumulator.memory_bytes()
    }

    pub(crate) fn resize(&mut self, groups: usize) {
        self.accumulator.resize(groups);
    }

    /// Prepares for the selected rows of a block.
    pub(crate) fn start_block(&mut self, block: usize, rows: RowSet<'_>) -> Result<()> {
        self.filter.as_mut().map_or(Ok(()), |filter| filter.start_block(block, rows))
    }

    /// Adds all rows of a block to a group without decoding it; false when that is impossible.
    pub(crate) fn update_by_stats(
        &mut self,
        group: u32,
        block: usize,
        rows: usize,
        set: &ColumnSet<'_>,
        states: &mut StateTable,
    ) -> Result<bool> {
        if self.filter.is_some() {
            return Ok(false);
        }
        match self.slots.as_slice() {
            [] => Ok(self.accumulator.update_by_count(group, rows, states)),
            [slot] => match set.slot(*slot).stats(block)? {
                Some(stats) => self.accumulator.update_by_stats(group, rows, &stats, states),
                None => Ok(false),
            },
            _ => Ok(false),
        }
    }

    /// Adds the selected rows of a block to a group as they are stored; false when that is
    /// impossible.
    pub(crate) fn update_packed(
        &mut self,
        group: u32,
        block: usize,
        rows: RowSet<'_>,
        set: &ColumnSet<'_>,
        states: &mut StateTable,
    ) -> Result<bool> {
        match &mut self.filter {
            None => self.accumulator.update_packed(group, block, rows, set, states),
            Some(filter) => {
                let rows = filter.within(rows);
                self.accumulator.update_packed(group, block, rows, set, states)
            }
        }
    }

    /// Adds a batch of the block that was started last.
    pub(crate) fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        states: &mut StateTable,
    ) -> Result<()> {
        match &mut self.filter {
            None => self.accumulator.update(batch, input, states),
            Some(filter) => {
                let passing = filter.batch(batch, input.window.start());
                if passing.is_empty() {
                    return Ok(());
                }
                self.accumulator.update(&passing, input, states)
            }
        }
    }

    /// Adds marked rows of a window; false when they must be added row by row.
    pub(crate) fn update_marked(
        &mut self,
        marks: &GroupMarks,
        input: &BlockInput<'_>,
        states: &mut StateTable,
    ) -> Result<bool> {
        match &self.filter {
            None => self.accumulator.update_marked(marks, input, states),
            Some(_) => Ok(false),
        }
    }

    pub(crate) fn finish(self, groups: Option<&[u32]>, states: &StateTable) -> Result<Column> {
        self.accumulator.finish(groups, states)
    }
}

/// The entries of these groups, moved out; groups ascend.
pub(super) fn gather_owned<T>(
    mut states: Vec<Option<T>>,
    groups: Option<&[u32]>,
) -> Vec<Option<T>> {
    match groups {
        None => states,
        Some(groups) => {
            groups.iter().map(|&group| states.get_mut(group as usize)?.take()).collect()
        }
    }
}
