//! An aggregator of a query over one segment: an accumulator behind the aggregator's own filter.

use henge_query::AggregatorSpec;
use henge_scan::{
    Batch, ColumnSet, Columns, CompiledFilter, Loaded, OwnFilter, Result, RowSet, SlotId,
};
use henge_segment::{NumericBlock, NumericValues};
use henge_vector::Column;

use crate::accumulator::{Accumulator, BlockInput};
use crate::function::{Scanned, accumulate};
use crate::group_marks::GroupMarks;
use crate::scatter::PlainSum;
use crate::table::{Layout, StateTable};

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
        let is_filtered = filter.is_some();
        let scanned = Scanned { name: &spec.name, is_filtered, columns, set, layout };
        let accumulator = accumulate(&spec.kind).accumulator(scanned)?;
        let slots = accumulator.slots();
        Ok(Self { filter, accumulator, slots })
    }

    /// A word of the table that is 0 just for groups without rows.
    pub(crate) fn seen_word(&self) -> Option<usize> {
        self.accumulator.seen_word().filter(|_| self.filter.is_none())
    }

    /// The window's values, when each is to be added to its group's sum of doubles.
    pub(crate) fn plain_sum<'b>(&self, input: &BlockInput<'b>) -> Option<PlainSum<'b>> {
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

    /// True when all of its states are in the table, and it costs nothing to make another.
    pub(crate) fn has_fixed_width(&self) -> bool {
        self.filter.is_none() && self.accumulator.has_fixed_width()
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
            [slot] => match set.stats(*slot, block)? {
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
