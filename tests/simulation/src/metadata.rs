//! The metadata store as a process reaches it: away, slow, and silent after it committed. What it commits
//! is checked: who led before changes nothing any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use henge_platform::metadata::manifest::{ManifestState, SourcePosition, WaitingManifest};
use henge_platform::metadata::{
    Allocation, BufferedSegment, DeadLetter, DeadLetterTotals, Document, Fence, IdempotencyRecord,
    Lease, LetterRecord, MemoryMetadataStore, MetadataError, MetadataStore, PendingSegment,
    PublishOutcome, PublishRequest, PublishedSegment, SegmentChanges, SegmentObject,
    SegmentSnapshot, SourceMarks, StoredDeadLetter, TaskFilter, TaskRecord, TaskUpdate, TasksKept,
    UnusedFilter, UnusedSegment, UnusedSegments,
};
use henge_platform::runtime::watch;
use henge_platform::wal::LogMark;
use henge_types::{Interval, SegmentId, Version};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::network::Network;

type Result<T> = std::result::Result<T, MetadataError>;

/// The name of the store in the network.
pub(crate) const METADATA: &str = "metadata";

/// How often what goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MetadataPlan {
    /// Calls that are refused.
    pub(crate) refuse: f64,
    /// Changes that are made, and of which nobody is told.
    pub(crate) lose_answer: f64,
    /// The longest that a call takes.
    pub(crate) latency_ms: u64,
}

/// The store, and what goes wrong with it.
#[derive(Debug)]
pub(crate) struct SharedMetadata {
    pub(crate) store: Arc<MemoryMetadataStore>,
    network: Arc<Network>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: StdRng,
    plan: MetadataPlan,
    /// Who changed something under which epoch of the coordinators' lease.
    leaders: BTreeMap<u64, String>,
    /// What must not have been.
    broken: Vec<String>,
    lost_answers: u64,
    fenced: u64,
}

impl SharedMetadata {
    pub(crate) fn new(store: Arc<MemoryMetadataStore>, network: Arc<Network>, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed ^ 0x006d_6574);
        let state = State {
            random,
            plan: MetadataPlan::default(),
            leaders: BTreeMap::new(),
            broken: Vec::new(),
            lost_answers: 0,
            fenced: 0,
        };
        Self { store, network, state: Mutex::new(state) }
    }

    /// Changes what goes wrong from now on.
    pub(crate) fn set_plan(&self, plan: MetadataPlan) {
        self.state.lock().plan = plan;
    }

    /// Changes that nobody was told of, and writes that a fence refused.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 2] {
        let state = self.state.lock();
        [
            ("changes of metadata whose answer was lost", state.lost_answers),
            ("writes of coordinators that led no more", state.fenced),
        ]
    }

    /// Promises that were broken.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.state.lock().broken.clone()
    }

    /// The store as a process reaches it.
    pub(crate) fn seen_by(self: &Arc<Self>, process: &str) -> Arc<dyn MetadataStore> {
        let (shared, process) = (Arc::clone(self), process.to_owned());
        Arc::new(Remote { shared, process, commits: watch::Sender::default() })
    }
}

/// The store behind the network.
#[derive(Debug)]
struct Remote {
    shared: Arc<SharedMetadata>,
    process: String,
    /// Moves with what this process changed, and not with what others did.
    commits: watch::Sender<u64>,
}

fn away(reason: &str) -> MetadataError {
    MetadataError::Unavailable(format!("simulated: {reason}"))
}

impl Remote {
    fn draw<T>(&self, draw: impl FnOnce(&mut StdRng, MetadataPlan) -> T) -> T {
        let mut state = self.shared.state.lock();
        let plan = state.plan;
        draw(&mut state.random, plan)
    }

