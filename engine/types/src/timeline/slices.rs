//! The visible slices of time: disjoint, each owned by the entry that answers for it.

use std::collections::BTreeMap;

use super::entry::EntryKey;
use crate::interval::Interval;

/// Disjoint slices by start.
#[derive(Debug, Clone, Default)]
pub(super) struct Slices {
    by_start: BTreeMap<i64, Slice>,
}

#[derive(Debug, Clone, Copy)]
struct Slice {
    end_ms: i64,
    owner: EntryKey,
}

impl Slices {
    /// Lets an entry own every part of its interval where no higher one does.
    pub(super) fn overlay(&mut self, key: EntryKey) {
        self.overlay_within(key, key.interval());
    }

    /// As [`Self::overlay`], but changes nothing outside of `bounds`.
    pub(super) fn overlay_within(&mut self, key: EntryKey, bounds: Interval) {
        let Some(interval) = key.interval().intersect(&bounds) else { return };
        let lower: Vec<(Interval, EntryKey)> =
            self.overlapping(interval).filter(|(_, owner)| *owner < key).collect();
        for (slice, owner) in lower {
            self.cut(slice, owner, interval);
        }
        let mut free_from = interval.start_ms;
        let taken: Vec<Interval> = self.overlapping(interval).map(|(slice, _)| slice).collect();
        for slice in taken {
            self.insert(free_from, slice.start_ms, key);
            free_from = slice.end_ms;
        }
        self.insert(free_from, interval.end_ms, key);
        self.merge_owned(key);
    }

    /// Takes everything from an entry; returns the holes that leaves.
    pub(super) fn withdraw(&mut self, key: EntryKey) -> Vec<Interval> {
        let owned = self.overlapping(key.interval()).filter(|(_, owner)| *owner == key);
        let holes: Vec<Interval> = owned.map(|(slice, _)| slice).collect();
        for hole in &holes {
            self.by_start.remove(&hole.start_ms);
        }
        holes
    }

    /// The whole slices that overlap an interval, in order.
    pub(super) fn overlapping(
        &self,
        interval: Interval,
    ) -> impl Iterator<Item = (Interval, EntryKey)> {
        let before = self.by_start.range(..interval.start_ms).next_back();
        let inside = self.by_start.range(interval.start_ms..interval.end_ms.max(interval.start_ms));
        let slices = before.into_iter().chain(inside).map(|(start_ms, slice)| {
            (Interval { start_ms: *start_ms, end_ms: slice.end_ms }, slice.owner)
        });
        slices.filter(move |(slice, _)| slice.overlaps(&interval))
    }

    /// True when owners of higher rank cover the whole interval of an entry.
    pub(super) fn hides(&self, key: &EntryKey) -> bool {
        let interval = key.interval();
        let mut covered_to = interval.start_ms;
        for (slice, owner) in self.overlapping(interval) {
            if owner <= *key || slice.start_ms > covered_to {
                return false;
            }
            covered_to = slice.end_ms;
        }
        !interval.is_empty() && covered_to >= interval.end_ms
    }

    /// From the first slice's start to the last one's end.
    pub(super) fn span(&self) -> Option<Interval> {
        let (start_ms, _) = self.by_start.first_key_value()?;
        let (_, last) = self.by_start.last_key_value()?;
        Some(Interval { start_ms: *start_ms, end_ms: last.end_ms })
    }

    /// Cuts an interval out of a slice.
    fn cut(&mut self, slice: Interval, owner: EntryKey, interval: Interval) {
        self.by_start.remove(&slice.start_ms);
        self.insert(slice.start_ms, interval.start_ms, owner);
        self.insert(interval.end_ms, slice.end_ms, owner);
    }

    fn insert(&mut self, start_ms: i64, end_ms: i64, owner: EntryKey) {
        if start_ms < end_ms {
            self.by_start.insert(start_ms, Slice { end_ms, owner });
        }
    }

    /// Joins slices of one owner that abut, so that a lookup answers with the fewest slices.
    fn merge_owned(&mut self, key: EntryKey) {
        let owned = self.overlapping(key.interval()).filter(|(_, owner)| *owner == key);
        let owned: Vec<Interval> = owned.map(|(slice, _)| slice).collect();
        let mut current: Option<Interval> = None;
        for slice in owned {
            match current {
                Some(previous) if previous.end_ms == slice.start_ms => {
                    self.by_start.remove(&slice.start_ms);
                    let joined = previous.span(&slice);
                    self.insert(joined.start_ms, joined.end_ms, key);
                    current = Some(joined);
                }
                _ => current = Some(slice),
            }
        }
    }
}
