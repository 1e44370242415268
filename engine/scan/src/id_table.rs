//! An open-addressing table from 64-bit keys to ids that count up from 0: the heart of hash
//! grouping.

/// Gives each distinct key the next id.
#[derive(Debug)]
pub struct IdTable {
    entries: Vec<Entry>,
    keys: Vec<u64>,
    shift: u32,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u64,
    /// The id plus one; 0 marks a free entry.
    tag: u32,
}

const FREE: Entry = Entry { key: 0, tag: 0 };
const INITIAL_BITS: u32 = 8;
/// Keys that are looked up together.
const TOUCHED_KEYS: usize = 256;
/// Tables of more entries exceed the first cache many times over.
const LARGE_ENTRIES: usize = 1 << 14;

/// Folded multiplication: every bit of the key reaches the high bits that pick the entry.
#[inline]
fn hash(key: u64) -> u64 {
    let product = u128::from(key ^ 0x2D35_8DCC_AA6C_78A5) * 0x9E37_79B9_7F4A_7C15;
    (product as u64) ^ ((product >> 64) as u64)
}

impl Default for IdTable {
    /// No keys.
    fn default() -> Self {
        Self { entries: vec![FREE; 1 << INITIAL_BITS], keys: Vec::new(), shift: 64 - INITIAL_BITS }
    }
}

impl IdTable {
    /// The distinct keys, in the order of their ids.
    #[inline]
    pub fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// How many distinct keys there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Bytes of memory, roughly.
    pub fn memory_bytes(&self) -> usize {
        self.entries.len() * size_of::<Entry>() + self.keys.capacity() * 8
    }

    /// Makes room for so many keys.
    pub fn reserve(&mut self, keys: usize) {
        self.keys.reserve(keys.saturating_sub(self.keys.len()));
        let bits = keys.saturating_mul(2).next_power_of_two().ilog2();
        if bits > 64 - self.shift {
            self.resize(bits);
        }
    }

    /// The id of a key, a new one when the key was not seen before.
    #[inline]
    pub fn id_of(&mut self, key: u64) -> u32 {
        let mask = self.entries.len() - 1;
        let mut at = (hash(key) >> self.shift) as usize & mask;
        loop {
            let entry = self.entries[at & mask];
            if entry.tag == 0 {
                return self.insert(at, key);
            }
            if entry.key == key {
                return entry.tag - 1;
            }
            at = (at + 1) & mask;
        }
    }

    /// The ids of several keys.
    pub fn ids_of(&mut self, keys: &[u64], ids: &mut [u32]) {
        let mut last = None;
        for (keys, ids) in keys.chunks(TOUCHED_KEYS).zip(ids.chunks_mut(TOUCHED_KEYS)) {
            self.touch(keys);
            for (id, &key) in ids.iter_mut().zip(keys) {
                *id = match last {
                    Some((seen, id)) if seen == key => id,
                    _ => self.id_of(key),
                };
                last = Some((key, *id));
            }
        }
    }

    /// Numbers keys as if none was seen before. The ids of keys are not asked for then.
    pub(crate) fn append(&mut self, keys: &[u64], ids: &mut [u32]) {
        let first = self.keys.len() as u32;
        self.keys.extend_from_slice(keys);
        ids.iter_mut().zip(first..).for_each(|(id, next)| *id = next);
    }

    /// Reads where keys should be, so that a large table's cache misses overlap: no branch stops
    /// the processor from reading ahead.
    fn touch(&self, keys: &[u64]) {
        if self.entries.len() < LARGE_ENTRIES {
            return;
        }
        let mask = self.entries.len() - 1;
        let tags =
            keys.iter().map(|&key| self.entries[(hash(key) >> self.shift) as usize & mask].tag);
        std::hint::black_box(tags.fold(0, |sum: u32, tag| sum.wrapping_add(tag)));
    }

    #[cold]
    fn insert(&mut self, at: usize, key: u64) -> u32 {
        let id = self.keys.len() as u32;
        self.keys.push(key);
        self.entries[at] = Entry { key, tag: id + 1 };
        if self.keys.len() * 2 > self.entries.len() {
            self.resize(64 - self.shift + 2);
        }
        id
    }

    fn resize(&mut self, bits: u32) {
        self.shift = 64 - bits;
        let mask = (1usize << bits) - 1;
        self.entries = vec![FREE; mask + 1];
        for (id, &key) in self.keys.iter().enumerate() {
            let mut at = (hash(key) >> self.shift) as usize;
            while self.entries[at].tag != 0 {
                at = (at + 1) & mask;
            }
            self.entries[at] = Entry { key, tag: id as u32 + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_and_stay() {
        let mut table = IdTable::default();
        let keys: Vec<u64> = (0..20_000).map(|i: u64| i.wrapping_mul(i) << (i % 40)).collect();
        let ids: Vec<u32> = keys.iter().map(|&key| table.id_of(key)).collect();
        for (key, id) in keys.iter().zip(&ids) {
            assert_eq!(table.id_of(*key), *id);
            assert_eq!(table.keys()[*id as usize], *key);
        }
        let mut together = vec![0; keys.len()];
        IdTable::default().ids_of(&keys, &mut together);
        assert_eq!(together, ids);
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(table.len(), distinct.len());
    }
}
