//! Sums, minima and maxima.

use henge_segment::{NumericBlock, NumericSum};

use super::batch::Batch;
use super::kernels::{Input, Op, fold_block, scatter, scatter_nullable};
use super::{Accumulator, BlockInput, gather, gather_flags};
use crate::column::{Loaded, SlotId, SlotStats};
use crate::error::{ExecError, Result};
use crate::partial::StateColumn;

/// What distinguishes one numeric aggregation from another, beside the operation.
pub(crate) trait NumericState: Op {
    /// Adds the values of a block.
    fn update(states: &mut NumericStates<Self>, batch: &Batch<'_>, input: Loaded<'_>) -> bool
    where
        Self: Sized;
    /// The fold of a whole block as its statistics say it, when they can.
    fn of_stats(stats: &SlotStats) -> Option<Self::Wide>;
    /// The finished column.
    fn column(states: Vec<Self::State>, valid: Option<Vec<bool>>, float: bool) -> StateColumn;
}

/// States by group, and which groups got a value.
#[derive(Debug)]
pub(crate) struct NumericStates<O: Op> {
    states: Vec<O::State>,
    valid: Vec<u8>,
}

impl<O: Op> NumericStates<O> {
    fn update<T: Input<O::State>>(
        &mut self,
        batch: &Batch<'_>,
        block: NumericBlock<'_, T>,
        track: bool,
    ) -> bool {
        let Self { states, valid } = self;
        match (batch, block.nulls) {
            (Batch::One { selection, group }, nulls) => {
                let (wide, count) = fold_block::<O, T>(*selection, block.values, nulls);
                self.add_fold(*group as usize, wide, count)
            }
            (batch, None) => {
                if track {
                    batch.visit(|_, group| valid[group] = 1);
                }
                scatter::<O, T>(states, batch, block.values)
            }
            (batch, Some(nulls)) => {
                scatter_nullable::<O, T>(states, valid, batch, block.values, nulls)
            }
        }
    }

    fn add_fold(&mut self, group: usize, wide: O::Wide, count: usize) -> bool {
        if count == 0 {
            return false;
        }
        if let Some(valid) = self.valid.get_mut(group) {
            *valid = 1;
        }
        O::add_wide(&mut self.states[group], wide)
    }
}

/// An accumulator of one numeric aggregation.
#[derive(Debug)]
pub(crate) struct NumericAccumulator<O: Op> {
    name: String,
    slot: SlotId,
    /// False when every group is certain to have a value: then none is marked.
    track_valid: bool,
    float: bool,
    data: NumericStates<O>,
}

impl<O: Op> NumericAccumulator<O> {
    pub(crate) fn new(name: &str, slot: SlotId, track_valid: bool, float: bool) -> Self {
        let data = NumericStates { states: Vec::new(), valid: Vec::new() };
        Self { name: name.to_owned(), slot, track_valid, float, data }
    }

    fn overflow(&self) -> ExecError {
        ExecError::Invalid(format!(
            "aggregator '{}': the sum is beyond 64 bits: use doubleSum",
            self.name
        ))
    }
}

macro_rules! numeric_state {
    ($op:ident, $state:ty, |$states:ident, $valid:ident, $float:ident| $column:expr, |$stats:ident| $of_stats:expr) => {
        impl NumericState for super::kernels::$op {
            fn update(
                data: &mut NumericStates<Self>,
                batch: &Batch<'_>,
                input: Loaded<'_>,
            ) -> bool {
                let track = !data.valid.is_empty();
                match input {
                    Loaded::Long(block) => data.update(batch, block, track),
                    Loaded::Float(block) => data.update(batch, block, track),
                    Loaded::Double(block) => data.update(batch, block, track),
                    Loaded::Nothing | Loaded::Ids(_) | Loaded::Multi(_) => false,
                }
            }

            fn of_stats($stats: &SlotStats) -> Option<Self::Wide> {
                $of_stats
            }

            fn column(
                $states: Vec<$state>,
                $valid: Option<Vec<bool>>,
                $float: bool,
            ) -> StateColumn {
                $column
            }
        }
    };
}

