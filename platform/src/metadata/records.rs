//! What the metadata store keeps.

use std::sync::Arc;

use henge_types::{Interval, SegmentId, ShardSpec, Version};
use serde::{Deserialize, Serialize};

use super::leases::Fence;
use super::positions::SourceAdvance;
use super::task_report::TaskReport;

/// The kind of the documents that are schemas of datasources.
pub const DATASOURCE: &str = "datasource";

/// One version of something that somebody set by name and its owner reads: the schema of a datasource.
/// The store knows nothing of what it says, so a new kind needs nothing here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// What it is; names are apart by kind.
    #[serde(default = "datasource", skip_serializing_if = "is_datasource")]
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What was set.
    #[serde(rename = "schemaJson")]
    pub body_json: String,
    /// Counts the versions of this document, from 1.
    #[serde(rename = "schemaVersion")]
    pub version: u64,
}

fn datasource() -> String {
    DATASOURCE.to_owned()
}

fn is_datasource(kind: &str) -> bool {
    kind == DATASOURCE
}

/// A place for one segment that will be published later. Its id is never given out again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingSegment {
    /// The identity. Its interval is that of the chunk, which may be wider or finer than the bucket that was asked for.
    pub id: SegmentId,
    /// Its place among the chunk's partitions.
    pub shard_spec: ShardSpec,
}

/// A reserved identity and the rows that it is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// The identity.
    pub segment: PendingSegment,
    /// The part of its interval around the rows where it would be seen: newer chunks may cover the
    /// rest. Holds all of the rows asked for.
    pub slice: Interval,
}

/// The version of identities that are never published: of rows whose time several chunks share, which
/// find their places at hand-off. All others are higher.
pub const UNPLACED: Version = Version(0);

/// A segment that a node buffers: its rows are acknowledged, or about to be, and not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferedSegment {
    /// What its rows are announced under.
    pub id: SegmentId,
    /// The node that has them, or their log.
    pub owner: Arc<str>,
}

/// A segment as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedSegment {
    /// Identity.
    pub id: SegmentId,
    /// Place among the chunk's partitions.
    pub shard_spec: ShardSpec,
    /// Key of the object in deep storage.
    pub object_key: String,
    /// Size of the object.
    pub size_bytes: u64,
    /// xxh3-64 of the object.
    pub checksum: u64,
    /// Number of stored rows.
    pub row_count: u64,
    /// Smallest timestamp.
    pub min_time_ms: i64,
    /// Largest timestamp.
    pub max_time_ms: i64,
    /// The segment's schema as JSON.
    pub schema_json: String,
}

/// A segment's object in deep storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentObject {
    /// Its key.
    pub key: String,
    /// Its size.
    pub size_bytes: u64,
    /// xxh3-64 of its content.
    pub checksum: u64,
}

impl PublishedSegment {
    /// Its object.
    #[must_use]
    pub fn object(&self) -> SegmentObject {
        SegmentObject {
            key: self.object_key.clone(),
            size_bytes: self.size_bytes,
            checksum: self.checksum,
        }
    }

    /// The same rows in another object.
    #[must_use]
    pub fn with_object(self, object: SegmentObject) -> Self {
        let SegmentObject { key: object_key, size_bytes, checksum } = object;
        Self { object_key, size_bytes, checksum, ..self }
    }
}

/// A remembered push request and the answer it got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdempotencyRecord {
    /// The datasource pushed to.
    pub datasource: String,
    /// The client's key.
    pub key: String,
    /// The answer to repeat.
    pub response_json: String,
    /// When it came.
    pub created_ms: i64,
    /// A hash of the request; `None` in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_hash: Option<String>,
}

/// What a publish replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplaceScope {
    /// The datasource.
    pub datasource: String,
    /// Used segments of older versions wholly inside one of these are marked unused.
    pub intervals: Vec<Interval>,
    /// When given, the used segments overlapping the intervals must be exactly these, else the
    /// publish fails: what compaction needs so that a late append is not lost.
    pub inputs: Option<Vec<SegmentId>>,
}

/// One all-or-nothing change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishRequest {
    /// Chosen by the caller and never used for anything else; asking again with the same id and
    /// the same segments is answered without doing it twice.
    pub transaction_id: String,
    /// The new segments.
    pub segments: Vec<PublishedSegment>,
    /// The source positions that they contain.
    pub source: Option<SourceAdvance>,
    /// The push requests that they contain.
    pub idempotency: Vec<IdempotencyRecord>,
    /// What they replace; `None` appends.
    pub replace: Option<ReplaceScope>,
    /// Who publishes must still have this lease: `Fenced` otherwise.
    pub fence: Option<Fence>,
}

