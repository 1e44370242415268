//! Views by hand, and against what really is.

use std::collections::BTreeSet;

use henge_platform::discovery::{AnnouncedSchema, Discovery, InProcessDiscovery, SchemaGrowth};
use henge_platform::metadata::{
    MemoryMetadataStore, MetadataStore, PendingSegment, PublishRequest, ReplaceScope,
    SqlMetadataStore, SqliteOptions,
};
use henge_types::{ColumnType, Interval, ShardSpec, Timeline, Version};
use proptest::prelude::*;

use super::*;

mod unfollowed;

const DAY_MS: i64 = 86_400_000;

fn day(number: i64) -> Interval {
    Interval { start_ms: number * DAY_MS, end_ms: (number + 1) * DAY_MS }
}

fn published(id: &SegmentId, shard_spec: ShardSpec) -> PublishedSegment {
    PublishedSegment {
        object_key: "k".into(),
        id: id.clone(),
        shard_spec,
        size_bytes: 1,
        checksum: 7,
        row_count: 1,
        min_time_ms: id.interval.start_ms,
        max_time_ms: id.interval.start_ms,
        schema_json: "{}".into(),
    }
}

fn announced(id: &SegmentId, shard_spec: ShardSpec, realtime: bool) -> AnnouncedSegment {
    AnnouncedSegment {
        id: id.clone(),
        shard_spec,
        tier: "t".into(),
        priority: if realtime { -1 } else { 0 },
        realtime,
        size_bytes: 0,
        schema: Arc::new(AnnouncedSchema::of([("__time", ColumnType::Long)])),
    }
}

fn visible(timeline: &Timeline<()>) -> Vec<(Interval, BTreeSet<SegmentId>)> {
    let holders = timeline.lookup(Interval::ETERNITY).into_iter();
    holders.map(|h| (h.interval, h.chunks.into_iter().map(|chunk| chunk.id).collect())).collect()
}

/// One step of a cluster's life; numbers choose among what is there.
#[derive(Debug, Clone)]
enum Step {
    Buffer { day: i64 },
    Publish { which: usize },
    Load { which: usize },
    Unload,
    Retire { which: usize },
    Replace { day: i64, partitions: u32, announce_first: bool },
    Drop { day: i64 },
    LoseHistorical,
    LoseRealtime,
    Lag,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_i64).prop_map(|day| Step::Buffer { day }),
        4 => any::<usize>().prop_map(|which| Step::Publish { which }),
        6 => any::<usize>().prop_map(|which| Step::Load { which }),
        2 => Just(Step::Unload),
        3 => any::<usize>().prop_map(|which| Step::Retire { which }),
        3 => (0..3_i64, 1..4_u32, any::<bool>()).prop_map(|(day, partitions, announce_first)| {
            Step::Replace { day, partitions, announce_first }
        }),
        1 => (0..3_i64).prop_map(|day| Step::Drop { day }),
        1 => Just(Step::LoseHistorical),
        1 => Just(Step::LoseRealtime),
        1 => Just(Step::Lag),
    ]
}

/// What really is, kept beside the view.
struct World {
    metadata: Arc<MemoryMetadataStore>,
    discovery: Arc<InProcessDiscovery>,
    /// Sinks that were never published.
    buffered: BTreeMap<SegmentId, ShardSpec>,
    transactions: u64,
    /// The realtime node left and is not back.
    is_lost: bool,
}

impl World {
    async fn used(&self) -> Vec<PublishedSegment> {
        self.metadata.used_segments().await.unwrap().segments
    }

    async fn publish(&mut self, segments: Vec<PublishedSegment>, replace: Option<ReplaceScope>) {
        self.transactions += 1;
        let transaction_id = self.transactions.to_string();
        let request = PublishRequest { transaction_id, segments, replace, ..Default::default() };
        // A sink whose chunk was replaced meanwhile is refused; its node would retarget it.
        let _ = self.metadata.publish(&request).await;
    }

    fn announce(&self, server: &str, id: &SegmentId, spec: ShardSpec, realtime: bool) {
        self.discovery.announce(&server.into(), vec![announced(id, spec, realtime)]).unwrap();
    }