    /// Before anything is done.
    async fn begin(&self) -> Result<()> {
        if !self.shared.network.reaches(&self.process, METADATA).await {
            return Err(away("it is not reached"));
        }
        let delay_ms = self.draw(|random, plan| random.random_range(0..=plan.latency_ms));
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        match self.draw(|random, plan| random.random_bool(plan.refuse)) {
            true => Err(away("it is busy")),
            false => Ok(()),
        }
    }

    /// After a change was made.
    fn end(&self) -> Result<()> {
        self.commits.send_modify(|commits| *commits += 1);
        if self.draw(|random, plan| random.random_bool(plan.lose_answer)) {
            self.shared.state.lock().lost_answers += 1;
            return Err(away("the answer was lost"));
        }
        Ok(())
    }

    /// A coordinator's change was made, or refused.
    fn check_leader(&self, outcome: &Result<usize>, fence: Option<&Fence>) {
        let mut state = self.shared.state.lock();
        match (outcome, fence) {
            (Err(MetadataError::Fenced { .. }), _) => state.fenced += 1,
            (Ok(_), Some(Fence { epoch, .. })) => {
                let newest = state.leaders.last_key_value().map_or(0, |(epoch, _)| *epoch);
                if *epoch < newest {
                    let process = &self.process;
                    let text =
                        format!("{process} of epoch {epoch} changed what epoch {newest} leads");
                    state.broken.push(text);
                }
                let leader = state.leaders.entry(*epoch).or_insert_with(|| self.process.clone());
                if *leader != self.process {
                    let text = format!("{leader} and {} lead under epoch {epoch}", self.process);
                    state.broken.push(text);
                }
            }
            (Ok(_), None) => {
                let text = format!("{} changed metadata without a fence", self.process);
                state.broken.push(text);
            }
            _ => {}
        }
    }
}

