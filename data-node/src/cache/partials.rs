//! One query's use of a [`PartialCache`]: its keys and its switches.

use std::sync::Arc;

use henge_exec::Partial;
use henge_query::Query;
use henge_types::Interval;
use xxhash_rust::xxh3::xxh3_128;

use super::{PartialCache, PartialKey};
use crate::SegmentDescriptor;

/// The cache as one query sees it.
#[derive(Debug, Clone)]
pub(crate) struct PartialCaching {
    cache: Arc<dyn PartialCache>,
    query: Arc<Query>,
    query_key: u128,
    reads: bool,
    writes: bool,
}

impl PartialCaching {
    /// `None` when the query's context wants no cache or its kind of contribution is not kept: scans
    /// are large, and what answers from a segment's footer is as quick as a cache.
    #[must_use]
    pub(crate) fn of(cache: Option<&Arc<dyn PartialCache>>, query: &Arc<Query>) -> Option<Self> {
        let context = &query.base().context;
        let kept = query.grouped().is_some()
            || matches!(**query, Query::Search(_) | Query::SegmentMetadata(_));
        // Rows that others are joined with are no part of the key.
        let kept = kept && query.base().data_source.is_stored();
        if !kept || !(context.use_cache || context.populate_cache) {
            return None;
        }
        Some(Self {
            cache: Arc::clone(cache?),
            query: Arc::clone(query),
            query_key: query.cache_key_without_intervals(),
            reads: context.use_cache,
            writes: context.populate_cache,
        })
    }

    /// What an immutable segment contributes, if it is known.
    #[must_use]
    pub(crate) fn get(&self, descriptor: &SegmentDescriptor) -> Option<Partial> {
        if !self.reads {
            return None;
        }
        Some(Partial::clone(&*self.cache.get(&self.key(descriptor))?))
    }

    /// Keeps what an immutable segment contributes: the whole of it, as `henge_exec::run` gives it
    /// for this query.
    pub(crate) fn put(&self, descriptor: &SegmentDescriptor, partial: &Partial) {
        if self.writes && partial.memory_bytes() <= self.cache.max_entry_bytes() {
            self.cache.put(self.key(descriptor), Arc::new(partial.clone()));
        }
    }

    /// Groups depend on no more of the intervals than what meets the segment, so that a window that
    /// moves on finds the segments that it still covers. Intervals keep their places: contributions
    /// tell their data's range by interval.
    fn key(&self, descriptor: &SegmentDescriptor) -> PartialKey {
        let is_grouped = self.query.grouped().is_some();
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&self.query_key.to_le_bytes());
        let mut add = |interval: Option<Interval>| {
            let (start, end) = interval.map_or((0, 0), |i| (i.start_ms, i.end_ms));
            bytes.extend_from_slice(&start.to_le_bytes());
            bytes.extend_from_slice(&end.to_le_bytes());
        };
        add(Some(descriptor.visible));
        for interval in &self.query.base().intervals {
            add(if is_grouped {
                interval.intersect(&descriptor.id.interval)
            } else {
                Some(*interval)
            });
        }
        PartialKey { segment: descriptor.id.clone(), query: xxh3_128(&bytes) }
    }
}

#[cfg(test)]
mod tests {
    use henge_exec::{BucketStarts, GroupedPartial};
    use henge_types::{SegmentId, Version};

    use super::super::MemoryPartialCache;
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn descriptor(version: u64, visible_end: i64) -> SegmentDescriptor {
        let interval = Interval { start_ms: 0, end_ms: 24 * HOUR_MS };
        let id = SegmentId::new("t", interval, Version(version), 0);
        SegmentDescriptor { id, visible: Interval { start_ms: 0, end_ms: visible_end } }
    }

    fn query(intervals: &str, context: &str) -> Arc<Query> {
        let text = format!(
            r#"{{"queryType":"groupBy","dataSource":"t","granularity":"all","dimensions":["d"],
            "intervals":{intervals},"aggregations":[{{"type":"count","name":"n"}}],
            "context":{context}}}"#
        );
        Arc::new(Query::parse(text.as_bytes()).unwrap())
    }

    fn caching(cache: &Arc<dyn PartialCache>, query: &Arc<Query>) -> PartialCaching {
        PartialCaching::of(Some(cache), query).unwrap()
    }

    fn groups(count: usize) -> Partial {
        Partial::Grouped(GroupedPartial {
            bucket_starts: BucketStarts::All(count),
            ..Default::default()
        })
    }

    #[test]
    fn a_window_that_still_covers_the_segment_finds_it() {
        let cache: Arc<dyn PartialCache> = Arc::new(MemoryPartialCache::new(1 << 20, 1 << 20));
        let day = descriptor(1, 24 * HOUR_MS);
        let first = query(r#"["1969-12-25/1970-01-02"]"#, "{}");
        caching(&cache, &first).put(&day, &groups(2));
        let later = query(r#"["1969-12-26/1970-01-03"]"#, "{}");
        let found = caching(&cache, &later).get(&day);
        assert!(matches!(found, Some(Partial::Grouped(groups)) if groups.group_count() == 2));
        let cut = query(r#"["1969-12-26/1970-01-01T12"]"#, "{}");
        assert!(caching(&cache, &cut).get(&day).is_none());
        let two = query(r#"["1969-12-25/1969-12-26","1969-12-27/1970-01-02"]"#, "{}");
        assert!(caching(&cache, &two).get(&day).is_none(), "ranges are by interval");
    }

    #[test]
    fn f_67_another_version_or_visible_part_is_another_entry() {
        let cache: Arc<dyn PartialCache> = Arc::new(MemoryPartialCache::new(1 << 20, 1 << 20));
        let query = query(r#"["1970-01-01/1970-01-02"]"#, "{}");
        caching(&cache, &query).put(&descriptor(1, 24 * HOUR_MS), &groups(1));
        assert!(caching(&cache, &query).get(&descriptor(1, 24 * HOUR_MS)).is_some());
        assert!(caching(&cache, &query).get(&descriptor(2, 24 * HOUR_MS)).is_none());
        assert!(caching(&cache, &query).get(&descriptor(1, 12 * HOUR_MS)).is_none());
    }

    #[test]
    fn the_context_decides_about_reading_and_writing() {
        let cache: Arc<dyn PartialCache> = Arc::new(MemoryPartialCache::new(1 << 20, 1 << 20));
        let of = |context: &str| query(r#"["1970-01-01/1970-01-02"]"#, context);
        let day = descriptor(1, 24 * HOUR_MS);
        let reader = caching(&cache, &of(r#"{"populateCache":false}"#));
        reader.put(&day, &groups(1));
        assert!(reader.get(&day).is_none());
        let writer = caching(&cache, &of(r#"{"useCache":"false"}"#));
        writer.put(&day, &groups(1));
        assert!(writer.get(&day).is_none());
        assert!(reader.get(&day).is_some());
        let neither = of(r#"{"useCache":false,"populateCache":false}"#);
        assert!(PartialCaching::of(Some(&cache), &neither).is_none());
        assert!(PartialCaching::of(None, &of("{}")).is_none());
    }
}
