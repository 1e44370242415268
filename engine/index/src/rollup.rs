//! Roll-up: which row has this time and these dimensions?
//!
//! A key is the time and one or three words a dimension, without its trailing zeros. Zeros mean
//! null, so a dimension that is discovered later does not change the keys of earlier rows.

use std::hash::{BuildHasher, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::dictionary::Slot;

/// Builds one row's key after the other in the same memory.
#[derive(Debug, Default)]
pub(crate) struct KeyBuilder {
    words: Vec<u32>,
}

impl KeyBuilder {
    /// Starts a key.
    #[inline]
    pub(crate) fn start(&mut self, time_ms: i64) {
        self.words.clear();
        self.two_words(time_ms as u64);
    }

    /// Adds the number of a value or a list; 0 is null.
    #[inline]
    pub(crate) fn number(&mut self, number: u32) {
        self.words.push(number);
    }

    /// Adds 64 bits or null.
    #[inline]
    pub(crate) fn wide(&mut self, bits: Option<u64>) {
        self.words.push(u32::from(bits.is_some()));
        self.two_words(bits.unwrap_or(0));
    }

    fn two_words(&mut self, bits: u64) {
        self.words.push(bits as u32);
        self.words.push((bits >> 32) as u32);
    }

    /// Ends the key.
    #[inline]
    pub(crate) fn finish(&mut self) {
        let end = self.words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        self.words.truncate(end);
    }
}

/// The rows by their keys.
#[derive(Debug)]
pub(crate) struct RowKeys {
    words: Vec<u32>,
    /// Ends of the rows' keys in `words`: the index is full long before 2^32 words.
    ends: Vec<u32>,
    slots: HashTable<Slot>,
    hasher: DefaultHashBuilder,
}

impl RowKeys {
    pub(crate) fn new() -> Self {
        Self {
            words: Vec::new(),
            ends: Vec::new(),
            slots: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    #[inline]
    pub(crate) fn hash(&self, key: &KeyBuilder) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        let (pairs, rest) = key.words.as_chunks::<2>();
        for [low, high] in pairs {
            hasher.write_u64(u64::from(*high) << 32 | u64::from(*low));
        }
        rest.iter().for_each(|word| hasher.write_u32(*word));
        hasher.finish() as u32
    }

    fn key(&self, row: u32) -> &[u32] {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.words[start..self.ends[row] as usize]
    }

    /// The row of a key, given the key's hash.
    #[inline]
    pub(crate) fn find(&self, key: &KeyBuilder, hash: u32) -> Option<usize> {
        let same = |slot: &Slot| slot.hash == hash && self.key(slot.number) == key.words;
        self.slots.find(Slot::spread(hash), same).map(|slot| slot.number as usize)
    }

    /// Records the key of the next row.
    pub(crate) fn push(&mut self, key: &KeyBuilder, hash: u32) {
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.words.extend_from_slice(&key.words);
        self.ends.push(u32::try_from(self.words.len()).unwrap_or(u32::MAX));
        let slot = Slot { hash, number };
        self.slots.insert_unique(Slot::spread(hash), slot, |slot| Slot::spread(slot.hash));
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        (self.words.capacity() + self.ends.capacity()) * size_of::<u32>()
            + self.slots.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(time_ms: i64, numbers: &[u32], wide: &[Option<u64>]) -> KeyBuilder {
        let mut key = KeyBuilder::default();
        key.start(time_ms);
        numbers.iter().for_each(|number| key.number(*number));
        wide.iter().for_each(|bits| key.wide(*bits));
        key.finish();
        key
    }

    #[test]
    fn trailing_nulls_do_not_count_but_zeros_do() {
        let mut rows = RowKeys::new();
        let keys = [
            key(0, &[], &[]),
            key(0, &[1, 0], &[None]),
            key(0, &[0, 1], &[None]),
            key(0, &[1, 0], &[Some(0)]),
            key(1 << 40, &[1, 0], &[Some(u64::MAX)]),
            key(-1, &[], &[]),
        ];
        for (row, key) in keys.iter().enumerate() {
            let hash = rows.hash(key);
            assert_eq!(rows.find(key, hash), None);
            rows.push(key, hash);
            assert_eq!(rows.find(key, hash), Some(row));
        }
        for (row, longer) in [(0, key(0, &[0, 0, 0], &[None])), (1, key(0, &[1], &[]))] {
            assert_eq!(rows.find(&longer, rows.hash(&longer)), Some(row));
        }
    }
}
