//! Sums, minima and maxima.

use henge_scan::{Batch, BlockBits, ColumnSet, Loaded, Result, RowSet, SlotId, SlotStats};
use henge_segment::{NumericBlock, NumericSum, NumericValues, PackedBlock};
use henge_vector::Column;

use crate::accumulator::{Accumulator, BlockInput};
use crate::carry::Carries;
use crate::fold::fold_block;
use crate::group_marks::GroupMarks;
use crate::kernels::{Input, Op};
use crate::number::Number;
use crate::scatter::{scatter, scatter_nullable};
use crate::table::{Place, StateTable};

/// What distinguishes one numeric aggregation from another, beside the operation.
pub(crate) trait NumericState: Op {
    /// Adds the values of a window; true when a state of several wrapped around, or that of one is as
    /// it was and would have.
    fn update(states: &mut StateTable, place: Place, batch: &Batch<'_>, input: Loaded<'_>) -> bool;
    /// The values of a window as states, when they lie so and none is null.
    fn plain_values<'b>(input: Loaded<'b>) -> Option<&'b [Self::State]>;
    /// The fold of a whole block as its statistics say it, when they can.
    fn of_stats(stats: &SlotStats) -> Option<Self::Wide>;
    /// False when packed values must be decoded.
    fn takes_packed(packed: &PackedBlock<'_>) -> bool;
    /// The fold of rows of a block, none of them null, as they are stored; `None` of no rows.
    fn of_packed(packed: &PackedBlock<'_>, rows: RowSet<'_>) -> Option<Self::Wide>;
}

fn update<O: Op, T: Input<O::State>>(
    states: &mut StateTable,
    place: Place,
    batch: &Batch<'_>,
    block: NumericBlock<'_, T>,
) -> bool {
    match (batch, block.nulls) {
        (Batch::One { selection, group }, nulls) => {
            let (wide, count) = fold_block::<O, T>(*selection, block.values, nulls);
            add_fold::<O>(states, place, *group as usize, wide, count)
        }
        (batch, None) => scatter::<O, T>(states, place, batch, block.values),
        (batch, Some(nulls)) => scatter_nullable::<O, T>(states, place, batch, block.values, nulls),
    }
}

/// Adds a fold of so many values to a group; true when the state would have overflowed.
fn add_fold<O: Op>(
    states: &mut StateTable,
    place: Place,
    group: usize,
    wide: O::Wide,
    count: usize,
) -> bool {
    if count == 0 {
        return false;
    }
    if let Some((word, bit)) = place.valid {
        *states.word_mut(group, word) |= bit;
    }
    let word = states.word_mut(group, place.state);
    let mut state = O::of_word(*word);
    let overflow = O::add_wide(&mut state, wide);
    *word = O::to_word(state);
    overflow
}

/// The exact sum of the rows' integers.
fn packed_sum(packed: &PackedBlock<'_>, rows: RowSet<'_>) -> i128 {
    match rows {
        RowSet::Range { start, end } => packed.ints.sum(start..end),
        RowSet::Bits { bits, .. } => packed.ints.sum_selected(bits.words()),
    }
}

/// The smallest and the largest integer of the rows, of which there is one at least.
fn packed_ends(packed: &PackedBlock<'_>, rows: RowSet<'_>) -> Option<(i64, i64)> {
    match rows {
        RowSet::Range { start, end } => packed.ints.min_max(start..end),
        RowSet::Bits { bits, .. } => {
            let mut ends: Option<(u32, u32)> = None;
            bits.for_each(|row| {
                let residual = packed.ints.residual(row);
                let (low, high) = ends.unwrap_or((residual, residual));
                ends = Some((low.min(residual), high.max(residual)));
            });
            ends.map(|(low, high)| (packed.ints.integer(low), packed.ints.integer(high)))
        }
    }
}

