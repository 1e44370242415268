//! Leaves over numeric columns.

use henge_query::comparison::{NumericTest, Truth, in_ranges, not_below};
use henge_segment::{NumericColumn, NumericValues, PackedBlock};

use super::block_value::BlockValue;
use crate::error::Result;
use crate::selection::BlockBits;

/// Of more values or ranges each row looks for its own.
const MOST_PIECES: usize = 16;
/// Values are looked at one by one when only one of so many rows is a candidate.
const SPARSE_CANDIDATES_OF: usize = 64;

/// A numeric column.
pub(crate) struct NumericLeaf<'a, T> {
    column: &'a dyn NumericColumn<T>,
    test: NumericTest<T>,
    /// The test as ranges, both ends included, when it is few of them: blocks are compared with one
    /// after the other in vectors.
    pieces: Option<Vec<(T, T)>>,
    /// True keeps the rows that do not pass the test.
    inverted: bool,
    /// True keeps null rows.
    null: bool,
    scratch: Vec<T>,
}

impl<T: std::fmt::Debug> std::fmt::Debug for NumericLeaf<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NumericLeaf").field("test", &self.test).finish_non_exhaustive()
    }
}

impl<'a, T: BlockValue> NumericLeaf<'a, T> {
    pub(crate) fn new(
        column: &'a dyn NumericColumn<T>,
        test: NumericTest<T>,
        wanted: Truth,
        null: bool,
    ) -> Self {
        let (pieces, inverted) = (pieces_of(&test), wanted == Truth::False);
        Self { column, test, pieces, inverted, null, scratch: Vec::new() }
    }

    /// What holds of all rows of a block.
    pub(crate) fn verdict(&self, block: usize) -> Result<Option<bool>> {
        let Some(stats) = self.column.stats(block)? else { return Ok(None) };
        let Some(verdict) = self.test.of_all_between(stats.min, stats.max) else { return Ok(None) };
        // A NaN is in no statistics: then they tell only what it would not change.
        if T::may_hide_nan(&stats) && self.test.matches(T::LAST) != verdict {
            return Ok(None);
        }
        let keeps = verdict != self.inverted;
        // Null rows are kept or not whatever is said of values.
        Ok((keeps == self.null || stats.null_count == 0).then_some(keeps))
    }

    pub(crate) fn narrow(
        &mut self,
        block: usize,
        candidates: &mut BlockBits,
        spare: &mut Vec<BlockBits>,
    ) -> Result<()> {
        let from = match &self.test {
            // What is packed is no NaN.
            NumericTest::From(low) => Some([(*low, T::GREATEST)]),
            _ => None,
        };
        let pieces = from.as_ref().map(<[_; 1]>::as_slice).or(self.pieces.as_deref());
        if let (Some(pieces), true) = (pieces, T::PACKED_IS_EXACT)
            && let Some(packed) = self.column.packed(block)?
        {
            narrow_packed(&packed, pieces, self.inverted, self.null, candidates, spare);
            return Ok(());
        }
        let loaded = self.column.block(block, &mut self.scratch)?;
        let nulls = loaded.nulls;
        let kept_nulls = match (nulls, self.null) {
            (Some(nulls), true) => {
                let mut kept = candidates.clone();
                kept.intersect_mask(nulls.words, false);
                Some(kept)
            }
            _ => None,
        };
        if let Some(nulls) = nulls {
            candidates.intersect_mask(nulls.words, true);
        }
        match loaded.values {
            NumericValues::Constant(value) => {
                if self.test.matches(value) == self.inverted {
                    candidates.clear();
                }
            }
            NumericValues::Slice(values) => match &self.pieces {
                Some(pieces) if candidates.count() * SPARSE_CANDIDATES_OF >= values.len() => {
                    keep_between(values, pieces, self.inverted, candidates, spare);
                }
                _ => scan_values(&self.test, self.inverted, values, candidates),
            },
        }
        if let Some(kept) = kept_nulls {
            candidates.union(&kept);
        }
        Ok(())
    }
}

/// The ranges that a test is, when they are few and hold no NaN.
fn pieces_of<T: BlockValue>(test: &NumericTest<T>) -> Option<Vec<(T, T)>> {
    match test {
        NumericTest::Range(low, high) => Some(vec![(*low, *high)]),
        NumericTest::Ranges(ranges) if ranges.len() <= MOST_PIECES => Some(ranges.clone()),
        NumericTest::OneOf(keys) if keys.len() <= MOST_PIECES => {
            keys.iter().map(|key| T::of_key(*key).map(|value| (value, value))).collect()
        }
        NumericTest::Nothing
        | NumericTest::Everything
        | NumericTest::From(_)
        | NumericTest::Ranges(_)
        | NumericTest::OneOf(_) => None,
    }
}

