//! Adding values to the states of their rows' groups.

use henge_segment::{NullMask, NumericValues};

use super::batch::Batch;
use super::kernels::{DoubleSum, Input, Op};
use super::table::{Place, StateTable};
use crate::filter::Selection;

/// Adds the values of a batch to the states of their groups; true when one overflowed.
pub(super) fn scatter<O: Op, T: Input<O::State>>(
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
            batch.visit(|_, group| overflow |= add::<O>(&mut words[group * stride + at], value));
        }
        (
            NumericValues::Slice(values),
            Batch::ByRow { selection: Selection::Range { start, end }, groups },
        ) => {
            let rows = values[*start..*end].iter().zip(&groups[*start..*end]);
            if stride == 1 && words.len() <= INTERLEAVED_GROUPS {
                let (values, groups) = (&values[*start..*end], &groups[*start..*end]);
                overflow |= scatter_interleaved::<O, T>(words, values, groups);
            } else if stride == 1 {
                for (&value, &group) in rows {
                    overflow |= add::<O>(&mut words[group as usize], value.convert());
                }
            } else {
                for (&value, &group) in rows {
                    let word = &mut words[group as usize * stride + at];
                    overflow |= add::<O>(word, value.convert());
                }
            }
        }
        (NumericValues::Slice(values), _) => batch.visit(|row, group| {
            overflow |= add::<O>(&mut words[group * stride + at], values[row].convert());
        }),
    }
    overflow
}

/// Tables of at most so many groups are kept twice.
const INTERLEAVED_GROUPS: usize = 2 << 10;

/// Adds every other row to a second table, which is added to the first at the end: rows next to each
/// other often are of one group, and an addition has to wait for the one before it to the same word.
fn scatter_interleaved<O: Op, T: Input<O::State>>(
    words: &mut [u64],
    values: &[T],
    groups: &[u32],
) -> bool {
    let mut second = [0u64; INTERLEAVED_GROUPS];
    let second = &mut second[..words.len()];
    let mut overflow = false;
    let (value_pairs, value_rest) = values.as_chunks::<2>();
    let (group_pairs, group_rest) = groups.as_chunks::<2>();
    for (values, groups) in value_pairs.iter().zip(group_pairs) {
        overflow |= add::<O>(&mut words[groups[0] as usize], values[0].convert());
        overflow |= add::<O>(&mut second[groups[1] as usize], values[1].convert());
    }
    for (value, group) in value_rest.iter().zip(group_rest) {
        overflow |= add::<O>(&mut words[*group as usize], value.convert());
    }
    // The word 0 is that of a group without values.
    for (word, other) in words.iter_mut().zip(second).filter(|(_, other)| **other != 0) {
        overflow |= add::<O>(word, O::of_word(*other));
    }
    overflow
}

/// As [`scatter`], skipping null rows.
pub(super) fn scatter_nullable<O: Op, T: Input<O::State>>(
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
            overflow |= add::<O>(&mut row_words[place.state], values.get(row).convert());
            row_words[flags] |= bit;
        }
    });
    overflow
}

/// A sum of doubles of which none is null: the values of a window, and the word of its state.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlainSum<'b> {
    pub(super) values: &'b [f64],
    pub(super) word: usize,
}

/// Adds several columns' values in one pass, so that each row's group is found once.
pub(super) fn add_sums<const N: usize>(
    states: &mut StateTable,
    batch: &Batch<'_>,
    sums: [PlainSum<'_>; N],
) {
    let (words, stride) = states.rows_mut();
    let mut add_row = |group: usize, values: [f64; N]| {
        let group_words = &mut words[group * stride..][..stride];
        for (sum, value) in sums.iter().zip(values) {
            add::<DoubleSum>(&mut group_words[sum.word], value);
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

#[inline(always)]
fn add<O: Op>(word: &mut u64, value: O::State) -> bool {
    let mut state = O::of_word(*word);
    let overflow = O::add(&mut state, value);
    *word = O::to_word(state);
    overflow
}
