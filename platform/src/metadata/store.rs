//! The contract of a metadata store.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use henge_types::{Interval, SegmentId, Version};

use super::error::Result;
use super::leases::{Fence, Lease};
use super::manifest::{ManifestState, SourcePosition, WaitingManifest};
use super::positions::SourceMarks;
use super::records::{
    Allocation, BufferedSegment, DeadLetter, DeadLetterTotals, Document, IdempotencyRecord,
    LetterRecord, PendingSegment, PublishOutcome, PublishRequest, PublishedSegment, SegmentChanges,
    SegmentObject, SegmentSnapshot, StoredDeadLetter, TaskFilter, TaskRecord, TaskUpdate,
    TasksKept,
};
use super::unused::UnusedSegments;
use crate::wal::LogMark;

/// The truth about what is published. Every change is one transaction, durable when the call
/// returns. Implementations pass the suite in `contract.rs`.
#[async_trait]
pub trait MetadataStore: UnusedSegments + Send + Sync + Debug {
    /// Identifies the cluster; made once, when the store is created.
    async fn cluster_uuid(&self) -> Result<String>;

    /// Sets a document and gives its version; the same body again keeps the version. Names are as
    /// those of datasources.
    async fn put_document(&self, kind: &str, name: &str, body_json: &str) -> Result<u64>;

    /// Sets a document whose newest version is `expected`, 0 when there is none, and gives the new one.
    /// `DocumentChanged` when that is not its version, whatever the body; `Fenced` when somebody else has
    /// the lease of the fence by now.
    async fn swap_document(
        &self,
        kind: &str,
        name: &str,
        expected: u64,
        body_json: &str,
        fence: Option<&Fence>,
    ) -> Result<u64>;

    /// The newest version of a document.
    async fn get_document(&self, kind: &str, name: &str) -> Result<Option<Document>>;

    /// One version of a document, which is kept for ever: what replaying a log needs.
    async fn get_document_version(
        &self,
        kind: &str,
        name: &str,
        version: u64,
    ) -> Result<Option<Document>>;

    /// Versions of a document, the newest first: up to `limit` of those below `below`, which is where the
    /// next page begins.
    async fn document_versions(
        &self,
        kind: &str,
        name: &str,
        below: u64,
        limit: usize,
    ) -> Result<Vec<Document>>;

    /// The newest version of every document of a kind, by name.
    async fn list_documents(&self, kind: &str) -> Result<Vec<Document>>;

    /// Reserves the identity of a segment to be published later, for rows of the time `rows`.
    ///
    /// What lies there decides (ADR 7): the chunk that is visible at the first row's time, else the
    /// one that is open there, else `bucket`, else the largest finer bucket that overlaps no chunk.
    /// Fails with `IntervalConflict` when that is no place for all of `rows`; for the rows of one
    /// moment there always is one. Ids are never given out twice, also when their segments are
    /// unused by now.
    async fn allocate_segment(
        &self,
        owner: &str,
        datasource: &str,
        rows: Interval,
        bucket: Interval,
    ) -> Result<Allocation>;

    /// Forgets what `owner`, or nobody, allocated and never published; gives how many. For a node that
    /// starts: nobody knows of those any more. Their ids are not given out again, and may be published
    /// all the same. What it buffered stays noted.
    async fn forget_pending(&self, owner: &str) -> Result<usize>;

    /// Reserves an identity for rows of a time chunk, and notes in the same transaction that `owner`
    /// buffers them. Where no one place takes rows of the whole chunk, the identity is [`UNPLACED`](super::UNPLACED).
    async fn buffer_segment(
        &self,
        owner: &str,
        datasource: &str,
        chunk: Interval,
    ) -> Result<PendingSegment>;

    /// Changes what `owner` buffers in one step: the same rows are under other identities now, or are
    /// nowhere any more. Publishing an identity ends that it is buffered.
    async fn change_buffered(
        &self,
        owner: &str,
        add: &[SegmentId],
        remove: &[SegmentId],
    ) -> Result<()>;

    /// What is buffered, by all nodes. Who also wants what is used asks for this first: then what is
    /// published in between is in both, and nothing in neither.
    async fn buffered_segments(&self) -> Result<Vec<BufferedSegment>>;

    /// A version above all versions given out before, for replacing. From a sequence, not a clock.
    async fn allocate_version(&self) -> Result<Version>;

    /// Publishes segments, the source positions and the idempotency keys in one transaction.
    ///
    /// An append fails with `VersionConflict` when rows would be hidden by a newer version or
    /// would hide an older one; a replace fails with it when a newer version is used in its
    /// intervals.
    async fn publish(&self, request: &PublishRequest) -> Result<PublishOutcome>;

    /// The outcome of a committed transaction: how to resolve `OutcomeUnknown`.
    async fn publication(&self, transaction_id: &str) -> Result<Option<PublishOutcome>>;

    /// The committed positions of a source and what it left there, by partition.
    async fn source(&self, source_id: &str) -> Result<SourceMarks>;

    /// The committed positions of all sources, by id and partition.
    async fn source_positions(&self) -> Result<Vec<SourcePosition>>;

    /// All used segments, with the sequence to poll on from.
    async fn used_segments(&self) -> Result<SegmentSnapshot>;

    /// Those of these segments that are used, in no order: for a node that knows what it has and asks what
    /// of it still counts.
    async fn find_used(&self, ids: &[SegmentId]) -> Result<Vec<PublishedSegment>>;

