//! Blocks of bit-packed integers, to be summed and filtered as they are stored.
//!
//! Values are `base + unit * residual`; residuals have one width and lie in groups of 1,024. Bytes
//! need no alignment. Every operation chooses its vector instructions once a call.
#![expect(clippy::cast_possible_truncation, reason = "bits are taken out of words")]

pub mod bitpack;

use std::ops::{Range, RangeInclusive};

use crate::block::NullMask;
use crate::simd::kernels::{self, GROUP_WORDS};
use crate::simd::row::Table;
use crate::simd::{GROUP, Level};

/// A block of a numeric column as packed integers.
#[derive(Debug, Clone, Copy)]
pub struct PackedBlock<'a> {
    /// The integers, of all rows; those of null rows mean nothing.
    pub ints: PackedInts<'a>,
    /// The value of a row is its integer divided by this: 1 for LONG, a power of ten for DOUBLE.
    pub divisor: f64,
    /// Null rows, `None` when the block has none.
    pub nulls: Option<NullMask<'a>>,
}

/// Integers of one block.
#[derive(Debug, Clone, Copy)]
pub struct PackedInts<'a> {
    groups: &'a [u8],
    tail: &'a [u8],
    width: u32,
    rows: usize,
    base: i64,
    unit: u64,
    level: Level,
}

impl<'a> PackedInts<'a> {
    /// Integers packed by [`bitpack::pack`]; `None` when the width exceeds 32 or the bytes have
    /// another length than that many rows take.
    #[must_use]
    pub fn new(bytes: &'a [u8], width: u32, rows: usize, base: i64, unit: u64) -> Option<Self> {
        if width > 32 || bytes.len() != bitpack::packed_bytes(rows, width) {
            return None;
        }
        let (groups, tail) = bytes.split_at(rows / GROUP * bitpack::packed_bytes(GROUP, width));
        Some(Self { groups, tail, width, rows, base, unit, level: Level::best() })
    }

    /// The residuals as offsets from another base, in other units.
    pub(crate) fn framed(self, base: i64, unit: u64) -> Self {
        Self { base, unit, ..self }
    }

    /// The same integers, read with other instructions.
    #[must_use]
    pub fn at_level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bits of a residual, at most 32.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The integer whose residual is 0.
    #[must_use]
    pub fn base(&self) -> i64 {
        self.base
    }

    /// What a residual of 1 adds.
    #[must_use]
    pub fn unit(&self) -> u64 {
        self.unit
    }