    async fn take(&mut self, step: &Step, views: &ClusterViews, looks: bool) {
        match *step {
            Step::Buffer { day: number } => self.buffer(number, views, looks).await,
            Step::Publish { which } => self.publish_one(which).await,
            Step::Load { which } => {
                let used = self.used().await;
                let Some(segment) = nth(used.iter(), which) else { return };
                self.announce("h", &segment.id, segment.shard_spec, false);
            }
            Step::Unload => {
                let used: BTreeSet<_> = self.used().await.into_iter().map(|s| s.id).collect();
                let snapshot = self.discovery.snapshot();
                let Some(loaded) = snapshot.servers.get("h") else { return };
                let loaded = &loaded.segments;
                let gone = loaded.keys().filter(|id| !used.contains(*id)).cloned().collect();
                self.discovery.unannounce(&"h".into(), gone).unwrap();
            }
            Step::Retire { which } => self.retire(which),
            Step::Replace { day: number, partitions, announce_first } => {
                self.replace(number, partitions, announce_first).await;
            }
            Step::Drop { day: number } => {
                let used = self.used().await.into_iter().map(|s| s.id);
                let ids: Vec<_> = used.filter(|id| id.interval == day(number)).collect();
                self.metadata.mark_unused(&ids, None).await.unwrap();
            }
            Step::LoseHistorical => {
                self.discovery.leave(&"h".into()).unwrap();
            }
            Step::LoseRealtime => {
                self.discovery.leave(&"rt".into()).unwrap();
                self.is_lost = true;
            }
            Step::Lag if self.is_lost => {}
            Step::Lag => {
                for _ in 0..5_000 {
                    self.discovery.apply(&"other".into(), ChangeSet::default()).unwrap();
                }
            }
        }
    }

    async fn buffer(&mut self, number: i64, views: &ClusterViews, looks: bool) {
        let pending = self.metadata.buffer_segment("rt", "t", day(number)).await.unwrap();
        self.announce("rt", &pending.id, pending.shard_spec, true);
        if self.is_lost {
            // What was lost is replayed under new ids; until then it is missing.
            let lost: Vec<_> = std::mem::take(&mut self.buffered).into_keys().collect();
            if looks {
                self.buffered.extend(lost.iter().map(|id| (id.clone(), ShardSpec::SINGLE)));
                self.buffered.insert(pending.id.clone(), pending.shard_spec);
                self.check(&views.current().await.unwrap()).await;
                self.buffered.clear();
            }
            self.metadata.change_buffered("rt", &[], &lost).await.unwrap();
            self.is_lost = false;
        }
        self.buffered.insert(pending.id, pending.shard_spec);
    }

    async fn publish_one(&mut self, which: usize) {
        if self.is_lost {
            return;
        }
        let Some((id, spec)) = nth(self.buffered.iter(), which) else { return };
        let (id, spec) = (id.clone(), *spec);
        self.publish(vec![published(&id, spec)], None).await;
        if self.used().await.iter().any(|segment| segment.id == id) {
            // As its node does at once: whoever reads the metadata for the first time cannot tell a
            // segment that is used no longer from one that was never published.
            self.announce("rt", &id, spec, false);
            self.buffered.remove(&id);
        }
    }

    /// The realtime node drops what a historical node serves.
    fn retire(&self, which: usize) {
        let snapshot = self.discovery.snapshot();
        let of = |server: &str| Some(&snapshot.servers.get(server)?.segments);
        let (Some(sinks), Some(loaded)) = (of("rt"), of("h")) else { return };
        let both = sinks.keys().filter(|id| loaded.contains_key(*id));
        let Some(id) = nth(both, which) else { return };
        self.discovery.unannounce(&"rt".into(), vec![id.clone()]).unwrap();
    }

    async fn replace(&mut self, number: i64, partitions: u32, announce_first: bool) {
        let version = self.metadata.allocate_version().await.unwrap();
        let segment = |partition| {
            let id = SegmentId::new("t", day(number), version, partition);
            published(&id, ShardSpec::numbered(partition, partitions))
        };
        let segments: Vec<_> = (0..partitions).map(segment).collect();
        if announce_first && !self.is_lost {
            for segment in &segments {
                self.announce("rt", &segment.id, segment.shard_spec, false);
            }
        }
        let scope =
            ReplaceScope { datasource: "t".into(), intervals: vec![day(number)], inputs: None };
        self.publish(segments, Some(scope)).await;
    }

