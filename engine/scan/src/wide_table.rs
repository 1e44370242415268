//! An open-addressing table from 128-bit keys to ids that count up from 0. Slots hold half of a hash
//! and an id, so that four times as many of them fit the cache as keys would.

/// Gives each distinct key the next id.
#[derive(Debug)]
pub(crate) struct WideIdTable {
    /// The upper half of a hash above an id plus one; 0 is free.
    slots: Vec<u64>,
    bits: u32,
    keys: Vec<u128>,
}

const INITIAL_BITS: u32 = 8;
/// Keys that are looked up together.
const TOUCHED_KEYS: usize = 256;
const HASH_HALF: u64 = 0xFFFF_FFFF_0000_0000;

/// Folded multiplications: every bit of the key reaches the high bits that pick the slot.
#[inline]
fn hash(key: u128) -> u64 {
    let low = folded(key as u64 ^ 0x2D35_8DCC_AA6C_78A5, 0x9E37_79B9_7F4A_7C15);
    folded((key >> 64) as u64 ^ low, 0xD6E8_FEB8_6659_FD93)
}

#[inline]
fn folded(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

impl Default for WideIdTable {
    /// No keys.
    fn default() -> Self {
        Self { slots: vec![0; 1 << INITIAL_BITS], bits: INITIAL_BITS, keys: Vec::new() }
    }
}

impl WideIdTable {
    /// The distinct keys, in the order of their ids.
    pub(crate) fn keys(&self) -> &[u128] {
        &self.keys
    }

    /// Bytes of memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.slots.len() * size_of::<u64>() + self.keys.capacity() * size_of::<u128>()
    }

    /// Makes room for so many keys.
    pub(crate) fn reserve(&mut self, keys: usize) {
        self.keys.reserve(keys.saturating_sub(self.keys.len()));
        self.resize(keys.saturating_mul(2).next_power_of_two().ilog2());
    }

    /// The ids of several keys.
    pub(crate) fn ids_of(&mut self, keys: &[u128], ids: &mut [u32]) {
        let mut hashes = [0; TOUCHED_KEYS];
        for (keys, ids) in keys.chunks(TOUCHED_KEYS).zip(ids.chunks_mut(TOUCHED_KEYS)) {
            let hashes = &mut hashes[..keys.len()];
            hashes.iter_mut().zip(keys).for_each(|(to, key)| *to = hash(*key));
            self.touch(hashes);
            for ((id, &key), &hash) in ids.iter_mut().zip(keys).zip(&*hashes) {
                *id = self.id_of(key, hash);
            }
        }
    }

    /// Numbers keys as if none was seen before. The ids of keys are not asked for then.
    pub(crate) fn append(&mut self, keys: &[u128], ids: &mut [u32]) {
        let first = self.keys.len() as u32;
        self.keys.extend_from_slice(keys);
        ids.iter_mut().zip(first..).for_each(|(id, next)| *id = next);
    }

    /// Reads where keys should be, so that a large table's cache misses overlap.
    fn touch(&self, hashes: &[u64]) {
        let mask = self.slots.len() - 1;
        let slots = hashes.iter().map(|hash| self.slots[self.place(*hash) & mask]);
        std::hint::black_box(slots.fold(0, |sum, slot| sum ^ slot));
    }

    #[inline]
    fn place(&self, hash: u64) -> usize {
        (hash >> (64 - self.bits)) as usize
    }

    #[inline]
    fn id_of(&mut self, key: u128, hash: u64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = self.place(hash);
        loop {
            let slot = self.slots[at & mask];
            if slot == 0 {
                return self.insert(at & mask, key, hash);
            }
            let id = slot as u32 - 1;
            if (slot ^ hash) & HASH_HALF == 0 && self.keys[id as usize] == key {
                return id;
            }
            at += 1;
        }
    }

    fn insert(&mut self, at: usize, key: u128, hash: u64) -> u32 {
        let id = self.keys.len() as u32;
        self.keys.push(key);
        self.slots[at] = hash & HASH_HALF | u64::from(id + 1);
        if self.keys.len() * 2 > self.slots.len() {
            self.resize(self.bits + 2);
        }
        id
    }

    /// Half of a hash says the place in tables of up to 2^32 slots, so no key is read.
    #[cold]
    fn resize(&mut self, bits: u32) {
        if bits <= self.bits {
            return;
        }
        self.bits = bits;
        let old = std::mem::replace(&mut self.slots, vec![0; 1 << bits]);
        let mask = self.slots.len() - 1;
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            let mut at = self.place(slot);
            while self.slots[at & mask] != 0 {
                at += 1;
            }
            self.slots[at & mask] = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_and_stay() {
        let wide = |i: u128| (i * i) << (i % 90) | i << 3;
        let keys: Vec<u128> = (0..20_000).map(wide).chain([0, u128::MAX]).collect();
        for room in [0, 1_000, 100_000] {
            let mut table = WideIdTable::default();
            table.reserve(room);
            let (mut ids, mut again) = (vec![0; keys.len()], vec![0; keys.len()]);
            table.ids_of(&keys, &mut ids);
            table.ids_of(&keys, &mut again);
            assert_eq!(ids, again);
            assert!(keys.iter().zip(&ids).all(|(key, id)| table.keys()[*id as usize] == *key));
            let distinct: std::collections::HashSet<_> = keys.iter().collect();
            assert_eq!(table.keys().len(), distinct.len());
        }
    }
}
