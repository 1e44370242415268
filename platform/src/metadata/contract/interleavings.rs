//! F-31: append, replace, compact and drop on the same chunks, in any order, with allocations and
//! publications far apart. After every step the visible rows are those of a model that only knows
//! what was committed.

use std::collections::BTreeMap;

use henge_types::Timeline;
use proptest::prelude::*;

use super::*;

/// What may happen next. Numbers choose among hours, or among what is under way.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Allocates for a row; the flag asks for the whole day instead of the hour.
    BeginAppend(i64, bool),
    FinishAppend(usize),
    BeginReplace(i64, bool),
    FinishReplace(usize),
    BeginCompaction,
    FinishCompaction(usize),
    DropAll,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let hour = 0..4_i64;
    let step = prop_oneof![
        4 => (hour.clone(), any::<bool>()).prop_map(|(h, d)| Step::BeginAppend(h, d)),
        4 => (0..8_usize).prop_map(Step::FinishAppend),
        2 => (hour, any::<bool>()).prop_map(|(h, d)| Step::BeginReplace(h, d)),
        2 => (0..8_usize).prop_map(Step::FinishReplace),
        1 => Just(Step::BeginCompaction),
        1 => (0..8_usize).prop_map(Step::FinishCompaction),
        1 => Just(Step::DropAll),
    ];
    proptest::collection::vec(step, 1..40)
}

/// A row is its number and its time.
type Rows = BTreeMap<u64, i64>;

pub(super) struct World {
    store: Arc<dyn MetadataStore>,
    /// What was committed: the truth.
    visible: Rows,
    /// The rows in each published segment.
    contents: BTreeMap<SegmentId, Rows>,
    appends: Vec<PublishedSegment>,
    replaces: Vec<(Version, Interval, i64)>,
    compactions: Vec<(Version, Vec<SegmentId>, Rows)>,
    next: u64,
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

    /// Asks for the day if wanted; an hour always fits unless it lies in something wider.
    async fn allocate(&self, time_ms: i64, whole_day: bool) -> PublishedSegment {
        let intervals = [day(0), hour(time_ms / HOUR_MS)];
        for interval in intervals.into_iter().skip(usize::from(!whole_day)) {
            match self.store.allocate_segment(DS, interval, AllocationMode::Append).await {
                Ok(pending) => return published_at(pending.id, pending.shard_spec, time_ms),
                Err(MetadataError::IntervalConflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("an hour could not be allocated");
    }

    pub(super) async fn step(&mut self, step: Step) {
        match step {
            Step::BeginAppend(hour, whole_day) => {
                let segment = self.allocate(hour * HOUR_MS + 5, whole_day).await;
                self.appends.push(segment);
            }
            Step::FinishAppend(index) if index < self.appends.len() => {
                let segment = self.appends.swap_remove(index);
                self.finish_append(segment).await;
            }
            Step::BeginReplace(number, whole_day) => {
                let version = self.store.allocate_version().await.unwrap();
                let scope = if whole_day { day(0) } else { hour(number) };
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
                self.store.mark_unused(&used_ids(&*self.store).await).await.unwrap();
                self.visible.clear();
            }
            _ => {}
        }
    }

    /// A writer never gives up: it allocates again until its row is in.
    async fn finish_append(&mut self, mut segment: PublishedSegment) {
        let row = self.number();
        let time_ms = segment.min_time_ms;
        for attempt in 0..5 {
            let request = append(&format!("append-{row}-{attempt}"), &[segment.clone()]);
            match self.store.publish(&request).await {
                Ok(_) => {
                    self.contents.insert(segment.id, [(row, time_ms)].into());
                    self.visible.insert(row, time_ms);
                    return;
                }
                Err(MetadataError::VersionConflict { .. }) => {
                    segment = self.allocate(time_ms, false).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
        panic!("an append never succeeds");
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