    /// The view holds exactly the used and the buffered, and misses exactly what nobody announces.
    async fn check(&self, view: &ClusterView) {
        let mut timeline = Timeline::new();
        for segment in self.used().await {
            timeline.add(segment.id, segment.shard_spec, ());
        }
        let snapshot = self.discovery.snapshot();
        let is_announced = |id: &SegmentId| {
            snapshot.servers.values().any(|server| server.segments.contains_key(id))
        };
        let Some(table) = view.tables.get("t") else {
            assert!(timeline.is_empty() && self.buffered.is_empty());
            return;
        };
        assert_eq!(visible(&table.timeline), visible(&timeline));
        assert!(table.buffered.iter().eq(self.buffered.keys()));
        let expected: BTreeSet<SegmentId> = timeline
            .iter()
            .map(|chunk| chunk.id.clone())
            .filter(|id| !timeline.is_overshadowed(id))
            .chain(self.buffered.keys().cloned())
            .filter(|id| !is_announced(id))
            .collect();
        let missing: BTreeSet<SegmentId> = table.unavailable().cloned().collect();
        assert_eq!(missing, expected);
    }
}

fn nth<T>(items: impl Iterator<Item = T>, which: usize) -> Option<T> {
    let items: Vec<T> = items.collect();
    let index = which.checked_rem(items.len())?;
    items.into_iter().nth(index)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// I-09, F-40: whatever is published, replaced, dropped, announced and lost in whatever order,
    /// each view shows the used and the buffered segments of one instant, and counts what is missing.
    #[test]
    fn i_09_a_view_is_one_instant_and_counts_what_is_missing(
        steps in prop::collection::vec((step(), any::<bool>()), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let metadata = Arc::new(MemoryMetadataStore::new());
            let discovery = Arc::new(InProcessDiscovery::new());
            let views = ClusterViews::new(discovery.clone(), metadata.clone());
            let mut world =
                World { metadata, discovery, buffered: BTreeMap::new(), transactions: 0, is_lost: false };
            for (step, looks) in &steps {
                world.take(step, &views, *looks).await;
                // Several steps may pass between two looks.
                if *looks {
                    world.check(&views.current().await.unwrap()).await;
                }
            }
            world.check(&views.current().await.unwrap()).await;
        });
    }
}

fn id(partition: u32) -> SegmentId {
    SegmentId::new("t", day(0), Version(1), partition)
}

#[test]
fn f_40_a_used_segment_that_nobody_announces_is_in_the_timeline_and_lost() {
    let (mut view, now) = (ClusterView::default(), Instant::now());
    view.apply_used(
        &[SegmentChange::Used(Box::new(published(&id(0), ShardSpec::appended(0))))],
        now,
    );
    let lost = |view: &ClusterView| view.tables["t"].unavailable().cloned().collect::<Vec<_>>();
    assert_eq!(lost(&view), [id(0)]);
    let add = vec![announced(&id(0), ShardSpec::appended(0), false)];
    view.apply(&"h".into(), &ChangeSet { add, ..ChangeSet::default() }, now);
    assert_eq!(lost(&view), []);
    view.apply(&"h".into(), &ChangeSet { remove: vec![id(0)], ..ChangeSet::default() }, now);
    assert_eq!(lost(&view), [id(0)]);
    let available = Availability::of(&view, |_| None);
    assert_eq!((available.count(), available.unavailable["t"].segments.clone()), (1, vec![id(0)]));
}

#[test]
fn h_74_h_104_what_the_metadata_do_not_call_used_is_hidden_whoever_announces_it() {
    let (mut view, now) = (ClusterView::default(), Instant::now());
    let add = vec![announced(&id(0), ShardSpec::appended(0), false)];
    view.apply(&"rt".into(), &ChangeSet { add, ..ChangeSet::default() }, now);
    assert!(view.tables["t"].timeline.is_empty());
    view.apply_used(
        &[SegmentChange::Used(Box::new(published(&id(0), ShardSpec::appended(0))))],
        now,
    );
    assert_eq!(view.tables["t"].timeline.len(), 1);
    view.apply_used(&[SegmentChange::Unused(id(0))], now);
    assert!(view.tables["t"].timeline.is_empty());
}

