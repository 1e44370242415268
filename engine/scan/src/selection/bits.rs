//! A set of rows of one block, as 1,024 words.

use std::ops::Range;

use henge_segment::BLOCK_ROWS;
use henge_segment::simd::{Level, marked};

const WORDS: usize = BLOCK_ROWS / 64;

/// A set of rows of one block.
#[derive(Debug, Clone)]
pub struct BlockBits {
    words: Vec<u64>,
}

impl Default for BlockBits {
    /// No row.
    fn default() -> Self {
        Self { words: vec![0; WORDS] }
    }
}

impl BlockBits {
    /// Becomes exactly the rows of the range.
    pub(crate) fn set_only(&mut self, rows: Range<usize>) {
        self.words.fill(0);
        self.insert_range(rows);
    }

    /// Becomes no row.
    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
    }

    pub(crate) fn insert_range(&mut self, rows: Range<usize>) {
        if rows.is_empty() {
            return;
        }
        let (first, last) = (rows.start / 64, (rows.end - 1) / 64);
        let head = u64::MAX << (rows.start % 64);
        let tail = u64::MAX >> (63 - (rows.end - 1) % 64);
        if first == last {
            self.words[first] |= head & tail;
            return;
        }
        self.words[first] |= head;
        self.words[first + 1..last].fill(u64::MAX);
        self.words[last] |= tail;
    }

    /// Adds a row.
    #[inline]
    pub(crate) fn insert(&mut self, row: usize) {
        self.words[row / 64] |= 1 << (row % 64);
    }

    /// True when the row is one of the set.
    #[inline]
    pub(crate) fn contains(&self, row: usize) -> bool {
        self.words[row / 64] >> (row % 64) & 1 == 1
    }

    /// How many rows there are.
    pub(crate) fn count(&self) -> usize {
        marked::count(Level::best(), &self.words)
    }

    /// True when there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.words.copy_from_slice(&other.words);
    }

    pub(crate) fn union(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    /// Keeps the rows that the other set has too.
    pub(crate) fn intersect(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= b);
    }

    pub(crate) fn subtract(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= !b);
    }

    /// Keeps the rows that are (or, inverted, are not) in a mask. The mask may be shorter than a
    /// block; rows beyond it must not be in the set.
    #[inline]
    pub fn intersect_mask(&mut self, mask: &[u64], inverted: bool) {
        let flip = if inverted { u64::MAX } else { 0 };
        self.words.iter_mut().zip(mask).for_each(|(a, b)| *a &= b ^ flip);
    }

    /// The smallest range that holds all rows.
    pub(crate) fn span(&self) -> Range<usize> {
        let first = self.words.iter().position(|&word| word != 0);
        let last = self.words.iter().rposition(|&word| word != 0);
        match (first, last) {
            (Some(first), Some(last)) => {
                let start = first * 64 + self.words[first].trailing_zeros() as usize;
                start..last * 64 + 64 - self.words[last].leading_zeros() as usize
            }
            _ => 0..0,
        }
    }

    /// Calls `visit` for each row, ascending.
    #[inline]
    pub fn for_each(&self, mut visit: impl FnMut(usize)) {
        for (index, &word) in self.words.iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                visit(index * 64 + rest.trailing_zeros() as usize);
                rest &= rest - 1;
            }
        }
    }

    /// Keeps the rows for which `keep` holds, asked only about rows of the set.
    #[inline]
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        for (index, word) in self.words.iter_mut().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros() as usize;
                if !keep(index * 64 + bit) {
                    *word &= !(1 << bit);
                }
                rest &= rest - 1;
            }
        }
    }

    /// Keeps the rows whose entry of `values` passes. Every value of a touched word is tested,
    /// without branches, so that the loop can use SIMD; empty words are skipped.
    #[inline]
    pub(crate) fn retain_values<T: Copy>(&mut self, values: &[T], test: impl Fn(T) -> bool) {
        for (word, chunk) in self.words.iter_mut().zip(values.chunks(64)) {
            if *word != 0 {
                *word &= test_chunk(chunk, &test);
            }
        }
    }

    /// Replaces `rows` by the positions of the set.
    pub(crate) fn positions(&self, rows: &mut Vec<u16>) {
        self.positions_within(0..BLOCK_ROWS, rows);
    }

    /// Replaces `rows` by the positions of the set's part within a range, counted from its start,
    /// which is a multiple of 64.
    pub(crate) fn positions_within(&self, range: Range<usize>, rows: &mut Vec<u16>) {
        let words = &self.words[range.start / 64..range.end.div_ceil(64)];
        rows.resize(range.len() + 64 + 8, 0);
        let mut found = 0;
        for (index, &word) in words.iter().enumerate() {
            let rest = range.len() - index * 64;
            let word = if rest < 64 { word & ((1 << rest) - 1) } else { word };
            if word == u64::MAX {
                for (row, slot) in (index * 64..).zip(&mut rows[found..found + 64]) {
                    *slot = row as u16;
                }
                found += 64;
                continue;
            }
            if word != 0 {
                found = push_positions(word, index * 64, rows, found);
            }
        }
        rows.truncate(found);
    }

    /// The words: bit `row % 64` of word `row / 64`.
    #[inline]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The words, to be written.
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }
}

