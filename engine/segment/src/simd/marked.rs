//! Kernels over decoded values of which some are marked, a bit for each: rows of one group are
//! folded in vectors, without moving them together first.
//!
//! Bit `i % 64` of word `i / 64` marks value `i`; words there are for all values, and bits beyond
//! them are 0.

use zerocopy::IntoBytes;

use crate::simd::row::{LANES, Row};
use crate::simd::{Level, kernels};

/// Marks the numbers that are `wanted` and unmarks the others.
pub fn mark_equal(level: Level, numbers: &[u32], wanted: u32, marks: &mut [u64]) {
    let whole = numbers.len() / 64;
    kernels::mark_equal(level, &numbers[..whole * 64], wanted, &mut marks[..whole]);
    let rest = &numbers[whole * 64..];
    if !rest.is_empty() {
        let equal = rest.iter().enumerate().map(|(bit, n)| u64::from(*n == wanted) << bit);
        marks[whole] = equal.fold(0, |word, bit| word | bit);
    }
}

/// Marks the values from `low` to `high`, both included, besides those that are marked already.
pub fn mark_longs_between(
    level: Level,
    values: &[i64],
    (low, high): (i64, i64),
    marks: &mut [u64],
) {
    kernels::mark_longs_between(level, values, low, high, marks);
    mark_rest(values, (low, high), marks);
}

/// As [`mark_longs_between`]; a NaN is between no two values.
pub fn mark_doubles_between(
    level: Level,
    values: &[f64],
    (low, high): (f64, f64),
    marks: &mut [u64],
) {
    kernels::mark_doubles_between(level, values, low, high, marks);
    mark_rest(values, (low, high), marks);
}

/// As [`mark_doubles_between`].
pub fn mark_floats_between(
    level: Level,
    values: &[f32],
    (low, high): (f32, f32),
    marks: &mut [u64],
) {
    kernels::mark_floats_between(level, values, low, high, marks);
    mark_rest(values, (low, high), marks);
}

/// Marks those that no whole word is for: kernels leave them out.
fn mark_rest<T: Copy + PartialOrd>(values: &[T], (low, high): (T, T), marks: &mut [u64]) {
    let whole = values.len() / 64;
    for (bit, value) in values[whole * 64..].iter().enumerate() {
        marks[whole] |= u64::from(*value >= low && *value <= high) << bit;
    }
}

/// How many values are marked.
#[must_use]
pub fn count(level: Level, marks: &[u64]) -> usize {
    kernels::count_marks(level, marks)
}

/// The sum of the marked values.
#[must_use]
pub fn sum_doubles(level: Level, values: &[f64], marks: &[u64]) -> f64 {
    let sum = kernels::sum_marked_doubles(level, values, marks);
    rest(values, marks).fold(sum, |sum, value| sum + value)
}

/// The exact sum of the marked values, of which there are fewer than 2^31.
#[must_use]
pub fn sum_longs(level: Level, values: &[i64], marks: &[u64]) -> i128 {
    let (low, high) = kernels::sum_marked_longs(level, values, marks);
    let sum = (i128::from(high) << 32) + i128::from(low);
    rest(values, marks).fold(sum, |sum, value| sum + i128::from(value))
}

/// The least of the marked values that are below `start`, which it is when there is none.
#[must_use]
pub fn least_long(level: Level, values: &[i64], marks: &[u64], start: i64) -> i64 {
    let least = kernels::least_marked_long(level, values, marks, start);
    rest(values, marks).fold(least, i64::min)
}

/// The greatest of the marked values that are above `start`, which it is when there is none.
#[must_use]
pub fn greatest_long(level: Level, values: &[i64], marks: &[u64], start: i64) -> i64 {
    let greatest = kernels::greatest_marked_long(level, values, marks, start);
    rest(values, marks).fold(greatest, i64::max)
}

/// As [`least_long`]; NaN is ignored.
#[must_use]
pub fn least_double(level: Level, values: &[f64], marks: &[u64], start: f64) -> f64 {
    let least = kernels::least_marked_double(level, values, marks, start);
    rest(values, marks).fold(least, |least, value| if value < least { value } else { least })
}

/// As [`greatest_long`]; NaN is ignored.
#[must_use]
pub fn greatest_double(level: Level, values: &[f64], marks: &[u64], start: f64) -> f64 {
    let most = kernels::greatest_marked_double(level, values, marks, start);
    rest(values, marks).fold(most, |most, value| if value > most { value } else { most })
}