/// While the metadata are away, rows that are handed off stay: they were visible as buffered.
#[test]
fn f_58_rows_handed_off_while_the_metadata_are_away_stay_visible() {
    let (mut view, now) = (ClusterView::default(), Instant::now());
    let spec = ShardSpec::appended(0);
    let add = |realtime| ChangeSet {
        add: vec![announced(&id(0), spec, realtime)],
        ..ChangeSet::default()
    };
    let remove = ChangeSet { remove: vec![id(0)], ..ChangeSet::default() };
    view.apply(&"rt".into(), &add(true), now);
    view.apply(&"h".into(), &add(false), now);
    view.apply(&"rt".into(), &remove, now);
    assert_eq!(view.tables["t"].buffered.len(), 1);
    // A published sink that was dropped is not taken for buffered, although its node has it still.
    view.apply(&"rt".into(), &add(true), now);
    view.apply_used(&[SegmentChange::Unused(id(0))], now);
    assert!(view.tables["t"].buffered.is_empty());
    view.apply(&"h".into(), &remove, now);
    view.apply(&"rt".into(), &remove, now);
    assert!(view.tables.is_empty());
}

/// ADR 7: versions decide between published segments, never about buffered rows.
#[test]
fn no_version_hides_buffered_rows_and_they_hide_nothing() {
    let (mut view, now) = (ClusterView::default(), Instant::now());
    let of = |version, partition| SegmentId::new("t", day(0), Version(version), partition);
    let add = vec![
        announced(&of(1, 0), ShardSpec::appended(0), true),
        announced(&of(9, 1), ShardSpec::numbered(1, 1), true),
    ];
    view.apply(&"rt".into(), &ChangeSet { add, ..ChangeSet::default() }, now);
    let used = published(&of(5, 0), ShardSpec::SINGLE);
    view.apply_used(&[SegmentChange::Used(Box::new(used))], now);
    let table = &view.tables["t"];
    assert_eq!(visible(&table.timeline), [(day(0), [of(5, 0)].into())]);
    let buffered: Vec<_> = table.buffered_within(Interval::ETERNITY).collect();
    assert_eq!(buffered.iter().map(|s| s.id.version.0).collect::<Vec<_>>(), [1, 9]);
    let empty = Interval { start_ms: 0, end_ms: 0 };
    assert_eq!(table.buffered_within(empty).count() + table.buffered_within(day(1)).count(), 0);
}

/// Rows that were only on a realtime node which is gone are missing, not nowhere: also for a broker that
/// never saw the node, and until the node has replayed its log to the end.
#[tokio::test]
async fn i_09_f_16_what_a_lost_realtime_node_buffered_is_missing_until_it_is_back() {
    let metadata = Arc::new(MemoryMetadataStore::new());
    let discovery = Arc::new(InProcessDiscovery::new());
    let follow = || ClusterViews::new(discovery.clone(), metadata.clone());
    let missing = async |views: &ClusterViews| -> Vec<SegmentId> {
        let view = views.current().await.unwrap();
        let table = view.tables.get("t");
        table.map(|table| table.unavailable().cloned().collect()).unwrap_or_default()
    };
    let announce = |server: &str, segment: &PendingSegment| {
        let segment = announced(&segment.id, segment.shard_spec, true);
        discovery.announce(&server.into(), vec![segment]).unwrap();
    };
    let views = follow();
    let first = metadata.buffer_segment("rt", "t", day(0)).await.unwrap();
    announce("rt", &first);
    assert_eq!(missing(&views).await, []);
    discovery.leave(&"rt".into()).unwrap();
    for views in [&views, &follow()] {
        assert_eq!(missing(views).await, std::slice::from_ref(&first.id));
        let trouble = views.trouble(&first.id).unwrap();
        assert!(trouble.contains("'rt'"), "{trouble}");
    }
    // Another node changes nothing. The node itself comes back under new ids; what it has replayed so
    // far is there, and it may not be all.
    let other = metadata.buffer_segment("rt2", "t", day(0)).await.unwrap();
    announce("rt2", &other);
    let again = metadata.buffer_segment("rt", "t", day(0)).await.unwrap();
    announce("rt", &again);
    let restarted = follow();
    for views in [&views, &restarted] {
        assert_eq!(missing(views).await, std::slice::from_ref(&first.id));
    }
    metadata.change_buffered("rt", &[], std::slice::from_ref(&first.id)).await.unwrap();
    for views in [&views, &restarted] {
        assert_eq!(missing(views).await, []);
    }
    // What a task reserved is never missed.
    metadata.allocate_segment("rt", "t", day(3), day(3)).await.unwrap();
    assert_eq!(missing(&follow()).await, []);
}

