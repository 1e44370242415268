//! Texts by number, in the order they come.

use std::hash::{BuildHasher, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};
use henge_segment::StringTable;

/// What a text costs beside its bytes: its end, its slot.
const TEXT_OVERHEAD_BYTES: usize = 24;

/// The hash is kept beside the number: growing the table and most comparisons need no text.
#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u32,
    id: u32,
}

/// A dictionary that grows; the ids of texts count from 0.
#[derive(Debug, Default)]
pub(super) struct Interner {
    texts: StringTable,
    slots: HashTable<Slot>,
    /// Seeded per process, so that nobody can send texts that collide.
    hasher: DefaultHashBuilder,
    text_bytes: usize,
}

impl Interner {
    /// The id of a text.
    #[inline]
    pub(super) fn intern(&mut self, text: &str) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(text.as_bytes());
        let wide = hasher.finish();
        let hash = wide as u32;
        let same = |slot: &Slot| slot.hash == hash && self.texts.get(slot.id as usize) == text;
        if let Some(slot) = self.slots.find(spread(hash), same) {
            return slot.id;
        }
        let id = self.texts.len() as u32;
        self.texts.push(text);
        self.text_bytes += text.len();
        self.slots.insert_unique(spread(hash), Slot { hash, id }, |slot| spread(slot.hash));
        id
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.text_bytes + self.texts.len() * TEXT_OVERHEAD_BYTES
    }

    /// The texts in order, and the place of each id in that order.
    pub(super) fn into_sorted(self) -> (StringTable, Vec<u32>) {
        let Self { texts, slots, .. } = self;
        drop(slots);
        let mut order: Vec<(u64, u32)> = (0..texts.len() as u32).map(|id| (0, id)).collect();
        sort_from(&texts, &mut order, 0);
        let mut sorted = StringTable::new();
        let mut places = vec![0; texts.len()];
        for (place, (_, id)) in order.into_iter().enumerate() {
            sorted.push(texts.get(id as usize));
            places[id as usize] = place as u32;
        }
        (sorted, places)
    }
}

/// The 64 bits that the table wants, from the 32 that are kept.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Beyond so many bytes that are equal, texts are compared in full.
const MAX_KEYED_BYTES: usize = 64;

/// Sorts texts that are equal up to a place. The next bytes of each are taken once, as a number that
/// sorts as they do: comparing the texts themselves would fetch both from memory each time.
fn sort_from(texts: &StringTable, order: &mut [(u64, u32)], start: usize) {
    for (key, id) in order.iter_mut() {
        *key = key_at(texts.get(*id as usize).as_bytes(), start);
    }
    order.sort_unstable();
    for equal in order.chunk_by_mut(|a, b| a.0 == b.0).filter(|equal| equal.len() > 1) {
        let key = equal.first().map_or(0, |(key, _)| *key);
        // A key that ends in zero may stand for a text that ends, or for one with zero bytes.
        if key & 0xff == 0 || start >= MAX_KEYED_BYTES {
            equal.sort_unstable_by(|a, b| texts.get(a.1 as usize).cmp(texts.get(b.1 as usize)));
        } else {
            sort_from(texts, equal, start + 8);
        }
    }
}

fn key_at(bytes: &[u8], start: usize) -> u64 {
    let rest = bytes.get(start..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(chunk) => u64::from_be_bytes(*chunk),
        None => {
            let mut padded = [0; 8];
            padded[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(padded)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_sort_by_bytes_whatever_order_they_came_in() {
        let mut interner = Interner::default();
        let long = |end: &str| "abcdefgh".repeat(12) + end;
        let (long_a, long_b) = (long("a"), long("b"));
        let texts = [
            "b",
            "",
            "abcdefgh\0",
            "abcdefgh",
            "é",
            "abcdefghi",
            "a",
            "abcdefgh\u{1}",
            &long_b,
            "abcdefg",
            &long_a,
            "abcdefghijklmnopq",
            "abcdefghijklmnop",
            "abcdefg\0",
        ];
        for (id, text) in texts.iter().enumerate() {
            assert_eq!(interner.intern(text), id as u32);
        }
        assert_eq!(interner.intern("é"), 4);
        let (sorted, places) = interner.into_sorted();
        let mut expected = texts;
        expected.sort_unstable();
        assert_eq!(sorted.iter().collect::<Vec<_>>(), expected);
        for (id, text) in texts.iter().enumerate() {
            assert_eq!(sorted.get(places[id] as usize), *text);
        }
    }
}
