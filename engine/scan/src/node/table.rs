//! Hash to id: an open-addressing table that is probed a batch at a time, so that the cache misses of
//! a batch overlap.

/// Slots hold the upper half of a hash and an id; id 0 marks a free slot.
#[derive(Debug)]
pub(super) struct HashIds {
    slots: Vec<u64>,
    mask: usize,
    len: usize,
}

const INITIAL_SLOTS: usize = 1 << 10;

impl HashIds {
    pub(super) fn new() -> Self {
        Self { slots: vec![0; INITIAL_SLOTS], mask: INITIAL_SLOTS - 1, len: 0 }
    }

    /// Makes room for so many more entries.
    pub(super) fn reserve(&mut self, more: usize) {
        let needed = (self.len + more).saturating_mul(2).next_power_of_two();
        if needed <= self.slots.len() {
            return;
        }
        let old = std::mem::replace(&mut self.slots, vec![0; needed]);
        self.mask = needed - 1;
        // Only half of each hash is kept: enough bits for the place in any table that fits memory.
        for slot in old.into_iter().filter(|slot| *slot as u32 != 0) {
            let mut at = place(slot >> 32) & self.mask;
            while self.slots[at] as u32 != 0 {
                at = (at + 1) & self.mask;
            }
            self.slots[at] = slot;
        }
    }

    /// The first id of the hash whose value `is_equal`, else the free slot to put it in.
    #[inline]
    pub(super) fn find(
        &self,
        hash: u64,
        mut is_equal: impl FnMut(u32) -> bool,
    ) -> std::result::Result<u32, usize> {
        let tag = hash >> 32;
        let mut at = place(tag) & self.mask;
        loop {
            let slot = self.slots[at];
            if slot as u32 == 0 {
                return Err(at);
            }
            if slot >> 32 == tag && is_equal(slot as u32) {
                return Ok(slot as u32);
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Puts an id where [`HashIds::find`] found room.
    #[inline]
    pub(super) fn put(&mut self, at: usize, hash: u64, id: u32) {
        self.slots[at] = hash & 0xFFFF_FFFF_0000_0000 | u64::from(id);
        self.len += 1;
    }

    /// Reads the slots of some hashes: what is looked up next is then in the cache.
    #[inline]
    pub(super) fn touch(&self, hashes: &[u64]) -> u64 {
        hashes.iter().fold(0, |sum, hash| sum ^ self.slots[place(hash >> 32) & self.mask])
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.len() * 8
    }
}

/// Spreads 32 bits over the places of a table of any size.
#[inline]
fn place(tag: u64) -> usize {
    (tag.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_growth_and_collisions() {
        let mut table = HashIds::new();
        // Four values share each hash.
        let hash = |id: u32| u64::from(id / 4).wrapping_mul(0x1234_5678_9ABC_DEF1);
        for id in 1..20_000u32 {
            table.reserve(1);
            let at = table.find(hash(id), |found| found == id).unwrap_err();
            table.put(at, hash(id), id);
        }
        for id in 1..20_000 {
            assert_eq!(table.find(hash(id), |found| found == id), Ok(id));
        }
        assert!(table.find(hash(30_000), |found| found == 30_000).is_err());
    }
}
