//! `quantilesDoublesSketch` over numbers.

use henge_sketch::KllSketch;

use super::batch::Batch;
use super::build::MakeSketch;
use super::distinct_numbers::add_numbers;
use super::sketches::GroupSketches;
use super::{Accumulator, BlockInput, StateTable};
use crate::column::{Loaded, SlotId};
use crate::error::Result;
use crate::group::Scalar;
use crate::partial::StateColumn;

/// Sketches the distribution of a numeric column.
#[derive(Debug)]
pub(super) struct QuantilesAccumulator {
    slot: SlotId,
    sketches: GroupSketches<KllSketch>,
}

impl QuantilesAccumulator {
    pub(super) fn new(name: &str, slot: SlotId, make: MakeSketch<KllSketch>) -> Self {
        Self { slot, sketches: GroupSketches::new(name, make) }
    }
}

impl Accumulator for QuantilesAccumulator {
    fn slots(&self) -> Vec<SlotId> {
        vec![self.slot]
    }

    fn resize(&mut self, groups: usize) {
        self.sketches.resize(groups);
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        let sketches = &mut self.sketches;
        match input.loaded.get(self.slot) {
            Loaded::Long(block) => add_numbers(sketches, batch, &block, Scalar::Long),
            Loaded::Float(block) => {
                add_numbers(sketches, batch, &block, |value| Scalar::Double(f64::from(value)))
            }
            Loaded::Double(block) => add_numbers(sketches, batch, &block, Scalar::Double),
            Loaded::Nothing | Loaded::Ids(_) | Loaded::Multi(_) => Ok(()),
        }
    }

    fn memory_bytes(&self) -> usize {
        self.sketches.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<StateColumn> {
        self.sketches.finish(groups)
    }
}