/// What a numeric aggregator reads and where it keeps its states.
#[derive(Debug)]
pub(crate) struct NumericInput {
    pub(crate) slot: SlotId,
    pub(crate) place: Place,
    /// True when every value is above 0.
    pub(crate) positive: bool,
    /// True when the result is a FLOAT.
    pub(crate) float: bool,
}

/// An accumulator of one numeric aggregation.
#[derive(Debug)]
pub(crate) struct NumericAccumulator<O: Op> {
    input: NumericInput,
    not_null: BlockBits,
    carries: Carries,
    op: std::marker::PhantomData<O>,
}

impl<O: NumericState> NumericAccumulator<O> {
    pub(crate) fn boxed<'a>(input: NumericInput) -> Box<dyn Accumulator + 'a> {
        let (not_null, carries) = (BlockBits::default(), Carries::default());
        Box::new(Self { input, not_null, carries, op: std::marker::PhantomData })
    }

    /// Adds a fold of so many values to a group.
    fn add_fold(&mut self, states: &mut StateTable, group: usize, wide: O::Wide, count: usize) {
        let place = self.input.place;
        if add_fold::<O>(states, place, group, wide, count) {
            self.carries.add(states, place, group, O::exact(wide));
        }
    }
}

macro_rules! numeric_state {
    ($op:ident, $state:ty, $loaded:ident, |$stats:ident| $of_stats:expr,
     |$packed:ident, $rows:ident| $of_packed:expr) => {
        impl NumericState for crate::kernels::$op {
            fn update(
                states: &mut StateTable,
                place: Place,
                batch: &Batch<'_>,
                input: Loaded<'_>,
            ) -> bool {
                match input {
                    Loaded::Long(block) => update::<Self, _>(states, place, batch, block),
                    Loaded::Float(block) => update::<Self, _>(states, place, batch, block),
                    Loaded::Double(block) => update::<Self, _>(states, place, batch, block),
                    Loaded::Nothing | Loaded::Ids(_) | Loaded::Multi(_) => false,
                }
            }

            fn plain_values<'b>(input: Loaded<'b>) -> Option<&'b [$state]> {
                match input {
                    Loaded::$loaded(NumericBlock {
                        values: NumericValues::Slice(values),
                        nulls: None,
                    }) => Some(values),
                    _ => None,
                }
            }

            fn takes_packed(packed: &PackedBlock<'_>) -> bool {
                // Fractions become integers one by one.
                !Self::INTEGERS || packed.divisor == 1.0
            }

            fn of_packed($packed: &PackedBlock<'_>, $rows: RowSet<'_>) -> Option<Self::Wide> {
                $of_packed
            }

            fn of_stats($stats: &SlotStats) -> Option<Self::Wide> {
                $of_stats
            }
        }
    };
}

numeric_state!(
    LongSum,
    i64,
    Long,
    |stats| match stats {
        SlotStats::Long(stats) => match stats.sum? {
            NumericSum::Long(sum) => Some(i128::from(sum)),
            NumericSum::Double(_) => None,
        },
        _ => None,
    },
    |packed, rows| Some(packed_sum(packed, rows))
);
numeric_state!(
    LongMin,
    i64,
    Long,
    |stats| match stats {
        SlotStats::Long(stats) => Some(stats.min),
        _ => None,
    },
    |packed, rows| packed_ends(packed, rows).map(|(min, _)| min)
);
numeric_state!(
    LongMax,
    i64,
    Long,
    |stats| match stats {
        SlotStats::Long(stats) => Some(stats.max),
        _ => None,
    },
    |packed, rows| packed_ends(packed, rows).map(|(_, max)| max)
);
numeric_state!(
    DoubleSum,
    f64,
    Double,
    |stats| match stats {
        SlotStats::Long(_) => None,
        SlotStats::Float(henge_segment::NumericStats { sum, .. })
        | SlotStats::Double(henge_segment::NumericStats { sum, .. }) => match (*sum)? {
            NumericSum::Double(sum) => Some(sum),
            NumericSum::Long(_) => None,
        },
    },
    |packed, rows| Some(packed_sum(packed, rows) as f64 / packed.divisor)
);
numeric_state!(
    DoubleMin,
    f64,
    Double,
    |stats| match stats {
        SlotStats::Long(stats) => Some(stats.min as f64),
        SlotStats::Float(stats) => Some(f64::from(stats.min)),
        SlotStats::Double(stats) => Some(stats.min),
    },
    |packed, rows| packed_ends(packed, rows).map(|(min, _)| min as f64 / packed.divisor)
);
numeric_state!(
    DoubleMax,
    f64,
    Double,
    |stats| match stats {
        SlotStats::Long(stats) => Some(stats.max as f64),
        SlotStats::Float(stats) => Some(f64::from(stats.max)),
        SlotStats::Double(stats) => Some(stats.max),
    },
    |packed, rows| packed_ends(packed, rows).map(|(_, max)| max as f64 / packed.divisor)
);

