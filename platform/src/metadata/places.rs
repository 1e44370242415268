//! Where an append goes: what lies there decides the chunk (ADR 7). Decisions without storage,
//! shared by all implementations.
//!
//! In this order: the published chunk that is visible at the rows' time, the open one (allocated,
//! not published), the bucket that was asked for if it overlaps neither, the largest finer one that
//! does not. So a row finds a place whatever sizes of chunks lie around it.

use std::collections::BTreeSet;

use henge_types::{Granularity, Interval, Version};

use super::error::{MetadataError, Result};
use super::rules::{UsedSegment, complete_sets};

/// The sizes of chunks that are tried where the wanted one overlaps others, largest first. Weeks are
/// left out: they are not made of anything, and nothing but days is made of them.
const FINER: [&str; 13] = [
    "year",
    "quarter",
    "month",
    "day",
    "eight_hour",
    "six_hour",
    "hour",
    "thirty_minute",
    "fifteen_minute",
    "ten_minute",
    "five_minute",
    "minute",
    "second",
];

/// An interval and a version: what becomes visible as one.
pub(super) type ChunkVersion = (Interval, Version);

/// What an allocation sees of its surroundings.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// Used segments within [`reach`].
    pub used: Vec<UsedSegment>,
    /// Allocated and not published.
    pub pending: Vec<ChunkVersion>,
    /// Ever published, used or not.
    pub published: Vec<ChunkVersion>,
}

/// Where an append goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The chunk.
    pub interval: Interval,
    /// A version that is there; `None` for a new one.
    pub version: Option<Version>,
    /// Of that version.
    pub core_partitions: u32,
    /// The part of the interval around the rows that nothing newer covers.
    pub slice: Interval,
}

/// Where the used segments that matter to an allocation may lie, given the chunks that overlap what
/// was asked for.
pub(super) fn reach(asked: Interval, chunks: impl IntoIterator<Item = Interval>) -> Interval {
    chunks.into_iter().fold(asked, |span, interval| span.span(&interval))
}

/// The one place for all of `rows`, of which the first decides; `bucket` is what is wanted there.
pub(super) fn place_append(
    rows: Interval,
    bucket: Interval,
    around: &Surroundings,
) -> Result<Place> {
    let place = Places::new(around).at(rows.start_ms, bucket);
    if place.slice.contains_interval(&rows) {
        return Ok(place);
    }
    let used = around.used.iter().map(|used| used.id.interval);
    let pending = around.pending.iter().map(|(interval, _)| *interval);
    let existing: BTreeSet<_> = used.chain(pending).filter(|i| i.overlaps(&rows)).collect();
    Err(MetadataError::IntervalConflict {
        requested: rows,
        existing: existing.into_iter().collect(),
    })
}

struct Places<'a> {
    visible: Vec<&'a UsedSegment>,
    around: &'a Surroundings,
}

impl<'a> Places<'a> {
    fn new(around: &'a Surroundings) -> Self {
        Self { visible: complete_sets(&around.used), around }
    }

    fn at(&self, time_ms: i64, bucket: Interval) -> Place {
        let here = self.visible.iter().filter(|used| used.id.interval.contains(time_ms));
        if let Some(newest) = here.max_by_key(|used| used.id.version) {
            let (interval, version) = (newest.id.interval, newest.id.version);
            let core_partitions = newest.shard_spec.core_partitions();
            let slice = self.slice(time_ms, (interval, version));
            return Place { interval, version: Some(version), core_partitions, slice };
        }
        let open = self.around.pending.iter().filter(|chunk| self.is_open_at(time_ms, chunk));
        if let Some(newest) = open.max_by_key(|(_, version)| *version) {
            let (interval, version) = *newest;
            let slice = self.slice(time_ms, *newest);
            return Place { interval, version: Some(version), core_partitions: 0, slice };
        }
        let mut wanted = std::iter::once(bucket).chain(finer_buckets(time_ms, bucket));
        let free = wanted.find(|wanted| self.is_free(time_ms, wanted));
        // A moment that lies in no chunk overlaps none.
        let interval =
            free.unwrap_or(Interval { start_ms: time_ms, end_ms: time_ms.saturating_add(1) });
        Place { interval, version: None, core_partitions: 0, slice: interval }
    }

    /// True when rows of this time could be published under a pending chunk and then be seen.
    fn is_open_at(&self, time_ms: i64, chunk: &ChunkVersion) -> bool {
        let (interval, version) = chunk;
        // Below a version that was published and dropped, they could come to be hidden again.
        let was_newer = |(other, newer): &ChunkVersion| newer >= version && other.contains(time_ms);
        interval.contains(time_ms)
            && !self.around.published.iter().any(was_newer)
            && !self.hides(chunk)
    }

    /// True when publishing in this chunk would hide visible segments.
    fn hides(&self, (interval, version): &ChunkVersion) -> bool {
        let hidden =
            |used: &&UsedSegment| used.id.version < *version && used.id.interval.overlaps(interval);
        self.visible.iter().any(hidden)
    }

    /// True when a new chunk overlaps none that is visible or open.
    fn is_free(&self, time_ms: i64, wanted: &Interval) -> bool {
        // One around this very time would have been taken, were it open there.
        let is_open_elsewhere = |chunk: &&ChunkVersion| {
            let (interval, version) = chunk;
            let was_replaced = |(other, newer): &ChunkVersion| {
                newer >= version && other.contains_interval(interval)
            };
            !interval.contains(time_ms)
                && !self.around.published.iter().any(was_replaced)
                && !self.hides(chunk)
        };
        let mut open = self.around.pending.iter().filter(is_open_elsewhere);
        !self.visible.iter().any(|used| used.id.interval.overlaps(wanted))
            && !open.any(|(interval, _)| interval.overlaps(wanted))
    }

