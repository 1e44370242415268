//! Aggregators: states by group, updated a batch of rows at a time.

mod batch;
mod build;
mod cardinality;
mod count;
mod distinct;
mod kernels;
mod numeric;
mod quantiles;
mod sketches;

use henge_query::AggregatorSpec;

use crate::column::{ColumnSet, Columns, LoadedBlock, SlotId, SlotStats};
use crate::error::Result;
use crate::filter::CompiledFilter;
use crate::partial::StateColumn;

pub(crate) use batch::Batch;
use batch::FilteredBatch;

/// A block as accumulators see it.
#[derive(Debug)]
pub(crate) struct BlockInput<'b> {
    /// Its number.
    pub(crate) block: usize,
    /// Its decoded columns.
    pub(crate) loaded: &'b LoadedBlock<'b>,
}

/// States of one aggregator.
pub(crate) trait Accumulator: std::fmt::Debug {
    /// The slots that must be loaded.
    fn slots(&self) -> Vec<SlotId>;
    /// Makes room for groups up to this number; states only grow.
    fn resize(&mut self, groups: usize);
    /// Adds rows.
    fn update(&mut self, batch: &Batch<'_>, input: &BlockInput<'_>) -> Result<()>;
    /// Adds all rows of a block by its statistics; false when they do not suffice.
    fn update_by_stats(&mut self, _: u32, _: usize, _: &SlotStats) -> Result<bool> {
        Ok(false)
    }
    /// Adds so many rows without looking at them; false when they must be looked at.
    fn update_by_count(&mut self, _: u32, _: usize) -> bool {
        false
    }
    /// Bytes of the states.
    fn memory_bytes(&self) -> usize;
    /// The states of these groups; of all groups for `None`.
    fn finish(self: Box<Self>, groups: Option<&[u32]>) -> Result<StateColumn>;
}

/// An aggregator over one segment: its states and its own filter.
#[derive(Debug)]
pub(crate) struct Aggregator<'a> {
    filter: Option<(CompiledFilter<'a>, FilteredBatch)>,
    accumulator: Box<dyn Accumulator + 'a>,
    slots: Vec<SlotId>,
}

impl<'a> Aggregator<'a> {
    pub(crate) fn new(
        spec: &'a AggregatorSpec,
        columns: &Columns<'a>,
        set: &mut ColumnSet<'a>,
    ) -> Result<Self> {
        let filter = match &spec.filter {
            None => None,
            Some(filter) => {
                let compiled = CompiledFilter::new(Some(filter), columns)?;
                (!compiled.is_everything()).then(|| (compiled, FilteredBatch::new()))
            }
        };
        let accumulator = build::accumulator(spec, filter.is_some(), columns, set)?;
        let slots = accumulator.slots();
        Ok(Self { filter, accumulator, slots })
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

    /// Adds all rows of a block to a group without decoding it; false when that is impossible.
    pub(crate) fn update_by_stats(
        &mut self,
        group: u32,
        block: usize,
        rows: usize,
        set: &ColumnSet<'_>,
    ) -> Result<bool> {
        if self.filter.is_some() {
            return Ok(false);
        }
        match self.slots.as_slice() {
            [] => Ok(self.accumulator.update_by_count(group, rows)),
            [slot] => match set.stats(*slot, block)? {
                Some(stats) => self.accumulator.update_by_stats(group, rows, &stats),
                None => Ok(false),
            },
            _ => Ok(false),
        }
    }

    pub(crate) fn update(&mut self, batch: &Batch<'_>, input: &BlockInput<'_>) -> Result<()> {
        match &mut self.filter {
            None => self.accumulator.update(batch, input),
            Some((filter, _)) if filter.is_nothing() => Ok(()),
            Some((filter, space)) => {
                let passing = space.filter(batch, input.block, filter)?;
                if passing.is_empty() {
                    return Ok(());
                }
                self.accumulator.update(&passing, input)
            }
        }
    }

    pub(crate) fn finish(self, groups: Option<&[u32]>) -> Result<StateColumn> {
        self.accumulator.finish(groups)
    }
}

/// The entries of these groups; all of them for `None`.
pub(super) fn gather<T: Copy>(states: Vec<T>, groups: Option<&[u32]>) -> Vec<T> {
    match groups {
        None => states,
        Some(groups) => groups.iter().map(|&group| states[group as usize]).collect(),
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

/// Flags of these groups.
pub(super) fn gather_flags(flags: Vec<u8>, groups: Option<&[u32]>) -> Vec<bool> {
    gather(flags, groups).into_iter().map(|flag| flag != 0).collect()
}
