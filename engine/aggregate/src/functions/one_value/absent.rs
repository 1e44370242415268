//! First, last and any over a segment that lacks the column: its rows say nothing, as in Druid, so that
//! a metric which was added or removed hides no value of other segments.

use henge_scan::{Batch, Result, SlotId};
use henge_types::OneOf;
use henge_vector::Column;

use crate::accumulator::{Accumulator, BlockInput};
use crate::merged::{KeptValue, KeptValues, MergedStates};
use crate::table::StateTable;

/// States that no row changes.
#[derive(Debug)]
pub(super) struct Absent<V>(KeptValues<V>);

impl<V: KeptValue> Absent<V> {
    pub(super) fn new(which: OneOf) -> Self {
        Self(KeptValues::new(which))
    }
}

impl<V: KeptValue> Accumulator for Absent<V> {
    fn slots(&self) -> Vec<SlotId> {
        Vec::new()
    }

    fn resize(&mut self, groups: usize) {
        self.0.resize(groups);
    }

    fn update(&mut self, _: &Batch<'_>, _: &BlockInput<'_>, _: &mut StateTable) -> Result<()> {
        Ok(())
    }

    fn update_by_count(&mut self, _: u32, _: usize, _: &mut StateTable) -> bool {
        true
    }

    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<Column> {
        Ok(self.0.into_column(groups))
    }
}
