//! First, last and any of numbers.

use henge_scan::{Batch, Loaded, Result, SlotId};
use henge_segment::NumericBlock;
use henge_types::OneOf;
use henge_vector::Column;

use super::Times;
use crate::accumulator::{Accumulator, BlockInput};
use crate::merged::{KeptValue, KeptValues, MergedStates};
use crate::table::StateTable;

/// Where numbers and their times are; any value has no time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input {
    pub(super) values: SlotId,
    pub(super) times: Option<SlotId>,
}

/// First, last or any of numbers.
#[derive(Debug)]
pub(super) struct Numbers<V> {
    kept: KeptValues<V>,
    input: Input,
}

/// A type that numbers of any column become.
pub(super) trait Number: KeptValue {
    fn of_long(value: i64) -> Self;
    fn of_double(value: f64) -> Self;
}

impl Number for i64 {
    fn of_long(value: i64) -> Self {
        value
    }
    fn of_double(value: f64) -> Self {
        value as i64
    }
}

impl Number for f64 {
    fn of_long(value: i64) -> Self {
        value as f64
    }
    fn of_double(value: f64) -> Self {
        value
    }
}

impl Number for f32 {
    fn of_long(value: i64) -> Self {
        // By way of a double, as text and expressions go.
        value as f64 as f32
    }
    fn of_double(value: f64) -> Self {
        value as f32
    }
}

impl<V: Number> Numbers<V> {
    pub(super) fn new(which: OneOf, input: Input) -> Self {
        Self { kept: KeptValues::new(which), input }
    }

    #[inline]
    fn add<T: Copy>(
        &mut self,
        batch: &Batch<'_>,
        times: Times<'_>,
        block: &NumericBlock<'_, T>,
        convert: impl Fn(T) -> V,
    ) {
        let kept = &mut self.kept;
        times.visit(batch, |row, group, time_ms| {
            let is_null = block.nulls.is_some_and(|nulls| nulls.is_null(row));
            let value = (!is_null).then(|| convert(block.values.get(row)));
            kept.offer(group, time_ms, value);
        });
    }
}

impl<V: Number> Accumulator for Numbers<V> {
    fn slots(&self) -> Vec<SlotId> {
        std::iter::once(self.input.values).chain(self.input.times).collect()
    }

    fn resize(&mut self, groups: usize) {
        self.kept.resize(groups);
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        let Some(times) = Times::load(self.input.times, input)? else { return Ok(()) };
        match input.loaded.get(self.input.values) {
            Loaded::Long(block) => self.add(batch, times, &block, V::of_long),
            Loaded::Float(block) => {
                self.add(batch, times, &block, |value: f32| V::of_double(f64::from(value)));
            }
            Loaded::Double(block) => self.add(batch, times, &block, V::of_double),
            // Text is read as numbers; what is neither is a column that the segment lacks.
            Loaded::Nothing | Loaded::Ids(_) | Loaded::Multi(_) => {
                let kept = &mut self.kept;
                times.visit(batch, |_, group, time_ms| kept.offer(group, time_ms, None));
            }
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.kept.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<Column> {
        Ok(self.kept.into_column(groups))
    }
}
