//! The segments of one interval and version, and the index of all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Chunk;
use crate::interval::Interval;
use crate::segment_id::{SegmentId, Version};

/// An interval and a version: what becomes visible, or not, as one.
///
/// Ordered by rank: a higher one hides a lower one. Versions are issued once, so equal versions
/// hardly overlap; should they, the later and then the shorter interval wins, whatever came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryKey {
    pub(super) version: Version,
    start_ms: i64,
    /// Reversed, so that the shorter of two with equal start ranks higher.
    end_ms: std::cmp::Reverse<i64>,
}

impl EntryKey {
    pub(super) fn of(id: &SegmentId) -> Self {
        Self {
            version: id.version,
            start_ms: id.interval.start_ms,
            end_ms: std::cmp::Reverse(id.interval.end_ms),
        }
    }

    pub(super) fn interval(&self) -> Interval {
        Interval { start_ms: self.start_ms, end_ms: self.end_ms.0 }
    }
}

/// The segments of one interval and version, by partition.
#[derive(Debug, Clone)]
pub(super) struct Entry<T> {
    chunks: BTreeMap<u32, Chunk<T>>,
}

impl<T> Entry<T> {
    /// True when every partition of the core set is present. Should chunks disagree about its size,
    /// the largest holds, because to show a part of a set would be a wrong answer.
    pub(super) fn is_complete(&self) -> bool {
        let core = self.chunks.values().map(|chunk| chunk.shard.core_partitions()).max();
        match core {
            None => false,
            Some(core) => {
                let present = self.chunks.range(..core).count();
                u32::try_from(present).is_ok_and(|present| present == core)
            }
        }
    }

    pub(super) fn add(&mut self, chunk: Chunk<T>) -> Option<T> {
        self.chunks.insert(chunk.id.partition, chunk).map(|replaced| replaced.payload)
    }

    pub(super) fn remove(&mut self, id: &SegmentId) -> Option<T> {
        self.chunks.remove(&id.partition).map(|removed| removed.payload)
    }

    pub(super) fn get(&self, id: &SegmentId) -> Option<&Chunk<T>> {
        self.chunks.get(&id.partition)
    }

    pub(super) fn get_mut(&mut self, id: &SegmentId) -> Option<&mut Chunk<T>> {
        self.chunks.get_mut(&id.partition)
    }

    pub(super) fn chunks(&self) -> impl Iterator<Item = &Chunk<T>> {
        self.chunks.values()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

/// All entries, found by key and by overlap.
///
/// For the overlap search, keys are grouped by the magnitude of their length: within a group every
/// key that overlaps an interval starts within a known distance of it.
#[derive(Debug, Clone)]
pub(super) struct Entries<T> {
    by_key: BTreeMap<EntryKey, Entry<T>>,
    by_magnitude: BTreeMap<u32, BTreeSet<(i64, EntryKey)>>,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), by_magnitude: BTreeMap::new() }
    }
}

impl<T> Entries<T> {
    pub(super) fn get_or_insert(&mut self, key: EntryKey) -> &mut Entry<T> {
        self.by_key.entry(key).or_insert_with(|| {
            self.by_magnitude.entry(magnitude(&key)).or_default().insert((key.start_ms, key));
            Entry { chunks: BTreeMap::new() }
        })
    }

    pub(super) fn remove(&mut self, key: &EntryKey) {
        if self.by_key.remove(key).is_none() {
            return;
        }
        if let Some(group) = self.by_magnitude.get_mut(&magnitude(key)) {
            group.remove(&(key.start_ms, *key));
            if group.is_empty() {
                self.by_magnitude.remove(&magnitude(key));
            }
        }
    }

    pub(super) fn get(&self, key: &EntryKey) -> Option<&Entry<T>> {
        self.by_key.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &EntryKey) -> Option<&mut Entry<T>> {
        self.by_key.get_mut(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        self.by_key.values()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &EntryKey> {
        self.by_key.keys()
    }

    /// The complete entries that overlap an interval.
    pub(super) fn complete_overlapping(&self, interval: Interval) -> Vec<EntryKey> {
        let mut found = Vec::new();
        for (magnitude, group) in &self.by_magnitude {
            let longest_ms = 1_i64.checked_shl(*magnitude).filter(|ms| *ms > 0).unwrap_or(i64::MAX);
            let earliest_ms = interval.start_ms.saturating_sub(longest_ms);
            let starts = group.iter_from(earliest_ms);
            let starts = starts.take_while(|(start_ms, _)| *start_ms < interval.end_ms);
            found.extend(starts.map(|(_, key)| *key).filter(|key| {
                key.interval().overlaps(&interval)
                    && self.by_key.get(key).is_some_and(Entry::is_complete)
            }));
        }
        found
    }
}

trait IterFrom {
    fn iter_from(&self, start_ms: i64) -> impl Iterator<Item = &(i64, EntryKey)>;
}

impl IterFrom for BTreeSet<(i64, EntryKey)> {
    fn iter_from(&self, start_ms: i64) -> impl Iterator<Item = &(i64, EntryKey)> {
        let lowest = EntryKey {
            version: Version(0),
            start_ms: i64::MIN,
            end_ms: std::cmp::Reverse(i64::MAX),
        };
        self.range((start_ms, lowest)..)
    }
}

/// The number of bits of the length: lengths of a group are below `1 << magnitude`.
fn magnitude(key: &EntryKey) -> u32 {
    i64::BITS - key.interval().duration_ms().leading_zeros()
}
