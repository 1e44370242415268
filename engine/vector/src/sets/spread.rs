//! Sets whose values lie in partitions by a hash of the value: the form in which distinct numbers are
//! found and merged. A partition's values are those of all rows, so the same value of two contributions
//! lies in the same partition, whatever numbers their rows.

use std::sync::Arc;

use henge_types::number::of_equality_bits;

use super::SetPart;
use super::by_row::words_by_row;
use crate::column::Column;

/// A number of 64 bits whose bits all depend on all bits of another, and which says what that was.
#[inline]
#[must_use]
pub fn mixed_word(word: u64) -> u64 {
    let word = (word ^ word >> 32).wrapping_mul(MIX);
    (word ^ word >> 32).wrapping_mul(MIX)
}

/// The number that [`mixed_word`] mixed.
#[inline]
#[must_use]
pub fn plain_word(mixed: u64) -> u64 {
    let word = mixed.wrapping_mul(UNMIX);
    let word = (word ^ word >> 32).wrapping_mul(UNMIX);
    word ^ word >> 32
}

const MIX: u64 = 0xd6e8_feb8_6659_fd93;
/// `MIX` times this is 1.
const UNMIX: u64 = inverse(MIX);

/// The inverse of an odd number modulo 2^64: each round doubles the bits that are right.
const fn inverse(odd: u64) -> u64 {
    let (mut inverse, mut bits) = (odd, 3);
    while bits < 64 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        bits *= 2;
    }
    inverse
}

/// What the words of values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordKind {
    /// LONGs by their bits.
    Longs,
    /// DOUBLEs by the bits that are equal where values are.
    Doubles,
}

impl WordKind {
    /// The values of words.
    #[must_use]
    pub fn column(self, words: impl Iterator<Item = u64>) -> Column {
        match self {
            Self::Longs => Column::longs(words.map(u64::cast_signed).collect(), None),
            Self::Doubles => Column::doubles(words.map(of_equality_bits).collect(), None),
        }
    }
}

/// Values and the rows that have them.
#[derive(Debug, Clone, Default)]
pub struct Pairs {
    /// Values by their [`mixed_word`].
    pub words: Vec<u64>,
    /// The row of each; empty when all are of row 0.
    pub rows: Vec<u32>,
}

impl Pairs {
    /// The row of a pair.
    #[inline]
    #[must_use]
    pub fn row(&self, at: usize) -> u32 {
        self.rows.get(at).copied().unwrap_or(0)
    }

    /// Rows and mixed words.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> + Clone {
        self.words.iter().enumerate().map(|(at, word)| (self.row(at), *word))
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>() + self.rows.capacity() * size_of::<u32>()
    }
}

/// The values of one kind of some rows.
#[derive(Debug, Clone)]
pub struct SpreadPart {
    kind: WordKind,
    /// How many values each row has.
    counts: Vec<u32>,
    partitions: Vec<Arc<Pairs>>,
}

impl SpreadPart {
    /// Pairs that are all different, in partitions of whoever makes them, of so many rows.
    ///
    /// # Panics
    /// When a pair is of a later row.
    #[must_use]
    pub fn new(kind: WordKind, rows: usize, partitions: Vec<Arc<Pairs>>) -> Self {
        let mut counts = vec![0; rows];
        for pairs in &partitions {
            match pairs.rows.is_empty() {
                true if pairs.words.is_empty() => {}
                true => counts[0] += pairs.words.len() as u32,
                false => pairs.rows.iter().for_each(|row| counts[*row as usize] += 1),
            }
        }
        Self { kind, counts, partitions }
    }

    /// What the words are, and the pairs by partition.
    #[must_use]
    pub fn into_partitions(self) -> (WordKind, Vec<Arc<Pairs>>) {
        (self.kind, self.partitions)
    }

    /// How many values a row has.
    pub(super) fn count(&self, row: usize) -> usize {
        self.counts[row] as usize
    }

    pub(super) fn row_count(&self) -> usize {
        self.counts.len()
    }

    /// The same values in the order of the rows.
    pub(super) fn by_row(&self) -> SetPart {
        let all: Vec<u32> = (0..self.counts.len() as u32).collect();
        self.of_rows(&all)
    }

    /// The values of some rows, of which none is named twice.
    pub(super) fn of_rows(&self, rows: &[u32]) -> SetPart {
        let pairs = self.partitions.iter().flat_map(|pairs| pairs.iter());
        let (counts, words) = words_by_row(pairs, rows);
        SetPart::new(counts, self.kind.column(words.into_iter().map(plain_word)))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let partitions = self.partitions.iter().map(|pairs| pairs.memory_bytes());
        size_of_val(self.counts.as_slice()) + partitions.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_words_say_what_they_were() {
        let words = (0..64).map(|bit| 1u64 << bit).chain([0, u64::MAX, MIX, 4_602_953_951]);
        for word in words {
            assert_eq!(plain_word(mixed_word(word)), word);
        }
        assert_eq!(mixed_word(0), 0, "tables rely on no other word that is 0");
    }
}
