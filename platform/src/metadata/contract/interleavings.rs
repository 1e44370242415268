//! F-31: append, replace, compact and drop on the same time, in chunks of any size and in any order,
//! with allocations and publications far apart. After every step the visible rows are those of a
//! model that only knows what was committed.

use std::collections::BTreeMap;

use henge_types::Timeline;
use proptest::prelude::*;

use super::*;

/// What may happen next. Numbers choose among hours, sizes of chunks, or what is under way.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Allocates for rows of these hours in a chunk of this size.
    BeginAppend(Vec<i64>, usize),
    FinishAppend(usize),
    BeginReplace(i64, usize),
    FinishReplace(usize),
    BeginCompaction,
    FinishCompaction(usize),
    DropAll,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let hour = 0..24_i64;
    let hours = proptest::collection::vec(hour.clone(), 1..5);
    let step = prop_oneof![
        4 => (hours, 0..4_usize).prop_map(|(h, size)| Step::BeginAppend(h, size)),
        4 => (0..8_usize).prop_map(Step::FinishAppend),
        2 => (hour, 0..4_usize).prop_map(|(h, size)| Step::BeginReplace(h, size)),
        2 => (0..8_usize).prop_map(Step::FinishReplace),
        1 => Just(Step::BeginCompaction),
        1 => (0..8_usize).prop_map(Step::FinishCompaction),
        1 => Just(Step::DropAll),
    ];
    proptest::collection::vec(step, 1..40)
}

/// The chunk of a time: an hour, six, a day, or all of time.
fn bucket(time_ms: i64, size: usize) -> Interval {
    let hour = time_ms / HOUR_MS;
    match size {
        0 => Interval { start_ms: hour * HOUR_MS, end_ms: (hour + 1) * HOUR_MS },
        1 => Interval { start_ms: hour / 6 * 6 * HOUR_MS, end_ms: (hour / 6 + 1) * 6 * HOUR_MS },
        2 => day(0),
        _ => Interval::ETERNITY,
    }
}

/// A row is its number and its time.
type Rows = BTreeMap<u64, i64>;

/// Rows to be appended, in a schema with chunks of this size; without an id where no single place
/// took them all.
struct Append {
    size: usize,
    times: Vec<i64>,
    id: Option<PendingSegment>,
}

pub(super) struct World {
    store: Arc<dyn MetadataStore>,
    /// What was committed: the truth.
    visible: Rows,
    /// The rows in each published segment.
    contents: BTreeMap<SegmentId, Rows>,
    appends: Vec<Append>,
    replaces: Vec<(Version, Interval, i64)>,
    compactions: Vec<(Version, Vec<SegmentId>, Rows)>,
    next: u64,
}

/// A segment of these rows.
fn holding(pending: &PendingSegment, rows: &Rows) -> PublishedSegment {
    let PendingSegment { id, shard_spec } = pending.clone();
    PublishedSegment {
        row_count: rows.len() as u64,
        min_time_ms: rows.values().min().copied().unwrap_or(0),
        max_time_ms: rows.values().max().copied().unwrap_or(0),
        ..published(id, shard_spec)
    }
}