/// Keeps the rows whose values are within (or, inverted, outside) some ranges.
fn keep_between<T: BlockValue>(
    values: &[T],
    pieces: &[(T, T)],
    inverted: bool,
    candidates: &mut BlockBits,
    spare: &mut Vec<BlockBits>,
) {
    let mut found = spare.pop().unwrap_or_default();
    let words = &mut found.words_mut()[..values.len().div_ceil(64)];
    words.fill(0);
    for piece in pieces {
        T::mark_between(values, *piece, words);
    }
    candidates.intersect_mask(words, inverted);
    spare.push(found);
}

/// The residuals of the values from `low` to `high`, both included. Values ascend with residuals.
fn residuals_between<T: BlockValue>(
    packed: &PackedBlock<'_>,
    low: T,
    high: T,
) -> Option<(u32, u32)> {
    let most = u32::MAX.checked_shr(32 - packed.ints.width()).unwrap_or(0);
    let value = |residual| T::of_packed(packed.ints.integer(residual), packed.divisor);
    let first = first_residual(most, |residual| value(residual) >= low)?;
    let beyond = first_residual(most, |residual| value(residual) > high);
    let last = beyond.map_or(Some(most), |beyond| beyond.checked_sub(1))?;
    (first <= last).then_some((first, last))
}

/// The smallest residual up to `most` for which `holds`, which then holds of all larger ones.
fn first_residual(most: u32, holds: impl Fn(u32) -> bool) -> Option<u32> {
    let (mut low, mut high) = (0, u64::from(most) + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle as u32) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    u32::try_from(low).ok().filter(|residual| *residual <= most)
}

/// Keeps the rows whose values are within (or, inverted, outside) some ranges, and null ones where
/// they are wanted.
fn narrow_packed<T: BlockValue>(
    packed: &PackedBlock<'_>,
    pieces: &[(T, T)],
    inverted: bool,
    null: bool,
    candidates: &mut BlockBits,
    spare: &mut Vec<BlockBits>,
) {
    let count = packed.ints.rows().div_ceil(64);
    let mut found = spare.pop().unwrap_or_default();
    let words = &mut found.words_mut()[..count];
    let mut residuals =
        pieces.iter().filter_map(|(low, high)| residuals_between(packed, *low, *high));
    match residuals.next() {
        Some((first, last)) => packed.ints.select_range(first..=last, words),
        None => words.fill(0),
    }
    for (first, last) in residuals {
        let mut more = spare.pop().unwrap_or_default();
        let of_piece = &mut more.words_mut()[..count];
        packed.ints.select_range(first..=last, of_piece);
        words.iter_mut().zip(of_piece).for_each(|(word, more)| *word |= *more);
        spare.push(more);
    }
    if inverted {
        words.iter_mut().for_each(|word| *word = !*word);
    }
    if let Some(nulls) = packed.nulls {
        for (word, nulls) in words.iter_mut().zip(nulls.words) {
            *word = if null { *word | nulls } else { *word & !nulls };
        }
    }
    candidates.intersect_mask(words, false);
    spare.push(found);
}

/// Tests the values of a block; one loop a kind of test.
fn scan_values<T: BlockValue>(
    test: &NumericTest<T>,
    inverted: bool,
    values: &[T],
    candidates: &mut BlockBits,
) {
    match test {
        NumericTest::Nothing if inverted => {}
        NumericTest::Everything if !inverted => {}
        NumericTest::Nothing | NumericTest::Everything => candidates.clear(),
        NumericTest::Range(low, high) => {
            let (low, high) = (*low, *high);
            if inverted {
                candidates.retain_values(values, |v| !((v >= low) & (v <= high)));
            } else {
                candidates.retain_values(values, |v| (v >= low) & (v <= high));
            }
        }
        NumericTest::From(low) => {
            let low = *low;
            if inverted {
                candidates.retain_values(values, |v| v < low);
            } else {
                candidates.retain_values(values, |v| not_below(v, low));
            }
        }
        NumericTest::Ranges(ranges) => {
            candidates.retain(|row| in_ranges(ranges, values[row]) != inverted);
        }
        NumericTest::OneOf(keys) => {
            candidates.retain(|row| keys.binary_search(&values[row].key()).is_ok() != inverted);
        }
    }
}