    /// The part of a chunk around a moment where nothing newer is visible.
    fn slice(&self, time_ms: i64, (interval, version): ChunkVersion) -> Interval {
        let newer = self.visible.iter().filter(|used| used.id.version > version);
        newer.map(|used| used.id.interval).fold(interval, |slice, newer| {
            if newer.end_ms <= time_ms {
                Interval { start_ms: slice.start_ms.max(newer.end_ms), ..slice }
            } else if newer.start_ms > time_ms {
                Interval { end_ms: slice.end_ms.min(newer.start_ms), ..slice }
            } else {
                slice
            }
        })
    }
}

/// The finer standard buckets around a moment that lie within a bucket, largest first.
fn finer_buckets(time_ms: i64, bucket: Interval) -> impl Iterator<Item = Interval> {
    let sizes = FINER.iter().filter_map(|name| Granularity::parse_name(name).ok());
    sizes
        .map(move |size| size.bucket(time_ms))
        .filter(move |finer| *finer != bucket && bucket.contains_interval(finer))
}

#[cfg(test)]
mod tests {
    use henge_types::{SegmentId, ShardSpec};

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn hours(first: i64, end: i64) -> Interval {
        Interval { start_ms: first * HOUR_MS, end_ms: end * HOUR_MS }
    }

    fn used(interval: Interval, version: u64) -> UsedSegment {
        let id = SegmentId::new("d", interval, Version(version), 0);
        UsedSegment { id, shard_spec: ShardSpec::appended(0) }
    }

    fn around(used: &[UsedSegment], pending: &[ChunkVersion]) -> Surroundings {
        let published = used.iter().map(|used| (used.id.interval, used.id.version));
        Surroundings {
            published: published.collect(),
            used: used.to_vec(),
            pending: pending.to_vec(),
        }
    }

    /// Interval, version and slice for a row of this hour in a schema of days.
    fn place(hour: i64, around: &Surroundings) -> (Interval, Option<u64>, Interval) {
        let time_ms = hour * HOUR_MS;
        let rows = Interval { start_ms: time_ms, end_ms: time_ms + 1 };
        let place = place_append(rows, hours(0, 24), around).unwrap();
        (place.interval, place.version.map(|version| version.0), place.slice)
    }

    #[test]
    fn a_new_bucket_is_as_large_as_its_neighbours_allow() {
        assert_eq!(place(3, &around(&[], &[])), (hours(0, 24), None, hours(0, 24)));
        let hour_5 = used(hours(5, 6), 1);
        let around = around(&[hour_5], &[(hours(18, 19), Version(2))]);
        // By hour: where eight hours overlap a neighbour, six may not.
        let free = [
            (0, hours(0, 1)),
            (4, hours(4, 5)),
            (6, hours(6, 12)),
            (9, hours(8, 16)),
            (17, hours(12, 18)),
            (20, hours(20, 21)),
        ];
        for (hour, interval) in free {
            assert_eq!(place(hour, &around), (interval, None, interval), "{hour}");
        }
        assert_eq!(place(5, &around), (hours(5, 6), Some(1), hours(5, 6)));
        assert_eq!(place(18, &around), (hours(18, 19), Some(2), hours(18, 19)));
    }

    #[test]
    fn what_newer_chunks_leave_of_a_coarse_one_is_its_slice() {
        let day_and_hours = [used(hours(0, 24), 1), used(hours(5, 6), 3), used(hours(10, 11), 2)];
        let published = around(&day_and_hours, &[]);
        assert_eq!(place(7, &published), (hours(0, 24), Some(1), hours(6, 10)));
        assert_eq!(place(11, &published), (hours(0, 24), Some(1), hours(11, 24)));
        assert_eq!(place(10, &published), (hours(10, 11), Some(2), hours(10, 11)));
        let open = around(&day_and_hours[1..], &[(hours(0, 24), Version(1))]);
        assert_eq!(place(7, &open), (hours(0, 24), Some(1), hours(6, 10)));
        // Above them it would hide them.
        let above = around(&day_and_hours[1..], &[(hours(0, 24), Version(9))]);
        assert_eq!(place(7, &above), (hours(7, 8), None, hours(7, 8)));
    }

    #[test]
    fn rows_that_no_single_place_takes_are_a_conflict() {
        let around = around(&[used(hours(5, 6), 3)], &[]);
        let conflict = |rows| place_append(rows, hours(0, 24), &around).is_err();
        assert!(conflict(hours(0, 24)) && conflict(hours(5, 7)));
        assert!(!conflict(hours(5, 6)) && !conflict(hours(8, 16)));
    }

    #[test]
    fn a_moment_between_chunks_has_a_place_at_last() {
        let halves = [
            used(Interval { start_ms: 0, end_ms: 999 }, 1),
            used(Interval { start_ms: 1_000, end_ms: 24 * HOUR_MS }, 2),
        ];
        let rows = Interval { start_ms: 999, end_ms: 1_000 };
        let place = place_append(rows, hours(0, 24), &around(&halves, &[])).unwrap();
        assert_eq!((place.interval, place.version), (rows, None));
    }
}