impl World {
    pub(super) fn new(store: Arc<dyn MetadataStore>) -> Self {
        Self {
            store,
            visible: Rows::new(),
            contents: BTreeMap::new(),
            appends: Vec::new(),
            replaces: Vec::new(),
            compactions: Vec::new(),
            next: 0,
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    async fn begin_append(&self, hours: &[i64], size: usize) -> Append {
        let first = bucket(hours[0] * HOUR_MS, size);
        let times = hours.iter().map(|hour| hour * HOUR_MS + 5);
        let times = times.filter(|time| first.contains(*time)).collect();
        let id = match self.store.allocate_segment(OWNER, DS, first, first).await {
            Ok(allocation) => Some(allocation.segment),
            Err(MetadataError::IntervalConflict { .. }) => None,
            Err(error) => panic!("{error}"),
        };
        Append { size, times, id }
    }

    pub(super) async fn step(&mut self, step: Step) {
        match step {
            Step::BeginAppend(hours, size) => {
                let append = self.begin_append(&hours, size).await;
                self.appends.push(append);
            }
            Step::FinishAppend(index) if index < self.appends.len() => {
                let append = self.appends.swap_remove(index);
                self.finish_append(append).await;
            }
            Step::BeginReplace(number, size) => {
                let version = self.store.allocate_version().await.unwrap();
                let scope = bucket(number * HOUR_MS, size);
                self.replaces.push((version, scope, number * HOUR_MS + 7));
            }
            Step::FinishReplace(index) if index < self.replaces.len() => {
                let (version, scope, time_ms) = self.replaces.swap_remove(index);
                self.finish_replace(version, scope, time_ms).await;
            }
            Step::BeginCompaction => {
                let version = self.store.allocate_version().await.unwrap();
                let inputs = used_ids(&*self.store).await;
                self.compactions.push((version, inputs, self.visible.clone()));
            }
            Step::FinishCompaction(index) if index < self.compactions.len() => {
                let compaction = self.compactions.swap_remove(index);
                self.finish_compaction(compaction).await;
            }
            Step::DropAll => {
                self.store.mark_unused(&used_ids(&*self.store).await, None).await.unwrap();
                self.visible.clear();
            }
            _ => {}
        }
    }

    /// A writer never gives up: what loses its place is cut anew until its rows are in.
    async fn finish_append(&mut self, append: Append) {
        let number = self.number();
        let mut rows = Rows::new();
        for time in append.times {
            rows.insert(self.number(), time);
        }
        let mut segments = match append.id {
            Some(id) => vec![(id, rows.clone())],
            None => self.cut(rows.clone(), append.size).await,
        };
        for attempt in 0..5 {
            let published: Vec<_> = segments.iter().map(|(id, rows)| holding(id, rows)).collect();
            let request = super::append(&format!("append-{number}-{attempt}"), &published);
            match self.store.publish(&request).await {
                Ok(_) => {
                    self.contents.extend(segments.into_iter().map(|(s, rows)| (s.id, rows)));
                    self.visible.extend(rows);
                    return;
                }
                Err(MetadataError::VersionConflict { ids }) => {
                    let mut next = Vec::new();
                    for (segment, rows) in segments {
                        match ids.contains(&segment.id) {
                            true => next.extend(self.cut(rows, append.size).await),
                            false => next.push((segment, rows)),
                        }
                    }
                    segments = next;
                }
                Err(error) => panic!("{error}"),
            }
        }
        panic!("an append never succeeds");
    }

    /// Rows by the places that they have now.
    async fn cut(&self, mut rows: Rows, size: usize) -> Vec<(PendingSegment, Rows)> {
        let mut pieces = Vec::new();
        while let Some(start_ms) = rows.values().min().copied() {
            let moment = Interval { start_ms, end_ms: start_ms + 1 };
            let allocation = self
                .store
                .allocate_segment(OWNER, DS, moment, bucket(start_ms, size))
                .await
                .unwrap();
            let inside = rows.extract_if(.., |_, time| allocation.slice.contains(*time)).collect();
            pieces.push((allocation.segment, inside));
        }
        pieces
    }

    async fn finish_replace(&mut self, version: Version, scope: Interval, time_ms: i64) {
        let row = self.number();
        let mut request = replace(&format!("replace-{row}"), version, scope);
        for segment in &mut request.segments {
            (segment.min_time_ms, segment.max_time_ms) = (time_ms, time_ms);
        }
        match self.store.publish(&request).await {
            Ok(_) => {
                self.visible.retain(|_, time| !scope.contains(*time));
                self.visible.insert(row, time_ms);
                let id = request.segments[0].id.clone();
                self.contents.insert(id, [(row, time_ms)].into());
            }
            Err(MetadataError::VersionConflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn finish_compaction(&mut self, compaction: (Version, Vec<SegmentId>, Rows)) {
        let (version, inputs, rows) = compaction;
        let number = self.number();
        let mut request = replace(&format!("compaction-{number}"), version, day(0));
        let segment = &mut request.segments[0];
        segment.row_count = rows.len() as u64;
        segment.min_time_ms = rows.values().min().copied().unwrap_or(0);
        segment.max_time_ms = rows.values().max().copied().unwrap_or(0);
        let id = segment.id.clone();
        if let Some(scope) = &mut request.replace {
            scope.inputs = Some(inputs);
        }
        match self.store.publish(&request).await {
            // The rows are the same ones in another segment.
            Ok(_) => assert!(self.contents.insert(id, rows).is_none()),
            Err(MetadataError::VersionConflict { .. } | MetadataError::InputsChanged) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn check(&self) {
        let mut timeline = Timeline::new();
        for segment in self.store.used_segments().await.unwrap().segments {
            let rows = self.contents[&segment.id].clone();
            timeline.add(segment.id, segment.shard_spec, rows);
        }
        let mut seen = Vec::new();
        for holder in timeline.lookup(Interval::ETERNITY) {
            for chunk in &holder.chunks {
                let inside =
                    chunk.payload.iter().filter(|(_, time)| holder.interval.contains(**time));
                seen.extend(inside.map(|(row, time)| (*row, *time)));
            }
        }
        seen.sort_unstable();
        let expected: Vec<_> = self.visible.iter().map(|(row, time)| (*row, *time)).collect();
        assert_eq!(seen, expected);
    }
}

async fn run(store: Arc<dyn MetadataStore>, steps: &[Step]) {
    let mut world = World::new(store);
    for step in steps {
        world.step(step.clone()).await;
        world.check().await;
    }
}

pub(super) fn in_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn f_31_no_interleaving_loses_or_doubles_a_row_in_memory(steps in steps()) {
        in_runtime(run(Arc::new(MemoryMetadataStore::new()), &steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn f_31_no_interleaving_loses_or_doubles_a_row_in_sqlite(steps in steps()) {
        in_runtime(async {
            let directory = tempfile::tempdir().unwrap();
            run(Arc::new(open_sqlite(&directory).await.unwrap()), &steps).await;
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn f_31_no_interleaving_loses_or_doubles_a_row_in_postgresql(steps in steps()) {
        let Some(options) = new_postgres() else { return Ok(()) };
        in_runtime(async {
            run(Arc::new(SqlMetadataStore::open(options).await.unwrap()), &steps).await;
        });
    }
}
