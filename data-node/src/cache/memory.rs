//! Contributions of segments in this process's memory.

use std::sync::Arc;

use henge_exec::Partial;
use henge_platform::cache::{BoundedCache, CacheStats};

use super::{PartialCache, PartialKey};

/// A [`PartialCache`] in memory.
#[derive(Debug)]
pub struct MemoryPartialCache {
    entries: BoundedCache<PartialKey, Arc<Partial>>,
    max_entry_bytes: usize,
}

impl MemoryPartialCache {
    /// A cache of `capacity_bytes`, of entries of at most `max_entry_bytes`.
    #[must_use]
    pub fn new(capacity_bytes: usize, max_entry_bytes: usize) -> Self {
        let max_entry_bytes = max_entry_bytes.min(capacity_bytes);
        Self { entries: BoundedCache::new(capacity_bytes, max_entry_bytes), max_entry_bytes }
    }
}

impl PartialCache for MemoryPartialCache {
    fn get(&self, key: &PartialKey) -> Option<Arc<Partial>> {
        self.entries.get(key)
    }

    fn put(&self, key: PartialKey, partial: Arc<Partial>) {
        let bytes = partial.memory_bytes();
        self.entries.put(key, partial, bytes);
    }

    fn max_entry_bytes(&self) -> usize {
        self.max_entry_bytes
    }

    fn stats(&self) -> CacheStats {
        self.entries.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::*;

    #[test]
    fn the_contract_holds() {
        contract::holds(|capacity, entry| Box::new(MemoryPartialCache::new(capacity, entry)));
    }
}