/// The marked values that no whole word marks: kernels leave them out.
fn rest<'v, T: Copy>(values: &'v [T], marks: &'v [u64]) -> impl Iterator<Item = T> + 'v {
    let whole = values.len() / 64;
    let word = marks.get(whole).copied().unwrap_or(0);
    let rest = values[whole * 64..].iter().enumerate();
    rest.filter(move |(bit, _)| word >> bit & 1 == 1).map(|(_, value)| *value)
}

/// Values that are looked at together.
const PART: usize = 16;

/// All ones when the bit is set, else zero: without branches, so that loops become vector
/// instructions.
#[inline(always)]
fn mask_of(word: u64, bit: usize) -> u64 {
    ((word << (63 - bit)).cast_signed() >> 63).cast_unsigned()
}

#[inline(always)]
pub(super) fn equal<R: Row>(numbers: &[u32], wanted: u32, marks: &mut [u64]) {
    // Rows are loaded as little-endian words, whatever the machine's order is.
    let (wanted, zero) = (R::splat(wanted.to_le()), R::splat(0));
    let (words, _) = numbers.as_bytes().as_chunks::<4>();
    let (rows, _) = words.as_chunks::<LANES>();
    let (pairs, _) = rows.as_chunks::<2>();
    for (mark, [low, high]) in marks.iter_mut().zip(pairs) {
        let bits = |row: &[[u8; 4]; LANES]| u64::from(R::load(row).sub(wanted).at_most(zero));
        *mark = bits(high) << LANES | bits(low);
    }
}

#[inline(always)]
pub(super) fn between<T: Copy + PartialOrd>(values: &[T], low: T, high: T, marks: &mut [u64]) {
    for (mark, chunk) in marks.iter_mut().zip(values.as_chunks::<64>().0) {
        // A byte each first: compilers make vector instructions of that, and not of bits.
        let mut flags = [0u8; 64];
        for (flag, value) in flags.iter_mut().zip(chunk) {
            *flag = u8::from((*value >= low) & (*value <= high));
        }
        for (index, eight) in flags.as_chunks::<8>().0.iter().enumerate() {
            // The product gathers the lowest bit of each byte in the highest byte.
            let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            *mark |= bits << (index * 8);
        }
    }
}

#[inline(always)]
pub(super) fn sum_f64(values: &[f64], marks: &[u64]) -> f64 {
    let (chunks, _) = values.as_chunks::<64>();
    let mut lanes = [0.0; PART];
    for (chunk, &word) in chunks.iter().zip(marks) {
        if word == 0 {
            continue;
        }
        for (index, part) in chunk.as_chunks::<PART>().0.iter().enumerate() {
            let bits = word >> (index * PART);
            for lane in 0..PART {
                lanes[lane] += f64::from_bits(part[lane].to_bits() & mask_of(bits, lane));
            }
        }
    }
    lanes.iter().sum()
}

/// The sums of the low halves of the values, unsigned, and of their high halves, signed: neither can
/// overflow.
#[inline(always)]
pub(super) fn sum_i64(values: &[i64], marks: &[u64]) -> (i64, i64) {
    let (chunks, _) = values.as_chunks::<64>();
    let (mut low, mut high) = (0, 0);
    for (chunk, &word) in chunks.iter().zip(marks) {
        if word == 0 {
            continue;
        }
        // Two plain loops: compilers vectorise one that does both badly.
        let mut kept = [0i64; 64];
        for (index, (kept, value)) in kept.iter_mut().zip(chunk).enumerate() {
            *kept = value & mask_of(word, index).cast_signed();
        }
        low += kept.iter().map(|value| value & 0xFFFF_FFFF).sum::<i64>();
        high += kept.iter().map(|value| value >> 32).sum::<i64>();
    }
    (low, high)
}

/// A number of eight bytes.
pub(super) trait Bits: Copy {
    /// Its bits where `mask` has ones, those of `other` where it has zeros.
    fn select(self, other: Self, mask: u64) -> Self;
}

impl Bits for i64 {
    #[inline(always)]
    fn select(self, other: Self, mask: u64) -> Self {
        let mask = mask.cast_signed();
        self & mask | other & !mask
    }
}

impl Bits for f64 {
    #[inline(always)]
    fn select(self, other: Self, mask: u64) -> Self {
        Self::from_bits(self.to_bits() & mask | other.to_bits() & !mask)
    }
}

