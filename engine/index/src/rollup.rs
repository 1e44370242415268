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
    hash: u32,
}

impl KeyBuilder {
    #[inline]
    fn start(&mut self, time_ms: i64) {
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

    #[inline]
    fn finish(&mut self, hasher: &DefaultHashBuilder) {
        let end = self.words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        self.words.truncate(end);
        let mut hasher = hasher.build_hasher();
        let (pairs, rest) = self.words.as_chunks::<2>();
        for [low, high] in pairs {
            hasher.write_u64(u64::from(*high) << 32 | u64::from(*low));
        }
        rest.iter().for_each(|word| hasher.write_u32(*word));
        self.hash = hasher.finish() as u32;
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

    /// Builds the key of a row whose values all have numbers.
    #[inline]
    pub(crate) fn build(
        &self,
        key: &mut KeyBuilder,
        time_ms: i64,
        add_cells: impl FnOnce(&mut KeyBuilder),
    ) {
        key.start(time_ms);
        add_cells(key);
        key.finish(&self.hasher);
    }

    fn key(&self, row: u32) -> &[u32] {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.words[start..self.ends[row] as usize]
    }

    /// The row of a key.
    #[inline]
    pub(crate) fn find(&self, key: &KeyBuilder) -> Option<usize> {
        let same = |slot: &Slot| slot.hash == key.hash && self.key(slot.number) == key.words;
        self.slots.find(Slot::spread(key.hash), same).map(|slot| slot.number as usize)
    }

    /// Records the key of the next row. It is found from now on, also if an earlier row has the key.
    pub(crate) fn push(&mut self, key: &KeyBuilder) {
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        let earlier = self.find(key);
        self.words.extend_from_slice(&key.words);
        self.ends.push(u32::try_from(self.words.len()).unwrap_or(u32::MAX));
        let slot = Slot { hash: key.hash, number };
        if let Some(earlier) = earlier {
            let same = |slot: &Slot| slot.number as usize == earlier;
            if let Some(known) = self.slots.find_mut(Slot::spread(key.hash), same) {
                *known = slot;
                return;
            }
        }
        self.slots.insert_unique(Slot::spread(key.hash), slot, |slot| Slot::spread(slot.hash));
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        (self.words.capacity() + self.ends.capacity()) * size_of::<u32>()
            + self.slots.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::dimension::Cell;
    use crate::string_dimension::Resolved::Known;

    #[test]
    fn trailing_nulls_do_not_count_but_zeros_do() {
        let mut rows = RowKeys::new();
        let key = |rows: &RowKeys, time_ms: i64, cells: &[Cell]| {
            let mut key = KeyBuilder::default();
            rows.build(&mut key, time_ms, |key| cells.iter().for_each(|cell| cell.add_to(key)));
            key
        };
        let text = |number| Cell::Text(Known(number));
        let cells: [(i64, &[Cell]); 7] = [
            (0, &[]),
            (0, &[text(1), text(0), Cell::Long(None)]),
            (0, &[text(0), text(1), Cell::Long(None)]),
            (0, &[text(1), text(0), Cell::Long(Some(0))]),
            (1 << 40, &[text(1), text(0), Cell::Long(Some(-1))]),
            (-1, &[]),
            (0, &[text(1), text(0), Cell::Double(Some(f64::MIN))]),
        ];
        for (row, (time_ms, cells)) in cells.into_iter().enumerate() {
            let key = key(&rows, time_ms, cells);
            assert_eq!(rows.find(&key), None);
            rows.push(&key);
            assert_eq!(rows.find(&key), Some(row));
        }
        let longer = key(&rows, 0, &[text(0), text(0), Cell::Long(None), Cell::Float(None)]);
        assert_eq!(rows.find(&longer), Some(0));
        let shorter = key(&rows, 0, &[text(1)]);
        assert_eq!(rows.find(&shorter), Some(1));
    }
}
