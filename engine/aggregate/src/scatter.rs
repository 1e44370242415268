//! Adding values to the states of their rows' groups.

use henge_scan::{Batch, Selection};
use henge_segment::{NullMask, NumericValues};

use crate::kernels::{DoubleSum, Input, Op};
use crate::table::{Place, StateTable};

/// Adds the values of a batch to the states of their groups; true when one overflowed.
pub(crate) fn scatter<O: Op, T: Input<O::State>>(
    states: &mut StateTable,
    place: Place,
    batch: &Batch<'_>,
    values: NumericValues<'_, T>,
) -> bool {
    let (words, stride) = states.rows_mut();
    if let Some((word, bit)) = place.valid {
        batch.visit(|_, group| words[group * stride + word] |= bit);
    }
    let mut overflow = false;
    let at = place.state;
    match (values, batch) {
        (NumericValues::Constant(value), _) => {
            let value = value.convert();
            batch.visit(|_, group| {
                overflow |= O::add_to_word(&mut words[group * stride + at], value);
            });
        }
        (NumericValues::Slice(values), Batch::ByRow { selection, groups })
            if lanes_pay(words.len() / stride, *selection) =>
        {
            let values = |row: usize| values[row].convert();
            return add_in_lanes::<O>(states, at, *selection, groups, values);
        }
        (
            NumericValues::Slice(values),
            Batch::ByRow { selection: Selection::Range { start, end }, groups },
        ) => {
            for (&value, &group) in values[*start..*end].iter().zip(&groups[*start..*end]) {
                overflow |=
                    O::add_to_word(&mut words[group as usize * stride + at], value.convert());
            }
        }
        (NumericValues::Slice(values), _) => batch.visit(|row, group| {
            overflow |= O::add_to_word(&mut words[group * stride + at], values[row].convert());
        }),
    }
    overflow
}

/// Tables that rows are dealt out to.
const LANES: usize = 4;

/// Groups of a lane's table.
const LANE_GROUPS: usize = 128;

/// True when rows are many and groups few enough for tables of their own.
pub(crate) fn lanes_pay(groups: usize, selection: Selection<'_>) -> bool {
    groups <= LANE_GROUPS && selection.len() >= 4 * LANE_GROUPS
}

/// Deals rows out to several tables, which are added to the states at the end: rows next to each
/// other often are of one group, and an addition has to wait for the one before it to the same word.
/// True when a state overflowed.
pub(crate) fn add_in_lanes<O: Op>(
    states: &mut StateTable,
    word: usize,
    selection: Selection<'_>,
    groups: &[u32],
    value: impl Fn(usize) -> O::State,
) -> bool {
    let mut lanes = [[0u64; LANE_GROUPS]; LANES];
    let mut overflow = false;
    let mut deal = |lane: usize, row: usize| {
        // Groups are below the table's size; saying so again saves the check.
        let state = &mut lanes[lane][groups[row] as usize % LANE_GROUPS];
        overflow |= O::add_to_word(state, value(row));
    };
    match selection {
        Selection::Range { start, end } => {
            let whole = start + (end - start) / LANES * LANES;
            for row in (start..whole).step_by(LANES) {
                (0..LANES).for_each(|lane| deal(lane, row + lane));
            }
            (whole..end).for_each(|row| deal(0, row));
        }
        Selection::Rows(rows) => {
            let (fours, rest) = rows.as_chunks::<LANES>();
            for four in fours {
                (0..LANES).for_each(|lane| deal(lane, usize::from(four[lane])));
            }
            rest.iter().for_each(|row| deal(0, usize::from(*row)));
        }
    }
    let (words, stride) = states.rows_mut();
    for (group, row) in words.chunks_exact_mut(stride).enumerate() {
        // The word 0 is that of a group without values.
        for other in lanes.iter().map(|lane| lane[group]).filter(|other| *other != 0) {
            overflow |= O::add_to_word(&mut row[word], O::of_word(other));
        }
    }
    overflow
}

/// As [`scatter`], skipping null rows.
pub(crate) fn scatter_nullable<O: Op, T: Input<O::State>>(
    states: &mut StateTable,
    place: Place,
    batch: &Batch<'_>,
    values: NumericValues<'_, T>,
    nulls: NullMask<'_>,
) -> bool {
    let (words, stride) = states.rows_mut();
    // Without a flag of its own the state stands in: no bit of it is set.
    let (flags, bit) = place.valid.unwrap_or((place.state, 0));
    let mut overflow = false;
    batch.visit(|row, group| {
        if !nulls.is_null(row) {
            let row_words = &mut words[group * stride..][..stride];
            overflow |= O::add_to_word(&mut row_words[place.state], values.get(row).convert());
            row_words[flags] |= bit;
        }
    });
    overflow
}

/// A sum of doubles of which none is null: the values of a window, and the word of its state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainSum<'b> {
    pub(crate) values: &'b [f64],
    pub(crate) word: usize,
}

/// Adds several columns' values in one pass, so that each row's group is found once.
pub(crate) fn add_sums<const N: usize>(
    states: &mut StateTable,
    batch: &Batch<'_>,
    sums: [PlainSum<'_>; N],
) {
    let (words, stride) = states.rows_mut();
    let mut add_row = |group: usize, values: [f64; N]| {
        let group_words = &mut words[group * stride..][..stride];
        for (sum, value) in sums.iter().zip(values) {
            DoubleSum::add_to_word(&mut group_words[sum.word], value);
        }
    };
    match batch {
        // A loop of its own, which the compiler unrolls over the columns.
        Batch::ByRow { selection: Selection::Range { start, end }, groups } => {
            let columns = sums.map(|sum| &sum.values[*start..*end]);
            for (row, &group) in groups[*start..*end].iter().enumerate() {
                add_row(group as usize, columns.map(|values| values[row]));
            }
        }
        batch => batch.visit(|row, group| add_row(group, sums.map(|sum| sum.values[row]))),
    }
}