    /// Up to `limit` changes of the used segments after `sequence`.
    async fn segment_changes(&self, sequence: u64, limit: usize) -> Result<SegmentChanges>;

    /// A number that moves after each commit made through this store that may have changed the used
    /// or the buffered segments, or a document. Whoever sees it unmoved need not ask for changes, but for those that other
    /// processes make: these are found by polling.
    fn commits(&self) -> crate::runtime::watch::Receiver<u64>;

    /// Marks segments unused; gives how many were used before. Unknown ids are ignored. `Fenced` when
    /// somebody else has the lease of the fence by now.
    async fn mark_unused(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize>;

    /// Gives a used segment another object with the same rows, when it still has `expected`; does
    /// nothing when it has the new one. `ObjectChanged` in all other cases, and `Fenced` as above.
    async fn replace_object(
        &self,
        id: &SegmentId,
        expected: &SegmentObject,
        new: &SegmentObject,
        fence: Option<&Fence>,
    ) -> Result<()>;

    /// Asks for a lease, for `ttl_ms` from now by the store's own clock. Gives it as it is then: `holder`'s,
    /// under a new epoch when it was not before, or somebody else's. Holders are told apart by
    /// name, so each start of a process needs one of its own.
    async fn acquire_lease(&self, name: &str, holder: &str, ttl_ms: u64) -> Result<Lease>;

    /// Makes a lease last `ttl_ms` from now, also one that ran out and that nobody took; `Fenced` when
    /// somebody did.
    async fn renew_lease(&self, fence: &Fence, ttl_ms: u64) -> Result<Lease>;

    /// Gives a lease back, so that others need not wait; `Fenced` when somebody else has it.
    async fn release_lease(&self, fence: &Fence) -> Result<()>;

    /// A lease as it is now; `None` when it was never taken.
    async fn lease(&self, name: &str) -> Result<Option<Lease>>;

    /// All leases that were ever taken, by name, as they are now.
    async fn leases(&self) -> Result<Vec<Lease>>;

    /// The answer that a push with this key got.
    async fn find_idempotency(
        &self,
        datasource: &str,
        key: &str,
    ) -> Result<Option<IdempotencyRecord>>;

    /// Adds to the time that servers have run on this store and gives the sum, in milliseconds. Ages
    /// of idempotency keys are counted in it: it stands still while no server runs, and no clock
    /// moves it.
    async fn add_uptime(&self, elapsed_ms: u64) -> Result<u64>;

    /// Forgets idempotency keys that were published before this much uptime; gives how many went.
    async fn prune_idempotency(&self, published_before_uptime_ms: u64) -> Result<usize>;

    /// Adds a task; `Invalid` when its id is taken.
    async fn put_task(&self, task: &TaskRecord) -> Result<()>;

    /// Changes a task's state; `NotFound` when there is none.
    async fn update_task(&self, id: &str, update: &TaskUpdate) -> Result<()>;

    /// One task.
    async fn get_task(&self, id: &str) -> Result<Option<TaskRecord>>;

    /// Tasks, newest first, without their payloads.
    async fn list_tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskRecord>>;

    /// Forgets the oldest of the tasks that ended; gives how many. The newest of all is kept.
    async fn prune_tasks(&self, kept: TasksKept) -> Result<usize>;

    /// The ids of the tasks that have not ended, in the order they were accepted; with an `owner` only
    /// those of that node.
    async fn unfinished_tasks(&self, owner: Option<&str>) -> Result<Vec<String>>;

    /// Keeps refused events, at most `keep_at_most` a datasource; the oldest are dropped and
    /// counted. Letters of a log record are kept once: the records of a log come in the order of their
    /// sequences, and those of a replayed one up to the last are kept already.
    async fn append_dead_letters(
        &self,
        datasource: &str,
        letters: &[DeadLetter],
        record: Option<LetterRecord>,
        keep_at_most: u64,
    ) -> Result<DeadLetterTotals>;

    /// Kept dead letters with a number above `after`, oldest first.
    async fn list_dead_letters(
        &self,
        datasource: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredDeadLetter>>;

    /// How many dead letters a datasource had.
    async fn dead_letter_totals(&self, datasource: &str) -> Result<DeadLetterTotals>;

    /// How far the logs of pushes were durable when that was last noted, by the names of the logs.
    async fn log_marks(&self) -> Result<BTreeMap<String, LogMark>>;

    /// Notes how far logs are durable, by the names of the logs. Marks that are older than what is noted are
    /// left out.
    async fn note_log_marks(&self, marks: &BTreeMap<String, LogMark>) -> Result<()>;

    /// How far the manifests are.
    async fn manifest_state(&self) -> Result<ManifestState>;

    /// Puts a manifest of everything into the outbox; gives its number.
    async fn make_complete_manifest(&self) -> Result<u64>;

    /// Manifests that are not known to be in deep storage, oldest first. Each was put there by the
    /// transaction of its change.
    async fn waiting_manifests(&self, limit: usize) -> Result<Vec<WaitingManifest>>;

    /// Those up to a number are in deep storage.
    async fn manifests_written(&self, up_to: u64) -> Result<()>;

    /// Every folder of the cluster carries its identity from now on.
    async fn mark_cluster(&self) -> Result<()>;
}