    /// Number of groups of 1,024 rows, a last shorter one included.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.rows.div_ceil(GROUP)
    }

    /// The residuals of a group: fewer than 1,024 in the last one, none beyond it.
    pub fn unpack_group<'o>(&self, group: usize, out: &'o mut [u32; GROUP]) -> &'o [u32] {
        let first = group.saturating_mul(GROUP);
        let count = self.rows.saturating_sub(first).min(GROUP);
        if self.width == 0 {
            out[..count].fill(0);
        } else if count == GROUP {
            kernels::unpack(self.level, self.group_bytes(group..group + 1), self.width, out);
        } else {
            bitpack::unpack_tail(self.tail, self.width, &mut out[..count]);
        }
        &out[..count]
    }

    /// The residual of a row.
    ///
    /// # Panics
    /// When the row is not below [`PackedInts::rows`].
    #[inline]
    #[must_use]
    pub fn residual(&self, row: usize) -> u32 {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        if self.width == 0 {
            return 0;
        }
        let mask = u32::MAX >> (32 - self.width);
        let (group, row) = (row / GROUP, row % GROUP);
        let bytes = self.group_bytes(group..group + 1);
        if bytes.is_empty() {
            return bitpack::unpack_one(self.tail, self.width, row);
        }
        let (words, _) = bytes.as_chunks::<4>();
        let bit = row / 32 * self.width as usize;
        let (word, shift) = (bit / 32 * 32 + row % 32, bit as u32 % 32);
        let mut pair = u64::from(u32::from_le_bytes(words[word]));
        if shift + self.width > 32 {
            pair |= u64::from(u32::from_le_bytes(words[word + 32])) << 32;
        }
        (pair >> shift) as u32 & mask
    }

    /// The instructions it is read with.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// The integer of a residual.
    #[inline]
    #[must_use]
    pub fn integer(&self, residual: u32) -> i64 {
        self.base.wrapping_add(self.unit.wrapping_mul(u64::from(residual)).cast_signed())
    }

    /// The exact sum of the integers of some rows.
    #[must_use]
    pub fn sum(&self, rows: Range<usize>) -> i128 {
        let rows = rows.start..rows.end.min(self.rows);
        self.sum_of(rows.len() as u64, self.sum_of_residuals(rows))
    }

    /// The exact sum of the integers of the rows whose bits are set: bit `row % 64` of word
    /// `row / 64`. Rows beyond the words are not selected, bits beyond the rows mean nothing.
    #[must_use]
    pub fn sum_selected(&self, selected: &[u64]) -> i128 {
        let groups = (selected.len() / GROUP_WORDS).min(self.rows / GROUP);
        let (head, rest) = selected.split_at(groups * GROUP_WORDS);
        let mut count: u64 = head.iter().map(|word| u64::from(word.count_ones())).sum();
        let mut sum = match self.width {
            0 => 0,
            width => kernels::sum_selected(self.level, self.groups, width, head),
        };
        let mut group = [0; GROUP];
        for (index, words) in rest.chunks(GROUP_WORDS).enumerate() {
            let values = self.unpack_group(groups + index, &mut group);
            for (values, word) in values.chunks(64).zip(words) {
                for (bit, value) in values.iter().enumerate() {
                    let chosen = word >> bit & 1;
                    count += chosen;
                    sum += chosen * u64::from(*value);
                }
            }
        }
        self.sum_of(count, sum)
    }

    /// Least and greatest integer of some rows; `None` without rows.
    #[must_use]
    pub fn min_max(&self, rows: Range<usize>) -> Option<(i64, i64)> {
        let (least, most) = self.least_and_most(rows)?;
        Some((self.integer(least), self.integer(most)))
    }

    /// Sets the bits of the rows whose residual lies in the range, and clears those of the others.
    /// `out` has `rows.div_ceil(64)` words.
    pub fn select_range(&self, residuals: RangeInclusive<u32>, out: &mut [u64]) {
        if residuals.is_empty() {
            return out.fill(0);
        }
        let (first, span) = (*residuals.start(), residuals.end() - residuals.start());
        let in_groups = |groups: &[u8], out: &mut [u64]| {
            kernels::select_range(self.level, groups, self.width, first, span, out);
        };
        self.select(out, in_groups, |residual| residuals.contains(&residual));
    }

    /// Sets the bits of the rows whose residual's bit is set in `set`, and clears those of the
    /// others. `out` has `rows.div_ceil(64)` words.
    pub fn select_in(&self, set: &[u64], out: &mut [u64]) {
        let table = Table::new(set);
        let in_groups = |groups: &[u8], out: &mut [u64]| {
            kernels::select_in(self.level, groups, self.width, &table, out);
        };
        self.select(out, in_groups, |residual| table.contains(residual));
    }

    fn select(
        &self,
        out: &mut [u64],
        in_groups: impl Fn(&[u8], &mut [u64]),
        contains: impl Fn(u32) -> bool,
    ) {
        let out = &mut out[..self.rows.div_ceil(64)];
        if self.width == 0 {
            out.fill(if contains(0) { u64::MAX } else { 0 });
        } else {
            let (head, tail) = out.split_at_mut(self.rows / GROUP * GROUP_WORDS);
            in_groups(self.groups, head);
            let mut group = [0; GROUP];
            let values = self.unpack_group(self.rows / GROUP, &mut group);
            for (word, values) in tail.iter_mut().zip(values.chunks(64)) {
                let bits = values.iter().enumerate();
                *word = bits.fold(0, |bits, (row, v)| bits | u64::from(contains(*v)) << row);
            }
        }
        if let (Some(last), beyond @ 1..) = (out.last_mut(), self.rows % 64) {
            *last &= u64::MAX >> (64 - beyond);
        }
    }

    /// The sum of the residuals of some rows.
    pub(crate) fn sum_of_residuals(&self, rows: Range<usize>) -> u64 {
        let mut sum = 0;
        self.for_each_part(rows, |part| {
            sum += match part {
                Part::Groups(groups) => kernels::sum(self.level, groups, self.width),
                Part::Values(values) => values.iter().map(|value| u64::from(*value)).sum::<u64>(),
            }
        });
        sum
    }

    /// Least and greatest residual of some rows.
    fn least_and_most(&self, rows: Range<usize>) -> Option<(u32, u32)> {
        let mut bounds = None;
        self.for_each_part(rows, |part| {
            let (least, most) = match part {
                Part::Groups(groups) => kernels::min_max(self.level, groups, self.width),
                Part::Values(values) => {
                    values.iter().fold((u32::MAX, 0), |(least, most), value| {
                        (least.min(*value), most.max(*value))
                    })
                }
            };
            let (low, high) = bounds.unwrap_or((least, most));
            bounds = Some((least.min(low), most.max(high)));
        });
        bounds
    }

    /// Visits rows as whole groups where it can, else as unpacked residuals.
    fn for_each_part(&self, rows: Range<usize>, mut visit: impl FnMut(Part<'_>)) {
        let end = rows.end.min(self.rows);
        let mut row = rows.start;
        let mut group = [0; GROUP];
        while row < end {
            let (first, skipped) = (row / GROUP, row % GROUP);
            let whole = end.min(self.rows / GROUP * GROUP) / GROUP;
            if skipped == 0 && first < whole && self.width > 0 {
                visit(Part::Groups(self.group_bytes(first..whole)));
                row = whole * GROUP;
                continue;
            }
            let values = self.unpack_group(first, &mut group);
            let until = (end - first * GROUP).min(values.len());
            visit(Part::Values(&values[skipped..until]));
            row = first * GROUP + until;
        }
    }

    /// The bytes of whole groups; none beyond the last.
    fn group_bytes(&self, groups: Range<usize>) -> &'a [u8] {
        let bytes = GROUP / 8 * self.width as usize;
        self.groups.get(groups.start * bytes..groups.end * bytes).unwrap_or_default()
    }

    fn sum_of(&self, rows: u64, residuals: u64) -> i128 {
        i128::from(self.base) * i128::from(rows) + i128::from(self.unit) * i128::from(residuals)
    }
}

enum Part<'a> {
    Groups(&'a [u8]),
    Values(&'a [u32]),
}

#[cfg(test)]
mod tests;
