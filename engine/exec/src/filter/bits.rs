//! A set of rows of one block, as 1,024 words.

use std::ops::Range;

use henge_segment::BLOCK_ROWS;

const WORDS: usize = BLOCK_ROWS / 64;

/// A set of rows of one block.
#[derive(Debug, Clone)]
pub(crate) struct BlockBits {
    words: Vec<u64>,
}

impl BlockBits {
    pub(crate) fn new() -> Self {
        Self { words: vec![0; WORDS] }
    }

    /// Becomes exactly the rows of the range.
    pub(crate) fn set_only(&mut self, rows: Range<usize>) {
        self.words.fill(0);
        self.insert_range(rows);
    }

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

    #[inline]
    pub(crate) fn insert(&mut self, row: usize) {
        self.words[row / 64] |= 1 << (row % 64);
    }

    #[inline]
    pub(crate) fn contains(&self, row: usize) -> bool {
        self.words[row / 64] >> (row % 64) & 1 == 1
    }

    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.words.copy_from_slice(&other.words);
    }

    pub(crate) fn union(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    pub(crate) fn intersect(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= b);
    }

    pub(crate) fn subtract(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= !b);
    }

    /// Keeps the rows that are (or, inverted, are not) in a mask. The mask may be shorter than a
    /// block; rows beyond it must not be in the set.
    pub(crate) fn intersect_mask(&mut self, mask: &[u64], inverted: bool) {
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
    pub(crate) fn for_each(&self, mut visit: impl FnMut(usize)) {
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
        rows.clear();
        self.for_each(|row| rows.push(row as u16));
    }
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
            let mut bits = BlockBits::new();
            bits.set_only(range.clone());
            assert_eq!(bits.count(), range.len(), "{range:?}");
            let expected = if range.is_empty() { 0..0 } else { range };
            assert_eq!(bits.span(), expected);
        }
    }

    #[test]
    fn retain_values_agrees_with_retain() {
        let values: Vec<i64> = (0..1000).map(|i| i * 7919 % 101).collect();
        let (mut fast, mut slow) = (BlockBits::new(), BlockBits::new());
        fast.set_only(17..1000);
        slow.copy_from(&fast);
        fast.retain_values(&values, |v| v < 30);
        slow.retain(|row| values[row] < 30);
        assert_eq!(fast.words, slow.words);
        assert!(fast.count() > 100);
    }
}