#[tokio::test]
async fn f_28_without_the_metadata_the_last_complete_view_is_used_and_marked() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(directory.path().join("m.sqlite"));
    let metadata = Arc::new(SqlMetadataStore::open(options).await.unwrap());
    let discovery = Arc::new(InProcessDiscovery::new());
    let views = ClusterViews::new(discovery.clone(), metadata.clone());
    let spec = ShardSpec::appended(0);
    let segments = vec![published(&id(0), spec)];
    let request = PublishRequest { transaction_id: "1".into(), segments, ..Default::default() };
    metadata.publish(&request).await.unwrap();
    discovery.announce(&"h".into(), vec![announced(&id(0), spec, false)]).unwrap();
    assert!(views.current().await.unwrap().metadata.away.is_none());
    metadata.close().await;
    let view = views.as_of(Instant::now()).await.unwrap();
    assert!(view.metadata.away.is_some());
    assert_eq!(view.tables["t"].timeline.len(), 1);
    assert!(Availability::of(&view, |_| None).metadata_away.is_some());
}

#[tokio::test]
async fn f_59_metadata_that_were_never_read_are_an_error_and_not_an_empty_cluster() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(directory.path().join("m.sqlite"));
    let metadata = Arc::new(SqlMetadataStore::open(options).await.unwrap());
    metadata.close().await;
    let views = ClusterViews::new(Arc::new(InProcessDiscovery::new()), metadata);
    assert!(views.current().await.is_err());
}

#[test]
fn columns_of_buffered_rows_are_known_from_what_is_announced() {
    let sink = SegmentId::new("t", day(0), Version(1), 0);
    let now = Instant::now();
    let mut view = ClusterView::default();
    let add = vec![announced(&sink, ShardSpec::appended(0), true)];
    view.apply(&"rt".into(), &ChangeSet { add, ..ChangeSet::default() }, now);
    let columns = |view: &ClusterView| {
        let schemas = view.tables["t"].buffered_schemas()?;
        let names = schemas.iter().flat_map(|schema| schema.columns());
        Some(names.map(|column| column.name.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(columns(&view).unwrap(), ["__time"]);
    let more = AnnouncedSchema::of([("__time", ColumnType::Long), ("n", ColumnType::Double)]);
    let growth = SchemaGrowth { id: sink.clone(), columns: more.columns().to_vec() };
    let of_other = ChangeSet { grow: vec![growth.clone()], ..ChangeSet::default() };
    view.apply(&"other".into(), &of_other, now);
    assert_eq!(columns(&view).unwrap(), ["__time"]);
    view.apply(&"rt".into(), &ChangeSet { grow: vec![growth], ..ChangeSet::default() }, now);
    assert_eq!(columns(&view).unwrap(), ["__time", "n"]);
    view.lose(&"rt".into(), &[sink], now);
    assert_eq!(columns(&view), None, "nobody says what those rows have");
}

/// Another process hands off: its announcements may come before its publication was read.
#[test]
fn i_01_rows_that_are_handed_off_elsewhere_are_missing_until_the_publication_was_read() {
    let (now, sink, segment) = (Instant::now(), id(1), id(2));
    let buffered = announced(&sink, ShardSpec::appended(1), true);
    let loaded = announced(&segment, ShardSpec::appended(2), false);
    let add = |segment: &AnnouncedSegment| ChangeSet {
        add: vec![segment.clone()],
        ..ChangeSet::default()
    };
    let mut view = ClusterView::default();
    assert!(!view.apply_ahead(&"rt".into(), &add(&buffered), now));
    assert!(!view.apply_ahead(&"h".into(), &add(&loaded), now));
    let remove = ChangeSet { remove: vec![sink.clone()], ..ChangeSet::default() };
    assert!(view.apply_ahead(&"rt".into(), &remove, now), "the metadata have to be asked");
    let missing = |view: &ClusterView| view.tables["t"].unavailable().count();
    assert_eq!(missing(&view), 1, "and until then these rows are missing, not absent");
    view.replace_buffered(&[], now);
    view.replace_used(&[published(&segment, ShardSpec::appended(2))], now);
    assert_eq!(missing(&view), 0);
}
