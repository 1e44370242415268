//! What every [`PartialCache`] keeps to.

use std::sync::Arc;

use henge_exec::{BucketStarts, GroupedPartial, Partial};
use henge_types::{Interval, SegmentId, Version};

use super::{PartialCache, PartialKey};

type Open<'a> = &'a dyn Fn(usize, usize) -> Box<dyn PartialCache>;

/// Runs the contract over caches that `open(capacity_bytes, max_entry_bytes)` gives.
pub(super) fn holds(open: impl Fn(usize, usize) -> Box<dyn PartialCache>) {
    f_67_versions_and_queries_are_kept_apart(&open);
    the_bound_holds_and_large_entries_are_refused(&open);
    nothing_fits_into_nothing(&open);
}

fn key(version: u64, query: u128) -> PartialKey {
    let interval = Interval { start_ms: 0, end_ms: 1 };
    PartialKey { segment: SegmentId::new("t", interval, Version(version), 0), query }
}

/// A partial of `groups` groups of 8 bytes.
fn partial(groups: usize) -> Arc<Partial> {
    let bucket_starts = BucketStarts::At(vec![0; groups]);
    Arc::new(Partial::Grouped(GroupedPartial { bucket_starts, ..GroupedPartial::default() }))
}

fn groups(partial: Option<Arc<Partial>>) -> Option<usize> {
    partial.map(|partial| match &*partial {
        Partial::Grouped(groups) => groups.group_count(),
        _ => 0,
    })
}

fn f_67_versions_and_queries_are_kept_apart(open: Open<'_>) {
    let cache = open(1 << 20, 1 << 16);
    cache.put(key(1, 1), partial(1));
    cache.put(key(2, 1), partial(2));
    cache.put(key(1, 2), partial(3));
    assert_eq!(groups(cache.get(&key(1, 1))), Some(1));
    assert_eq!(groups(cache.get(&key(2, 1))), Some(2));
    assert_eq!(groups(cache.get(&key(1, 2))), Some(3));
    assert_eq!(groups(cache.get(&key(2, 2))), None);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.entries), (3, 1, 3));
}

fn the_bound_holds_and_large_entries_are_refused(open: Open<'_>) {
    let cache = open(64 << 10, 8 << 10);
    for version in 0..500 {
        cache.put(key(version, 0), partial(500));
    }
    assert!(cache.stats().bytes <= 64 << 10);
    cache.put(key(1_000, 0), partial(2_000));
    assert_eq!(groups(cache.get(&key(1_000, 0))), None);
    assert_eq!(cache.max_entry_bytes(), 8 << 10);
}

fn nothing_fits_into_nothing(open: Open<'_>) {
    let cache = open(0, 1 << 20);
    cache.put(key(1, 1), partial(1));
    assert_eq!(groups(cache.get(&key(1, 1))), None);
}
