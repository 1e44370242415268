//! Dictionaries that grow: values get ids in the order they come, from 1; id 0 is null.
//!
//! The writer finds a value with one probe of one table; most values are short, and their entries hold
//! all of their text. Snapshots cannot share that table, so
//! each full chunk of values also has a small immutable table, and a snapshot's look-up asks them
//! one after the other.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use henge_segment::{Dictionary, SegmentError};

use crate::arena::{Arena, ArenaSnapshot, CHUNK_SLICES};
use crate::head::Head;

/// What a value costs besides its text: its end, its share of both tables.
pub(crate) const VALUE_OVERHEAD_BYTES: usize = 48;

/// An entry of a table: the hash decides where it lies and spares most comparisons.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) hash: u32,
    pub(crate) number: u32,
}

impl Slot {
    /// The 64 bits that the table wants, from the 32 that are kept.
    #[inline]
    pub(crate) fn spread(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// An entry of the writer's table.
#[derive(Debug, Clone, Copy)]
struct ValueSlot {
    head: Head,
    slot: Slot,
}

/// A dictionary that grows.
#[derive(Debug)]
pub(crate) struct GrowingDictionary {
    values: Arena<u8>,
    slots: HashTable<ValueSlot>,
    hasher: DefaultHashBuilder,
    chunk_tables: Vec<Arc<HashTable<Slot>>>,
    /// Hashes of the values that are in no chunk table yet.
    tail_hashes: Vec<u32>,
}

impl GrowingDictionary {
    pub(crate) fn new() -> Self {
        Self {
            values: Arena::new(),
            slots: HashTable::new(),
            // Seeded per process, so that nobody can send values that collide.
            hasher: DefaultHashBuilder::default(),
            chunk_tables: Vec::new(),
            tail_hashes: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn hash(&self, value: &str) -> u32 {
        hash(&self.hasher, value)
    }

    /// The hash of a text that is all in its head.
    #[inline]
    pub(crate) fn hash_short(&self, head: Head) -> u32 {
        hash_short(&self.hasher, head)
    }

    /// The id of a value, given its hash.
    #[inline]
    pub(crate) fn find(&self, value: &str, hash: u32) -> Option<u32> {
        let head = Head::of(value);
        if head.is_whole() {
            return self.find_short(head, hash);
        }
        let found = self.slots.find(Slot::spread(hash), |known| {
            known.head == head
                && known.slot.hash == hash
                && self.values.get(known.slot.number as usize - 1) == value.as_bytes()
        });
        found.map(|known| known.slot.number)
    }

    /// The id of a text that is all in its head, given its hash.
    #[inline]
    pub(crate) fn find_short(&self, head: Head, hash: u32) -> Option<u32> {
        let found = self.slots.find(Slot::spread(hash), |known| known.head == head);
        found.map(|known| known.slot.number)
    }

    /// Adds a value that is not there, and answers its id.
    pub(crate) fn insert(&mut self, value: &str, hash: u32) -> u32 {
        self.tail_hashes.push(hash);
        if self.values.push(value.as_bytes()) {
            self.seal_chunk();
        }
        // The index is full long before ids end: 8 GiB hold fewer values.
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let known = ValueSlot { head: Head::of(value), slot: Slot { hash, number } };
        let spread = |known: &ValueSlot| Slot::spread(known.slot.hash);
        self.slots.insert_unique(Slot::spread(hash), known, spread);
        number
    }

    fn seal_chunk(&mut self) {
        let mut table = HashTable::with_capacity(CHUNK_SLICES);
        for (number, hash) in (0..).zip(self.tail_hashes.drain(..)) {
            let slot = Slot { hash, number };
            table.insert_unique(Slot::spread(hash), slot, |slot| Slot::spread(slot.hash));
        }
        self.chunk_tables.push(Arc::new(table));
    }

    pub(crate) fn snapshot(&mut self) -> DictionarySnapshot {
        DictionarySnapshot {
            values: self.values.snapshot(),
            hasher: self.hasher.clone(),
            chunk_tables: self.chunk_tables.clone(),
            tail_hashes: self.tail_hashes.clone(),
        }
    }
}

#[inline]
fn hash(builder: &DefaultHashBuilder, value: &str) -> u32 {
    let head = Head::of(value);
    if head.is_whole() {
        return hash_short(builder, head);
    }
    let mut hasher = builder.build_hasher();
    hasher.write(value.as_bytes());
    hasher.finish() as u32
}

#[inline]
fn hash_short(builder: &DefaultHashBuilder, head: Head) -> u32 {
    let mut hasher = builder.build_hasher();
    hasher.write_u64(head.word());
    hasher.finish() as u32
}

/// A dictionary as it was.
#[derive(Debug)]
pub(crate) struct DictionarySnapshot {
    values: ArenaSnapshot<u8>,
    hasher: DefaultHashBuilder,
    chunk_tables: Vec<Arc<HashTable<Slot>>>,
    tail_hashes: Vec<u32>,
}

impl DictionarySnapshot {
    fn value(&self, id: u32) -> Result<Option<&str>, SegmentError> {
        let Some(index) = (id as usize).checked_sub(1) else { return Ok(None) };
        if index >= self.values.len() {
            return Err(SegmentError::Invalid(format!(
                "dictionary id {id} is out of range: there are {}",
                self.len()
            )));
        }
        let text = std::str::from_utf8(self.values.get(index));
        text.map(Some).map_err(|error| SegmentError::corrupt(error.to_string()))
    }
}

impl Dictionary for DictionarySnapshot {
    fn len(&self) -> u32 {
        u32::try_from(self.values.len() + 1).unwrap_or(u32::MAX)
    }

    fn is_sorted(&self) -> bool {
        false
    }

    fn get(&self, id: u32) -> Result<Option<Cow<'_, str>>, SegmentError> {
        Ok(self.value(id)?.map(Cow::Borrowed))
    }

    fn lookup(&self, value: &str) -> Result<Option<u32>, SegmentError> {
        let hash = hash(&self.hasher, value);
        let is = |index: usize| self.values.get(index) == value.as_bytes();
        for (chunk, table) in self.chunk_tables.iter().enumerate() {
            let index = |slot: &Slot| chunk * CHUNK_SLICES + slot.number as usize;
            let same = |slot: &Slot| slot.hash == hash && is(index(slot));
            if let Some(slot) = table.find(Slot::spread(hash), same) {
                return Ok(u32::try_from(index(slot) + 1).ok());
            }
        }
        let start = self.chunk_tables.len() * CHUNK_SLICES;
        let mut tail = self.tail_hashes.iter().zip(start..);
        let found = tail.find(|(other, index)| **other == hash && is(*index));
        Ok(found.and_then(|(_, index)| u32::try_from(index + 1).ok()))
    }

    fn lower_bound(&self, _value: &str) -> Result<u32, SegmentError> {
        Err(SegmentError::Invalid("the index's dictionaries are not sorted".into()))
    }

    fn for_each(
        &self,
        ids: std::ops::Range<u32>,
        visit: &mut dyn FnMut(u32, Option<&str>),
    ) -> Result<(), SegmentError> {
        for id in ids {
            visit(id, self.value(id)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_order_of_arrival_and_snapshots_find_them() {
        let mut dictionary = GrowingDictionary::new();
        let value = |index: u32| format!("värde {index}");
        let mut add = |index: u32| {
            let (text, hash) = (value(index), dictionary.hash(&value(index)));
            assert_eq!(dictionary.find(&text, hash), None);
            assert_eq!(dictionary.insert(&text, hash), index + 1);
            assert_eq!(dictionary.find(&text, hash), Some(index + 1));
            index.is_multiple_of(2_500).then(|| (index + 1, dictionary.snapshot()))
        };
        let snapshots: Vec<_> = (0..10_000).filter_map(&mut add).collect();
        for (len, snapshot) in snapshots {
            assert_eq!(snapshot.len(), len + 1);
            for index in [0, len / 2, len - 1] {
                assert_eq!(snapshot.lookup(&value(index)).unwrap(), Some(index + 1));
                assert_eq!(snapshot.get(index + 1).unwrap().as_deref(), Some(&*value(index)));
            }
            assert_eq!(snapshot.lookup(&value(len)).unwrap(), None);
            assert!(snapshot.get(len + 1).is_err());
            let mut seen = Vec::new();
            snapshot
                .for_each(0..2, &mut |id, text| seen.push((id, text.map(String::from))))
                .unwrap();
            assert_eq!(seen, [(0, None), (1, Some(value(0)))]);
        }
    }

    #[test]
    fn texts_that_begin_alike_are_told_apart() {
        let mut dictionary = GrowingDictionary::new();
        let mut texts: Vec<String> =
            (0..20).map(|length| "abcdefghijklmnopqrst"[..length].into()).collect();
        texts.extend((1..9).map(|length| "\0".repeat(length)));
        texts.extend(
            ["abcdefg\u{7}", "abcdefgx", "abcdefgxy", "aéé", "ééé", "éééé", "\u{7}"]
                .map(Into::into),
        );
        for text in &texts {
            let hash = dictionary.hash(text);
            assert_eq!(dictionary.find(text, hash), None, "{text:?}");
            dictionary.insert(text, hash);
        }
        let snapshot = dictionary.snapshot();
        for (text, id) in texts.iter().zip(1..) {
            assert_eq!(dictionary.find(text, dictionary.hash(text)), Some(id), "{text:?}");
            assert_eq!(snapshot.lookup(text).unwrap(), Some(id));
        }
    }

    #[test]
    fn empty_text_is_not_null() {
        let mut dictionary = GrowingDictionary::new();
        let hash = dictionary.hash("");
        assert_eq!(dictionary.insert("", hash), 1);
        let snapshot = dictionary.snapshot();
        assert_eq!(snapshot.get(0).unwrap(), None);
        assert_eq!(snapshot.get(1).unwrap().as_deref(), Some(""));
        assert!(!snapshot.is_sorted() && snapshot.lower_bound("").is_err());
    }
}