/// The positions of a byte's bits, and how many there are.
const BYTE_POSITIONS: [([u16; 8], usize); 256] = {
    let mut table = [([0; 8], 0); 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                let count = table[byte].1;
                table[byte].0[count] = bit as u16;
                table[byte].1 += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// Writes the positions of a word's bits, plus `base`, from `rows[found]` on: eight at a time, of
/// which those that are too many are overwritten by the next.
#[inline]
fn push_positions(word: u64, base: usize, rows: &mut [u16], mut found: usize) -> usize {
    for (index, byte) in word.to_le_bytes().into_iter().enumerate() {
        let (positions, count) = &BYTE_POSITIONS[usize::from(byte)];
        let first = (base + index * 8) as u16;
        for (slot, position) in rows[found..found + 8].iter_mut().zip(positions) {
            *slot = first + position;
        }
        found += count;
    }
    found
}

/// The test's results of up to 64 values as a word.
#[inline]
fn test_chunk<T: Copy>(chunk: &[T], test: &impl Fn(T) -> bool) -> u64 {
    let mut flags = [0u8; 64];
    if let Ok(full) = <&[T; 64]>::try_from(chunk) {
        for (flag, &value) in flags.iter_mut().zip(full) {
            *flag = u8::from(test(value));
        }
    } else {
        for (flag, &value) in flags.iter_mut().zip(chunk) {
            *flag = u8::from(test(value));
        }
    }
    pack_flags(&flags)
}

/// Packs 64 bytes of 0 or 1 into a word, eight at a time by a multiplication.
#[inline]
fn pack_flags(flags: &[u8; 64]) -> u64 {
    let mut word = 0;
    for (index, eight) in flags.chunks_exact(8).enumerate() {
        let mut bytes = [0u8; 8];
        bytes.copy_from_slice(eight);
        let packed = u64::from_le_bytes(bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word |= packed << (index * 8);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_spans() {
        for range in [0..1, 0..64, 3..64, 63..65, 10..70, 0..65_536, 65_535..65_536, 5..5] {
            let mut bits = BlockBits::default();
            bits.set_only(range.clone());
            assert_eq!(bits.count(), range.len(), "{range:?}");
            let expected = if range.is_empty() { 0..0 } else { range };
            assert_eq!(bits.span(), expected);
        }
    }

    #[test]
    fn positions_and_counts_are_those_of_the_set() {
        let mut bits = BlockBits::default();
        bits.set_only(100..400);
        bits.insert_range(65_000..65_536);
        (0..3_000).filter(|row| row * 7919 % 11 < 4).for_each(|row| bits.insert(row));
        let mut all = Vec::new();
        bits.for_each(|row| all.push(row));
        let mut rows = Vec::new();
        for range in [0..65_536, 64..1_000, 128..129, 64_960..65_500, 1_024..1_024] {
            bits.positions_within(range.clone(), &mut rows);
            let found: Vec<usize> = rows.iter().map(|&r| r as usize + range.start).collect();
            let expected: Vec<usize> = all.iter().copied().filter(|r| range.contains(r)).collect();
            assert_eq!(found, expected, "{range:?}");
        }
    }

    #[test]
    fn retain_values_agrees_with_retain() {
        let values: Vec<i64> = (0..1000).map(|i| i * 7919 % 101).collect();
        let (mut fast, mut slow) = (BlockBits::default(), BlockBits::default());
        fast.set_only(17..1000);
        slow.copy_from(&fast);
        fast.retain_values(&values, |v| v < 30);
        slow.retain(|row| values[row] < 30);
        assert_eq!(fast.words, slow.words);
        assert!(fast.count() > 100);
    }
}
