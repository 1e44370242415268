//! Whole answers, kept under the query and the exact set of immutable segments that they were
//! computed from: an answer over data that still grows is never kept and has no ETag.

use henge_answer::Form;
use henge_data_node::SegmentDescriptor;
use henge_platform::cache::{BoundedCache, CacheStats};
use henge_query::Query;
use henge_types::SegmentId;
use xxhash_rust::xxh3::Xxh3Default;

use crate::made::{Made, Shape};
use crate::view::ClusterView;

/// What an answer depends on: equal identities, equal bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AnswerId(u128);

impl AnswerId {
    /// The identity of the answer over these segments; `None` when one of them still grows or is not
    /// known to the metadata.
    #[must_use]
    pub(crate) fn of(
        query: &Query,
        shape: Shape,
        view: &ClusterView,
        segments: &[SegmentDescriptor],
    ) -> Option<Self> {
        // The order in which intervals found the segments says nothing.
        let mut sorted: Vec<&SegmentDescriptor> = segments.iter().collect();
        sorted.sort_unstable_by_key(|segment| (&segment.id, segment.visible));
        let mut hasher = Xxh3Default::new();
        hasher.update(&query.cache_key().to_le_bytes());
        hasher.update(&[shape_number(shape)]);
        for SegmentDescriptor { id, visible } in sorted {
            let checksum = checksum_of(view, id)?;
            hasher.update(&(id.datasource.len() as u64).to_le_bytes());
            hasher.update(id.datasource.as_bytes());
            for number in [
                id.interval.start_ms,
                id.interval.end_ms,
                id.version.0.cast_signed(),
                i64::from(id.partition),
                visible.start_ms,
                visible.end_ms,
                checksum.cast_signed(),
            ] {
                hasher.update(&number.to_le_bytes());
            }
        }
        Some(Self(hasher.digest128()))
    }

    /// As an ETag, quotes included.
    #[must_use]
    pub(crate) fn etag(self) -> String {
        format!("\"{:032x}\"", self.0)
    }

    /// True when an `If-None-Match` names this answer. `*` does not count: it asks whether there is
    /// any answer at all, and there always is one.
    #[must_use]
    pub(crate) fn is_named_by(self, if_none_match: &str) -> bool {
        let etag = self.etag();
        let tags = if_none_match.split(',').map(str::trim);
        tags.map(|tag| tag.strip_prefix("W/").unwrap_or(tag)).any(|tag| {
            // Some clients strip the quotes.
            tag == etag || tag == etag.trim_matches('"')
        })
    }
}

/// The same answer made into something else is another one.
fn shape_number(shape: Shape) -> u8 {
    match shape {
        Shape::Written(Form::Json) => 0,
        Shape::Written(Form::IndentedJson) => 1,
        Shape::Written(Form::Arrow) => 2,
        Shape::Batches => 3,
    }
}

/// What names the content of a segment that is published and served from its file: it never changes.
/// A restored backup of the metadata may mean other content by the same id.
fn checksum_of(view: &ClusterView, id: &SegmentId) -> Option<u64> {
    let table = view.tables.get(&id.datasource)?;
    let first = table.replicas.get(id)?.first()?;
    let used = table.used.get(id)?;
    (!first.segment.realtime).then_some(used.checksum)
}

/// Answers by identity.
#[derive(Debug)]
pub(crate) struct ResultCache {
    answers: BoundedCache<AnswerId, Made>,
}

impl ResultCache {
    /// A cache of `capacity_bytes`, of answers of at most `max_entry_bytes`.
    #[must_use]
    pub(crate) fn new(capacity_bytes: usize, max_entry_bytes: usize) -> Self {
        Self { answers: BoundedCache::new(capacity_bytes, max_entry_bytes) }
    }

    /// The answer, if it is known.
    #[must_use]
    pub(crate) fn get(&self, id: AnswerId) -> Option<Made> {
        self.answers.get(&id)
    }

    /// Keeps an answer, unless it is too large.
    pub(crate) fn put(&self, id: AnswerId, made: &Made) {
        self.answers.put(id, made.clone(), made.size_bytes());
    }

    /// How the cache does.
    #[must_use]
    pub(crate) fn stats(&self) -> CacheStats {
        self.answers.stats()
    }
}

#[cfg(test)]
mod tests {
    use henge_platform::discovery::{AnnouncedSchema, AnnouncedSegment, ChangeSet};
    use henge_platform::metadata::PublishedSegment;
    use henge_types::{Interval, ShardSpec, Version};
    use tokio::time::Instant;