impl<O: NumericState> Accumulator for NumericAccumulator<O> {
    fn slots(&self) -> Vec<SlotId> {
        vec![self.input.slot]
    }

    fn resize(&mut self, _: usize) {}

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        states: &mut StateTable,
    ) -> Result<()> {
        let NumericInput { slot, place, .. } = self.input;
        let input = input.loaded.get(slot);
        if O::update(states, place, batch, input) {
            self.carries.redo(states, place, batch, input);
        }
        Ok(())
    }

    fn update_packed(
        &mut self,
        group: u32,
        block: usize,
        rows: RowSet<'_>,
        columns: &ColumnSet<'_>,
        states: &mut StateTable,
    ) -> Result<bool> {
        let slot = self.input.slot;
        let Some(packed) = columns.packed(slot, block)? else { return Ok(false) };
        let rows = match packed.nulls {
            None => rows,
            Some(nulls) => {
                rows.to_bits(&mut self.not_null);
                self.not_null.intersect_mask(nulls.words, true);
                RowSet::of(&self.not_null)
            }
        };
        if !O::takes_packed(&packed) {
            return Ok(false);
        }
        let Some(wide) = O::of_packed(&packed, rows) else { return Ok(true) };
        let count = rows.len();
        self.add_fold(states, group as usize, wide, count);
        Ok(true)
    }

    fn update_by_stats(
        &mut self,
        group: u32,
        rows: usize,
        stats: &SlotStats,
        states: &mut StateTable,
    ) -> Result<bool> {
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
        self.add_fold(states, group as usize, wide, count);
        Ok(true)
    }

    fn plain_sum(&self) -> Option<(SlotId, usize)> {
        let NumericInput { slot, place, .. } = self.input;
        (O::SUMS_DOUBLES && place.valid.is_none()).then_some((slot, place.state))
    }

    fn update_marked(
        &mut self,
        marks: &GroupMarks,
        input: &BlockInput<'_>,
        states: &mut StateTable,
    ) -> Result<bool> {
        let slot = self.input.slot;
        let Some(values) = O::plain_values(input.loaded.get(slot)) else { return Ok(false) };
        for (group, marks) in marks.groups() {
            let wide = O::fold_marked(values, marks);
            // Groups have a mark at least.
            self.add_fold(states, group, wide, 1);
        }
        Ok(true)
    }

    fn seen_word(&self) -> Option<usize> {
        // A sum of values above 0 is never the 0 that it begins with, see [`Carries`].
        let grows = O::SUMS_LONGS && self.input.positive;
        (O::SUMS_DOUBLES || grows)
            .then_some(self.input.place)
            .filter(|place| place.valid.is_none())
            .map(|place| place.state)
    }

    fn has_fixed_width(&self) -> bool {
        true
    }

    fn memory_bytes(&self) -> usize {
        self.carries.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, states: &StateTable) -> Result<Column> {
        let NumericInput { place, float, .. } = self.input;
        let values = states.column(place.state, groups, O::result);
        let column = O::State::column(values, states.nulls(place, groups), float);
        Ok(self.carries.column(groups, column))
    }
}