numeric_state!(
    LongSum,
    i64,
    |values, valid, _float| StateColumn::Long { values, valid },
    |stats| match stats {
        SlotStats::Long(stats) => match stats.sum? {
            NumericSum::Long(sum) => Some(i128::from(sum)),
            NumericSum::Double(_) => None,
        },
        _ => None,
    }
);
numeric_state!(
    LongMin,
    i64,
    |values, valid, _float| StateColumn::Long { values, valid },
    |stats| match stats {
        SlotStats::Long(stats) => Some(stats.min),
        _ => None,
    }
);
numeric_state!(
    LongMax,
    i64,
    |values, valid, _float| StateColumn::Long { values, valid },
    |stats| match stats {
        SlotStats::Long(stats) => Some(stats.max),
        _ => None,
    }
);
numeric_state!(
    DoubleSum,
    f64,
    |values, valid, float| StateColumn::Double { values, valid, float },
    |stats| match stats {
        SlotStats::Long(_) => None,
        SlotStats::Float(henge_segment::NumericStats { sum, .. })
        | SlotStats::Double(henge_segment::NumericStats { sum, .. }) => match (*sum)? {
            NumericSum::Double(sum) => Some(sum),
            NumericSum::Long(_) => None,
        },
    }
);
numeric_state!(
    DoubleMin,
    f64,
    |values, valid, float| StateColumn::Double { values, valid, float },
    |stats| match stats {
        SlotStats::Long(stats) => Some(stats.min as f64),
        SlotStats::Float(stats) => Some(f64::from(stats.min)),
        SlotStats::Double(stats) => Some(stats.min),
    }
);
numeric_state!(
    DoubleMax,
    f64,
    |values, valid, float| StateColumn::Double { values, valid, float },
    |stats| match stats {
        SlotStats::Long(stats) => Some(stats.max as f64),
        SlotStats::Float(stats) => Some(f64::from(stats.max)),
        SlotStats::Double(stats) => Some(stats.max),
    }
);

impl<O: NumericState> Accumulator for NumericAccumulator<O> {
    fn slots(&self) -> Vec<SlotId> {
        vec![self.slot]
    }

    fn resize(&mut self, groups: usize) {
        self.data.states.resize(groups, O::START);
        if self.track_valid {
            self.data.valid.resize(groups, 0);
        }
    }

    fn update(&mut self, batch: &Batch<'_>, input: &BlockInput<'_>) -> Result<()> {
        if O::update(&mut self.data, batch, input.loaded.get(self.slot)) {
            return Err(self.overflow());
        }
        Ok(())
    }

    fn update_by_stats(&mut self, group: u32, rows: usize, stats: &SlotStats) -> Result<bool> {
        let nulls = match stats {
            SlotStats::Long(stats) => stats.null_count,
            SlotStats::Float(stats) => stats.null_count,
            SlotStats::Double(stats) => stats.null_count,
        };
        let count = rows.saturating_sub(nulls as usize);
        if count == 0 {
            return Ok(true);
        }
        let Some(wide) = O::of_stats(stats) else { return Ok(false) };
        if self.data.add_fold(group as usize, wide, count) {
            return Err(self.overflow());
        }
        Ok(true)
    }

    fn memory_bytes(&self) -> usize {
        self.data.states.capacity() * size_of::<O::State>() + self.data.valid.capacity()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>) -> Result<StateColumn> {
        let Self { track_valid, float, data, .. } = *self;
        let valid = track_valid.then(|| gather_flags(data.valid, groups));
        let valid = valid.filter(|valid| valid.iter().any(|valid| !valid));
        Ok(O::column(gather(data.states, groups), valid, float))
    }
}