    use super::*;

    fn segment(version: u64, partition: u32) -> SegmentId {
        SegmentId::new("t", Interval { start_ms: 0, end_ms: 10 }, Version(version), partition)
    }

    fn view(segments: &[(SegmentId, bool)]) -> ClusterView {
        let add = segments.iter().map(|(id, realtime)| AnnouncedSegment {
            id: id.clone(),
            shard_spec: ShardSpec::Numbered { partition: id.partition, core_partitions: 0 },
            tier: "hot".into(),
            priority: 0,
            realtime: *realtime,
            size_bytes: 1,
            schema: AnnouncedSchema::of([]).into(),
        });
        let mut view = ClusterView::default();
        let changes = ChangeSet { add: add.collect(), ..ChangeSet::default() };
        view.apply(&"s".into(), &changes, Instant::now());
        view.replace_used(&used(segments, 1), Instant::now());
        view
    }

    fn used(segments: &[(SegmentId, bool)], checksum: u64) -> Vec<PublishedSegment> {
        let published = segments.iter().map(|(id, _)| PublishedSegment {
            id: id.clone(),
            shard_spec: ShardSpec::Numbered { partition: id.partition, core_partitions: 0 },
            object_key: "k".into(),
            size_bytes: 1,
            checksum,
            row_count: 1,
            min_time_ms: 0,
            max_time_ms: 0,
            schema_json: "{}".into(),
        });
        published.collect()
    }

    fn id(view: &ClusterView, segments: &[(SegmentId, i64)], limit: u64) -> Option<AnswerId> {
        let text = format!(
            r#"{{"queryType":"scan","dataSource":"t","intervals":"1970/1971","limit":{limit}}}"#
        );
        let query = Query::parse(text.as_bytes()).unwrap();
        let visible = |&(ref id, end_ms): &(SegmentId, i64)| SegmentDescriptor {
            id: id.clone(),
            visible: Interval { start_ms: 0, end_ms },
        };
        let shape = Shape::Written(Form::Json);
        AnswerId::of(&query, shape, view, &segments.iter().map(visible).collect::<Vec<_>>())
    }

    #[test]
    fn f_67_the_identity_holds_every_segment_its_version_and_what_is_visible() {
        let (a, b, newer) = (segment(1, 0), segment(1, 1), segment(2, 0));
        let all = view(&[(a.clone(), false), (b.clone(), false), (newer.clone(), false)]);
        let first = id(&all, &[(a.clone(), 10), (b.clone(), 10)], 1).unwrap();
        assert_eq!(id(&all, &[(b.clone(), 10), (a.clone(), 10)], 1), Some(first));
        for other in [
            id(&all, &[(a.clone(), 10)], 1),
            id(&all, &[(newer, 10), (b.clone(), 10)], 1),
            id(&all, &[(a.clone(), 9), (b.clone(), 10)], 1),
            id(&all, &[(a, 10), (b, 10)], 2),
            id(&all, &[], 1),
        ] {
            assert!(other.is_some() && other != Some(first));
        }
    }

    /// Metadata restored from a backup may give an id to other content.
    #[test]
    fn other_content_by_the_same_id_has_another_identity() {
        let segments = [(segment(1, 0), false)];
        let mut all = view(&segments);
        let visible = [(segment(1, 0), 10)];
        let first = id(&all, &visible, 1).unwrap();
        all.replace_used(&used(&segments, 2), Instant::now());
        assert_ne!(id(&all, &visible, 1).unwrap(), first);
    }

    #[test]
    fn f_67_what_still_grows_has_no_identity() {
        let (old, growing) = (segment(1, 0), segment(1, 1));
        let all = view(&[(old.clone(), false), (growing.clone(), true)]);
        assert!(id(&all, &[(old.clone(), 10)], 1).is_some());
        assert!(id(&all, &[(old, 10), (growing, 10)], 1).is_none());
        assert!(id(&all, &[(segment(7, 7), 10)], 1).is_none(), "nobody announces it");
    }

    #[test]
    fn etags_are_matched_as_clients_send_them() {
        let id = AnswerId(0xabc);
        let etag = id.etag();
        let bare = etag.trim_matches('"');
        for sent in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), bare.to_owned()] {
            assert!(id.is_named_by(&sent), "{sent}");
        }
        for sent in ["*", "", "\"abc\""] {
            assert!(!id.is_named_by(sent), "{sent}");
        }
    }
}
