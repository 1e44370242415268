//! Kernels over whole groups of packed values: `groups` holds groups of `128 * width` bytes, `width`
//! is 1 to 32.
#![allow(unsafe_code, reason = "code for detected instructions is called where the CPU has them")]

use crate::simd::row::{LANES, Row, Table};
use crate::simd::{GROUP, Instructions, Level, convert, marked};
#[cfg(target_arch = "x86_64")]
use crate::simd::{avx2::Avx2, avx512::Avx512};

/// Words of a set of a group's rows.
pub(crate) const GROUP_WORDS: usize = GROUP / 64;

/// A function over [`Row`]s, compiled for every level.
macro_rules! kernels {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)?;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(level: Level, $($arg: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,bmi1,bmi2,popcnt,lzcnt")]
            fn avx2($($arg: $type),*) $(-> $result)? {
                bodies::$name::<Avx2>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
            #[target_feature(enable = "avx2,fma,bmi1,bmi2,popcnt,lzcnt")]
            fn avx512($($arg: $type),*) $(-> $result)? {
                bodies::$name::<Avx512>($($arg),*)
            }
            match level.instructions() {
                Instructions::Baseline => bodies::$name::<[u32; LANES]>($($arg),*),
                // SAFETY: a level exists only where its instructions were detected.
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
    )*};
}

kernels! {
    /// Unpacks one group.
    fn unpack(group: &[u8], width: u32, out: &mut [u32; GROUP]);
    /// The sum of all values.
    fn sum(groups: &[u8], width: u32) -> u64;
    /// The sum of the values whose bits are set.
    fn sum_selected(groups: &[u8], width: u32, selected: &[u64]) -> u64;
    /// Least and greatest value.
    fn min_max(groups: &[u8], width: u32) -> (u32, u32);
    /// Sets the bits of values from `first` to `first + span`, clears the others.
    fn select_range(groups: &[u8], width: u32, first: u32, span: u32, out: &mut [u64]);
    /// Sets the bits of values that are in the table, clears the others.
    fn select_in(groups: &[u8], width: u32, table: &Table<'_>, out: &mut [u64]);
    /// See [`convert::to_longs`].
    fn to_longs(residuals: &[u32], base: i64, unit: u64, out: &mut [i64]);
    /// See [`convert::to_decimals`].
    fn to_doubles(residuals: &[u32], base: i64, unit: u64, divisor: f64, out: &mut [f64]);
    /// See [`convert::to_decimals`].
    fn to_floats(residuals: &[u32], base: i64, unit: u64, divisor: f64, out: &mut [f32]);
    /// See [`marked::mark_equal`]; these take whole words of marks only.
    fn mark_equal(numbers: &[u32], wanted: u32, marks: &mut [u64]);
    /// See [`marked::mark_longs_between`].
    fn mark_longs_between(values: &[i64], low: i64, high: i64, marks: &mut [u64]);
    /// See [`marked::mark_doubles_between`].
    fn mark_doubles_between(values: &[f64], low: f64, high: f64, marks: &mut [u64]);
    /// See [`marked::mark_floats_between`].
    fn mark_floats_between(values: &[f32], low: f32, high: f32, marks: &mut [u64]);
    /// See [`marked::count`].
    fn count_marks(marks: &[u64]) -> usize;
    /// See [`marked::sum_doubles`].
    fn sum_marked_doubles(values: &[f64], marks: &[u64]) -> f64;
    /// See [`marked::sum_longs`].
    fn sum_marked_longs(values: &[i64], marks: &[u64]) -> (i64, i64);
    /// See [`marked::least_long`].
    fn least_marked_long(values: &[i64], marks: &[u64], start: i64) -> i64;
    /// See [`marked::greatest_long`].
    fn greatest_marked_long(values: &[i64], marks: &[u64], start: i64) -> i64;
    /// See [`marked::least_double`].
    fn least_marked_double(values: &[f64], marks: &[u64], start: f64) -> f64;
    /// See [`marked::greatest_double`].
    fn greatest_marked_double(values: &[f64], marks: &[u64], start: f64) -> f64;
}

mod bodies {
    use super::{GROUP, GROUP_WORDS, LANES, Row, Table, convert, marked};

    pub(super) use convert::to_longs;
    pub(super) use marked::equal as mark_equal;

    #[inline(always)]
    pub(super) fn mark_longs_between<R: Row>(
        values: &[i64],
        low: i64,
        high: i64,
        marks: &mut [u64],
    ) {
        marked::between(values, low, high, marks);
    }

    #[inline(always)]
    pub(super) fn mark_doubles_between<R: Row>(
        values: &[f64],
        low: f64,
        high: f64,
        marks: &mut [u64],
    ) {
        marked::between(values, low, high, marks);
    }

    #[inline(always)]
    pub(super) fn mark_floats_between<R: Row>(
        values: &[f32],
        low: f32,
        high: f32,
        marks: &mut [u64],
    ) {
        marked::between(values, low, high, marks);
    }

    #[inline(always)]
    pub(super) fn count_marks<R: Row>(marks: &[u64]) -> usize {
        marks.iter().map(|word| word.count_ones() as usize).sum()
    }

    #[inline(always)]
    pub(super) fn sum_marked_doubles<R: Row>(values: &[f64], marks: &[u64]) -> f64 {
        marked::sum_f64(values, marks)
    }

    #[inline(always)]
    pub(super) fn sum_marked_longs<R: Row>(values: &[i64], marks: &[u64]) -> (i64, i64) {
        marked::sum_i64(values, marks)
    }

    #[inline(always)]
    pub(super) fn least_marked_long<R: Row>(values: &[i64], marks: &[u64], start: i64) -> i64 {
        marked::best(values, marks, start, |value, best| value < best)
    }

    #[inline(always)]
    pub(super) fn greatest_marked_long<R: Row>(values: &[i64], marks: &[u64], start: i64) -> i64 {
        marked::best(values, marks, start, |value, best| value > best)
    }

    #[inline(always)]
    pub(super) fn least_marked_double<R: Row>(values: &[f64], marks: &[u64], start: f64) -> f64 {
        marked::best(values, marks, start, |value, best| value < best)
    }

    #[inline(always)]
    pub(super) fn greatest_marked_double<R: Row>(values: &[f64], marks: &[u64], start: f64) -> f64 {
        marked::best(values, marks, start, |value, best| value > best)
    }

    #[inline(always)]
    pub(super) fn to_doubles<R: Row>(
        residuals: &[u32],
        base: i64,
        unit: u64,
        divisor: f64,
        out: &mut [f64],
    ) {
        convert::to_decimals::<R, f64>(residuals, base, unit, divisor, |double| double, out);
    }

    #[inline(always)]
    pub(super) fn to_floats<R: Row>(
        residuals: &[u32],
        base: i64,
        unit: u64,
        divisor: f64,
        out: &mut [f32],
    ) {
        convert::to_decimals::<R, f32>(residuals, base, unit, divisor, |double| double as f32, out);
    }

    const ROWS: usize = GROUP / LANES;

    /// Values up to this width may be added up in 32 bits, one of each row.
    const NARROW: u32 = 27;

    #[inline(always)]
    fn for_each_row<R: Row>(group: &[u8], width: u32, mut visit: impl FnMut(usize, R)) {
        let (words, _) = group.as_chunks::<4>();
        let (lanes, _) = words.as_chunks::<LANES>();
        let mask = R::splat(u32::MAX >> (32 - width));
        for row in 0..ROWS {
            let bit = row * width as usize;
            let (word, shift) = (bit / 32, bit as u32 % 32);
            let low = R::load(&lanes[word]);
            let value = match shift + width <= 32 {
                true => low.shift_right(shift),
                false => R::funnel(low, R::load(&lanes[word + 1]), shift),
            };
            visit(row, value.and(mask));
        }
    }

    #[inline(always)]
    fn for_each_group(groups: &[u8], width: u32) -> impl Iterator<Item = &[u8]> {
        groups.chunks_exact(GROUP / 8 * width as usize)
    }

    #[inline(always)]
    fn total<R: Row>(row: R) -> u64 {
        let mut lanes = [0; LANES];
        row.store(&mut lanes);
        lanes.iter().map(|lane| u64::from(*lane)).sum()
    }

    #[inline(always)]
    pub(super) fn unpack<R: Row>(group: &[u8], width: u32, out: &mut [u32; GROUP]) {
        let (rows, _) = out.as_chunks_mut::<LANES>();
        for_each_row(group, width, |row, values: R| values.store(&mut rows[row]));
    }

    #[inline(always)]
    pub(super) fn sum<R: Row>(groups: &[u8], width: u32) -> u64 {
        let mut sum = 0;
        if width > NARROW {
            let half = R::splat(0xffff);
            for group in for_each_group(groups, width) {
                let (mut low, mut high) = (R::splat(0), R::splat(0));
                for_each_row(group, width, |_, values: R| {
                    low = low.add(values.and(half));
                    high = high.add(values.shift_right(16));
                });
                sum += total(low) + (total(high) << 16);
            }
            return sum;
        }
        for group in for_each_group(groups, width) {
            let mut lanes = R::splat(0);
            for_each_row(group, width, |_, values: R| lanes = lanes.add(values));
            sum += total(lanes);
        }
        sum
    }

    #[inline(always)]
    pub(super) fn sum_selected<R: Row>(groups: &[u8], width: u32, selected: &[u64]) -> u64 {
        let half = R::splat(0xffff);
        let (words, _) = selected.as_chunks::<GROUP_WORDS>();
        let mut sum = 0;
        for (group, words) in for_each_group(groups, width).zip(words) {
            if words.iter().all(|word| *word == 0) {
                continue;
            }
            let (mut low, mut high) = (R::splat(0), R::splat(0));
            for_each_row(group, width, |row, values: R| {
                let kept = values.keep((words[row / 2] >> (row % 2 * 32)) as u32);
                if width > NARROW {
                    low = low.add(kept.and(half));
                    high = high.add(kept.shift_right(16));
                } else {
                    low = low.add(kept);
                }
            });
            sum += total(low) + (total(high) << 16);
        }
        sum
    }

    #[inline(always)]
    pub(super) fn min_max<R: Row>(groups: &[u8], width: u32) -> (u32, u32) {
        let (mut least, mut most) = (R::splat(u32::MAX), R::splat(0));
        for group in for_each_group(groups, width) {
            for_each_row(group, width, |_, values: R| {
                least = least.min(values);
                most = most.max(values);
            });
        }
        let (mut min, mut max) = ([0; LANES], [0; LANES]);
        least.store(&mut min);
        most.store(&mut max);
        let least = min.into_iter().min().unwrap_or(u32::MAX);
        (least, max.into_iter().max().unwrap_or(0))
    }

    #[inline(always)]
    fn select<R: Row>(groups: &[u8], width: u32, out: &mut [u64], bits: impl Fn(R) -> u32) {
        let (words, _) = out.as_chunks_mut::<GROUP_WORDS>();
        for (group, words) in for_each_group(groups, width).zip(words) {
            let mut rows = [0_u32; ROWS];
            for_each_row(group, width, |row, values: R| rows[row] = bits(values));
            for (word, [low, high]) in words.iter_mut().zip(rows.as_chunks::<2>().0) {
                *word = u64::from(*high) << 32 | u64::from(*low);
            }
        }
    }

    #[inline(always)]
    pub(super) fn select_range<R: Row>(
        groups: &[u8],
        width: u32,
        first: u32,
        span: u32,
        out: &mut [u64],
    ) {
        let (first, span) = (R::splat(first), R::splat(span));
        select(groups, width, out, |values: R| values.sub(first).at_most(span));
    }

    #[inline(always)]
    pub(super) fn select_in<R: Row>(groups: &[u8], width: u32, table: &Table<'_>, out: &mut [u64]) {
        select(groups, width, out, |values: R| values.in_table(table));
    }
}
