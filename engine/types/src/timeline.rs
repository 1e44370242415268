//! The versioned timeline of a datasource: which segments answer for which time.
//!
//! Multi-version concurrency control by version within a time chunk: at every instant the highest
//! complete version wins. A version is complete when all partitions of its core set are present;
//! appended partitions join it from then on. So a query sees each chunk wholly old or wholly new.

mod entry;
mod slices;
#[cfg(test)]
mod tests;

use entry::{Entry, EntryKey};
use slices::Slices;

use crate::interval::Interval;
use crate::segment_id::{SegmentId, Version};
use crate::shard_spec::ShardSpec;

/// A segment in a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk<T> {
    /// The segment.
    pub id: SegmentId,
    /// Its part of the time chunk.
    pub shard: ShardSpec,
    /// What the owner of the timeline keeps for it.
    pub payload: T,
}

/// The segments that answer for one slice of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineHolder<T> {
    /// The slice, within the interval asked for. May be shorter than the segments' own interval: scan
    /// each segment for this interval only.
    pub interval: Interval,
    /// The version that is visible here.
    pub version: Version,
    /// Its segments by partition: the whole core set and what was appended.
    pub chunks: Vec<Chunk<T>>,
}

/// The versioned timeline of one datasource.
#[derive(Debug, Clone)]
pub struct Timeline<T> {
    entries: entry::Entries<T>,
    visible: Slices,
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self { entries: entry::Entries::default(), visible: Slices::default() }
    }
}

impl<T: Clone> Timeline<T> {
    /// An empty timeline.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a segment, or replaces the shard spec and payload of one already present; returns the
    /// payload replaced.
    pub fn add(&mut self, id: SegmentId, shard: ShardSpec, payload: T) -> Option<T> {
        let key = EntryKey::of(&id);
        let entry = self.entries.get_or_insert(key);
        let was_complete = entry.is_complete();
        let replaced = entry.add(Chunk { id, shard, payload });
        let is_complete = entry.is_complete();
        self.settle(key, was_complete, is_complete);
        replaced
    }

    /// Removes a segment and returns its payload.
    pub fn remove(&mut self, id: &SegmentId) -> Option<T> {
        let key = EntryKey::of(id);
        let entry = self.entries.get_mut(&key)?;
        let was_complete = entry.is_complete();
        let removed = entry.remove(id)?;
        let is_complete = entry.is_complete();
        if entry.is_empty() {
            self.entries.remove(&key);
        }
        self.settle(key, was_complete, is_complete);
        Some(removed)
    }

    /// Brings the visible slices in line with a change of one entry's completeness.
    fn settle(&mut self, key: EntryKey, was_complete: bool, is_complete: bool) {
        if is_complete && !was_complete {
            self.visible.overlay(key);
        }
        if was_complete && !is_complete {
            for hole in self.visible.withdraw(key) {
                for candidate in self.entries.complete_overlapping(hole) {
                    self.visible.overlay_within(candidate, hole);
                }
            }
        }
    }

    /// The visible segments of an interval, in order of time. Slices without data are left out.
    #[must_use]
    pub fn lookup(&self, interval: Interval) -> Vec<TimelineHolder<T>> {
        let slices = self.visible.overlapping(interval);
        let holders = slices.filter_map(|(slice, key)| {
            Some(TimelineHolder {
                interval: slice.intersect(&interval)?,
                version: key.version,
                chunks: self.entries.get(&key)?.chunks().cloned().collect(),
            })
        });
        holders.collect()
    }

    /// All segments, visible or not, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Chunk<T>> {
        self.entries.iter().flat_map(Entry::chunks)
    }

    /// A segment by id, visible or not.
    #[must_use]
    pub fn get(&self, id: &SegmentId) -> Option<&Chunk<T>> {
        self.entries.get(&EntryKey::of(id))?.get(id)
    }

    /// The payload of a segment, to be changed in place.
    pub fn payload_mut(&mut self, id: &SegmentId) -> Option<&mut T> {
        Some(&mut self.entries.get_mut(&EntryKey::of(id))?.get_mut(id)?.payload)
    }

    /// The number of segments, visible or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.iter().map(|entry| entry.chunks().count()).sum()
    }

    /// True when there is no segment at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.iter().next().is_none()
    }

    /// The segments that complete higher versions hide over their whole interval, so that no query
    /// can see them, in order of id.
    #[must_use]
    pub fn overshadowed(&self) -> Vec<SegmentId> {
        let hidden = self.entries.keys().filter(|key| self.visible.hides(key));
        let mut ids: Vec<SegmentId> = hidden
            .filter_map(|key| self.entries.get(key))
            .flat_map(|entry| entry.chunks().map(|chunk| chunk.id.clone()))
            .collect();
        ids.sort_unstable();
        ids
    }

    /// True when complete higher versions hide the whole interval of this segment, which need not be
    /// in the timeline.
    #[must_use]
    pub fn is_overshadowed(&self, id: &SegmentId) -> bool {
        self.visible.hides(&EntryKey::of(id))
    }

    /// The smallest interval that covers everything visible; `None` when nothing is.
    #[must_use]
    pub fn visible_span(&self) -> Option<Interval> {
        self.visible.span()
    }
}