/// What a publish did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishOutcome {
    /// True when the transaction had been committed before.
    pub already_published: bool,
    /// The segments that it marked unused.
    pub replaced: Vec<SegmentId>,
    /// The change sequence after it.
    pub sequence: u64,
}

/// One change of the set of used segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentChange {
    /// The segment is used.
    Used(Box<PublishedSegment>),
    /// The segment is no longer used.
    Unused(SegmentId),
}

/// An answer to an incremental poll.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentChanges {
    /// Changes in the order they were made; of several changes of one segment only the last.
    pub changes: Vec<SegmentChange>,
    /// Ask for the changes after this next time.
    pub sequence: u64,
    /// True when more changes wait.
    pub more: bool,
}

/// All used segments at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentSnapshot {
    /// The segments.
    pub segments: Vec<PublishedSegment>,
    /// Incremental polls go on from here.
    pub sequence: u64,
    /// Only a complete view may lead to drops and deletions: "unknown" is not "empty".
    pub complete: bool,
}

/// State of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TaskStatus {
    /// At work.
    Running,
    /// Done.
    Success,
    /// Failed; the record's `error` says why.
    Failed,
}

impl TaskStatus {
    /// The name as in Druid's API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
        }
    }

    /// The status of a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Success, Self::Failed].into_iter().find(|s| s.as_str() == text)
    }
}

/// How far a task is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskProgress {
    /// Bytes to read in all; 0 while unknown.
    pub total_bytes: u64,
    /// Bytes read.
    pub processed_bytes: u64,
    /// Events to read in all; 0 where the input does not say.
    pub total_rows: u64,
    /// Events read.
    pub received: u64,
    /// Events stored.
    pub accepted: u64,
    /// Events refused.
    pub rejected: u64,
    /// Events left out by the spec's filter.
    pub filtered: u64,
    /// Segments published.
    pub segments: u64,
    /// What became of the input beyond these counts.
    pub report: TaskReport,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRecord {
    /// Its id.
    pub id: String,
    /// Druid's task type, for example `index_parallel`.
    pub task_type: String,
    /// The datasource it works on.
    pub datasource: String,
    /// The realtime node that accepted it, which alone runs it.
    pub owner: String,
    /// When it was accepted.
    pub created_ms: i64,
    /// State.
    pub status: TaskStatus,
    /// Why it failed.
    pub error: Option<String>,
    /// How long it ran, once it ended.
    pub duration_ms: Option<i64>,
    /// The spec as sent.
    pub payload_json: String,
    /// How far it is.
    pub progress: TaskProgress,
}

/// What changes in a task's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskUpdate {
    /// New state.
    pub status: TaskStatus,
    /// Why it failed.
    pub error: Option<String>,
    /// How long it ran, once it ended.
    pub duration_ms: Option<i64>,
    /// How far it is.
    pub progress: TaskProgress,
}

/// Which tasks to list; newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFilter {
    /// Only this task.
    pub id: Option<String>,
    /// Only this state.
    pub status: Option<TaskStatus>,
    /// Only this datasource.
    pub datasource: Option<String>,
    /// At most so many.
    pub limit: usize,
}

impl Default for TaskFilter {
    fn default() -> Self {
        Self { id: None, status: None, datasource: None, limit: 1_000 }
    }
}

/// How much of the tasks that ended is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TasksKept {
    /// Tasks.
    pub count: u64,
    /// Bytes of their payloads together.
    pub payload_bytes: u64,
}

/// An event that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// When it came.
    pub received_ms: i64,
    /// Which request, log or file it came in.
    pub origin: String,
    /// Index of the event in its request.
    pub position: u64,
    /// Offset of the event in its request.
    pub offset_bytes: u64,
    /// Why it was refused.
    pub reason: String,
    /// The event as sent, cut to a bounded length.
    pub raw: String,
}

/// The log record that letters come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterRecord {
    /// The log: each node has one of its own for a datasource.
    pub log: Arc<str>,
    /// Its sequence.
    pub sequence: u64,
    /// It was read back from the log: its letters may be kept already.
    pub is_replayed: bool,
}

impl LetterRecord {
    /// Whether its letters are kept already, when those of records up to `kept_sequence` are.
    pub(super) fn is_kept(&self, kept_sequence: u64) -> bool {
        self.is_replayed && self.sequence <= kept_sequence
    }
}

/// A kept dead letter and its number within the datasource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDeadLetter {
    /// Counts from 1 within the datasource and is never reused.
    pub number: u64,
    /// The letter.
    pub letter: DeadLetter,
}

/// How many dead letters a datasource had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterTotals {
    /// All that ever came.
    pub received: u64,
    /// Those that can still be listed.
    pub kept: u64,
    /// Those dropped because the datasource had too many; `received = kept + dropped`.
    pub dropped: u64,
}
