//! A cache that holds at most so many bytes, shared by many threads.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// A guess that sizes the shards; more and fewer entries are as good.
const TYPICAL_ENTRY_BYTES: usize = 16 << 10;

/// How a cache does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Lookups that found something.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Entries now.
    pub entries: u64,
    /// Bytes now.
    pub bytes: u64,
}

/// Values by key, with the bytes that each was said to take. What was not read for long, or only
/// once, goes first.
pub struct BoundedCache<K, V> {
    entries: Cache<K, Entry<V>, ByBytes>,
    max_entry_bytes: usize,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    bytes: usize,
}

#[derive(Clone)]
struct ByBytes;

impl<K, V> Weighter<K, Entry<V>> for ByBytes {
    fn weight(&self, _key: &K, entry: &Entry<V>) -> u64 {
        entry.bytes as u64
    }
}

impl<K: Hash + Eq + Clone, V: Clone> BoundedCache<K, V> {
    /// A cache of `capacity_bytes`, of entries of at most `max_entry_bytes`.
    #[must_use]
    pub fn new(capacity_bytes: usize, max_entry_bytes: usize) -> Self {
        let items = capacity_bytes / TYPICAL_ENTRY_BYTES;
        Self {
            entries: Cache::with_weighter(items, capacity_bytes as u64, ByBytes),
            max_entry_bytes: max_entry_bytes.min(capacity_bytes),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<V> {
        let found = self.entries.get(key).map(|entry| entry.value);
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Keeps a value that takes `bytes`, key and bookkeeping not counted. Too large ones are not
    /// kept. True when it was small enough.
    pub fn put(&self, key: K, value: V, bytes: usize) -> bool {
        let fits = bytes <= self.max_entry_bytes;
        if fits {
            // What keeps an entry findable takes memory, too.
            let bytes = bytes + size_of::<K>() + size_of::<Entry<V>>() + 64;
            self.entries.insert(key, Entry { value, bytes });
        }
        fits
    }

    /// How the cache does.
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            entries: self.entries.len() as u64,
            bytes: self.entries.weight(),
        }
    }
}

impl<K, V> Debug for BoundedCache<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundedCache")
            .field("max_entry_bytes", &self.max_entry_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_bounded_whatever_is_put() {
        let cache = BoundedCache::new(64 << 10, 8 << 10);
        for key in 0..1_000_u64 {
            assert!(cache.put(key, key, 1_000 + (key as usize % 4_000)));
        }
        let stats = cache.stats();
        assert!(stats.bytes <= 64 << 10, "{stats:?}");
        assert!(stats.entries >= 5, "{stats:?}");
        assert!(!cache.put(5_000, 0, 9 << 10), "too large for one entry");
        assert_eq!(cache.get(&5_000), None);
    }

    #[test]
    fn what_is_read_often_outlives_a_sweep() {
        let cache = BoundedCache::new(64 << 10, 8 << 10);
        cache.put(u64::MAX, 7, 1_000);
        for key in 0..1_000 {
            assert_eq!(cache.get(&u64::MAX), Some(7));
            cache.put(key, 0, 1_000);
        }
        assert_eq!(cache.stats().hits, 1_000);
    }
}