/// The marked value, or `start`, that `better` prefers to all others.
#[inline(always)]
pub(super) fn best<T: Bits>(
    values: &[T],
    marks: &[u64],
    start: T,
    better: impl Fn(T, T) -> bool,
) -> T {
    let (chunks, _) = values.as_chunks::<64>();
    let mut lanes = [start; PART];
    for (chunk, &word) in chunks.iter().zip(marks) {
        if word == 0 {
            continue;
        }
        let mut kept = [start; 64];
        for (index, (kept, value)) in kept.iter_mut().zip(chunk).enumerate() {
            *kept = value.select(start, mask_of(word, index));
        }
        for part in kept.as_chunks::<PART>().0 {
            for (best, &value) in lanes.iter_mut().zip(part) {
                *best = if better(value, *best) { value } else { *best };
            }
        }
    }
    lanes.into_iter().fold(start, |best, value| if better(value, best) { value } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> impl Iterator<Item = u64> {
        let mut state = 7_u64;
        (0..count).map(move |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 11
        })
    }

    #[test]
    fn all_levels_agree_with_the_plain_loop() {
        for count in [0, 1, 63, 64, 65, 640, 4_096, 4_099] {
            let groups: Vec<u32> = noise(count).map(|n| (n % 5) as u32).collect();
            let longs: Vec<i64> =
                noise(count).map(|n| n as i64 * if n % 3 == 0 { -1 } else { 1 }).collect();
            let doubles: Vec<f64> = longs
                .iter()
                .map(|n| if n % 97 == 0 { f64::NAN } else { (n % 1_000) as f64 })
                .collect();
            let sums: Vec<f64> = longs.iter().map(|n| (n % 1_000) as f64).collect();
            for level in Level::all() {
                check_between(level, &longs, &doubles);
                for wanted in 0..6 {
                    let mut marks = vec![u64::MAX; count.div_ceil(64)];
                    mark_equal(level, &groups, wanted, &mut marks);
                    let rows: Vec<usize> =
                        (0..count).filter(|row| groups[*row] == wanted).collect();
                    let marked = |row: &usize| marks[row / 64] >> (row % 64) & 1 == 1;
                    assert_eq!((0..count).filter(marked).collect::<Vec<_>>(), rows);
                    let of =
                        |values: &[i64]| rows.iter().map(|row| values[*row]).collect::<Vec<_>>();
                    assert_eq!(super::count(level, &marks), rows.len());
                    let (kept, name) = (of(&longs), level.name());
                    let sum: i128 = kept.iter().map(|v| i128::from(*v)).sum();
                    assert_eq!(sum_longs(level, &longs, &marks), sum, "{name} {count}");
                    let least = kept.iter().copied().min().unwrap_or(7).min(7);
                    assert_eq!(least_long(level, &longs, &marks, 7), least);
                    let greatest = kept.iter().copied().max().unwrap_or(7).max(7);
                    assert_eq!(greatest_long(level, &longs, &marks, 7), greatest);
                    let sum: f64 = rows.iter().map(|row| sums[*row]).sum();
                    assert_eq!(sum_doubles(level, &sums, &marks), sum);
                    // `min` and `max` of doubles pass over NaN.
                    let kept = rows.iter().map(|row| doubles[*row]);
                    let least = kept.clone().fold(f64::INFINITY, f64::min);
                    assert_eq!(least_double(level, &doubles, &marks, f64::INFINITY), least);
                    let most = kept.fold(f64::NEG_INFINITY, f64::max);
                    assert_eq!(greatest_double(level, &doubles, &marks, f64::NEG_INFINITY), most);
                }
            }
        }
    }

    fn check_between(level: Level, longs: &[i64], doubles: &[f64]) {
        let floats: Vec<f32> = doubles.iter().map(|value| *value as f32).collect();
        let first = longs.first().copied().unwrap_or_default();
        for ends in [(first, first), (-500, 700), (3, -3), (i64::MIN, i64::MAX)] {
            // What is marked already stays so.
            let start = |count: usize| vec![1_u64 << 5; count.div_ceil(64)];
            let agree = |marks: &[u64], between: &dyn Fn(usize) -> bool| {
                for row in 0..longs.len() {
                    let marked = marks[row / 64] >> (row % 64) & 1 == 1;
                    assert_eq!(marked, row % 64 == 5 || between(row), "{} {row}", level.name());
                }
            };
            let mut marks = start(longs.len());
            mark_longs_between(level, longs, ends, &mut marks);
            agree(&marks, &|row| (ends.0..=ends.1).contains(&longs[row]));
            let ends = (ends.0 as f64, ends.1 as f64);
            let mut marks = start(longs.len());
            mark_doubles_between(level, doubles, ends, &mut marks);
            agree(&marks, &|row| (ends.0..=ends.1).contains(&doubles[row]));
            let ends = (ends.0 as f32, ends.1 as f32);
            let mut marks = start(longs.len());
            mark_floats_between(level, &floats, ends, &mut marks);
            agree(&marks, &|row| (ends.0..=ends.1).contains(&floats[row]));
        }
    }
}