/// Passes calls on: reads, and changes of which perhaps nobody is told.
macro_rules! pass_on {
    (
        reads: $(fn $read:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*
        changes: $(fn $change:ident($($of:ident: $with:ty),*) -> $outcome:ty;)*
    ) => {
        #[async_trait]
        impl MetadataStore for Remote {
            $(async fn $read(&self, $($argument: $type),*) -> Result<$answer> {
                self.begin().await?;
                self.shared.store.$read($($argument),*).await
            })*

            $(async fn $change(&self, $($of: $with),*) -> Result<$outcome> {
                self.begin().await?;
                let outcome = self.shared.store.$change($($of),*).await;
                self.end()?;
                outcome
            })*

            async fn publish(&self, request: &PublishRequest) -> Result<PublishOutcome> {
                self.begin().await?;
                let outcome = self.shared.store.publish(request).await?;
                let transaction_id = request.transaction_id.clone();
                self.end().map_err(|error| {
                    MetadataError::OutcomeUnknown { transaction_id, reason: error.to_string() }
                })?;
                Ok(outcome)
            }

            async fn mark_unused(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize> {
                self.begin().await?;
                let outcome = self.shared.store.mark_unused(ids, fence).await;
                self.check_leader(&outcome, fence);
                self.end()?;
                outcome
            }

            fn commits(&self) -> watch::Receiver<u64> {
                self.commits.subscribe()
            }
        }
    };
}

/// What only the leader may do with unused segments.
#[async_trait]
impl UnusedSegments for Remote {
    async fn unused_segments(&self, filter: &UnusedFilter) -> Result<Vec<UnusedSegment>> {
        self.begin().await?;
        self.shared.store.unused_segments(filter).await
    }

    async fn mark_used(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize> {
        self.begin().await?;
        let outcome = self.shared.store.mark_used(ids, fence).await;
        self.check_leader(&outcome, fence);
        self.end()?;
        outcome
    }

    async fn condemn_segments(
        &self,
        ids: &[SegmentId],
        unused_before_ms: i64,
        fence: Option<&Fence>,
    ) -> Result<Vec<PublishedSegment>> {
        self.begin().await?;
        let outcome = self.shared.store.condemn_segments(ids, unused_before_ms, fence).await;
        self.end()?;
        outcome
    }

    async fn forget_condemned(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize> {
        self.begin().await?;
        let outcome = self.shared.store.forget_condemned(ids, fence).await;
        self.check_leader(&outcome, fence);
        self.end()?;
        outcome
    }

    async fn unnamed_objects(&self, keys: &[String]) -> Result<Vec<String>> {
        self.begin().await?;
        self.shared.store.unnamed_objects(keys).await
    }
}

pub(crate) type Marks = BTreeMap<String, LogMark>;

pass_on! {
    reads:
    fn cluster_uuid() -> String;
    fn get_document(kind: &str, name: &str) -> Option<Document>;
    fn get_document_version(kind: &str, name: &str, version: u64) -> Option<Document>;
    fn document_versions(kind: &str, name: &str, below: u64, limit: usize) -> Vec<Document>;
    fn list_documents(kind: &str) -> Vec<Document>;
    fn buffered_segments() -> Vec<BufferedSegment>;
    fn publication(transaction_id: &str) -> Option<PublishOutcome>;
    fn source(source_id: &str) -> SourceMarks;
    fn source_positions() -> Vec<SourcePosition>;
    fn used_segments() -> SegmentSnapshot;
    fn find_used(ids: &[SegmentId]) -> Vec<PublishedSegment>;
    fn segment_changes(sequence: u64, limit: usize) -> SegmentChanges;
    fn lease(name: &str) -> Option<Lease>;
    fn leases() -> Vec<Lease>;
    fn find_idempotency(datasource: &str, key: &str) -> Option<IdempotencyRecord>;
    fn get_task(id: &str) -> Option<TaskRecord>;
    fn list_tasks(filter: &TaskFilter) -> Vec<TaskRecord>;
    fn unfinished_tasks(owner: Option<&str>) -> Vec<String>;
    fn list_dead_letters(datasource: &str, after: u64, limit: usize) -> Vec<StoredDeadLetter>;
    fn dead_letter_totals(datasource: &str) -> DeadLetterTotals;
    fn log_marks() -> Marks;
    fn manifest_state() -> ManifestState;
    fn waiting_manifests(limit: usize) -> Vec<WaitingManifest>;
    changes:
    fn buffer_segment(owner: &str, datasource: &str, chunk: Interval) -> PendingSegment;
    fn put_task(task: &TaskRecord) -> ();
    fn put_document(kind: &str, name: &str, body_json: &str) -> u64;
    fn swap_document(kind: &str, name: &str, expected: u64, body_json: &str, fence: Option<&Fence>) -> u64;
    fn allocate_segment(owner: &str, datasource: &str, rows: Interval, bucket: Interval) -> Allocation;
    fn forget_pending(owner: &str) -> usize;
    fn change_buffered(owner: &str, add: &[SegmentId], remove: &[SegmentId]) -> ();
    fn allocate_version() -> Version;
    fn replace_object(id: &SegmentId, expected: &SegmentObject, new: &SegmentObject, fence: Option<&Fence>) -> ();
    fn acquire_lease(name: &str, holder: &str, ttl_ms: u64) -> Lease;
    fn renew_lease(fence: &Fence, ttl_ms: u64) -> Lease;
    fn release_lease(fence: &Fence) -> ();
    fn add_uptime(elapsed_ms: u64) -> u64;
    fn prune_idempotency(published_before_uptime_ms: u64) -> usize;
    fn update_task(id: &str, update: &TaskUpdate) -> ();
    fn prune_tasks(kept: TasksKept) -> usize;
    fn append_dead_letters(datasource: &str, letters: &[DeadLetter], record: Option<LetterRecord>, keep_at_most: u64) -> DeadLetterTotals;
    fn note_log_marks(marks: &Marks) -> ();
    fn make_complete_manifest() -> u64;
    fn manifests_written(up_to: u64) -> ();
    fn mark_cluster() -> ();
}
