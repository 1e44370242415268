//! The metadata store in one SQLite file: write-ahead journal, `synchronous = FULL`, one writing
//! connection with `BEGIN IMMEDIATE`, several reading ones.

mod allocate;
mod buffered;
mod convert;
mod documents;
mod journal;
mod letters;
mod manifests;
mod marks;
mod open;
mod segments;
mod sources;
mod tasks;
mod unpublished;

use std::collections::BTreeMap;

use async_trait::async_trait;
use henge_types::{Interval, SegmentId, Version, validate_datasource_name};
use sqlx::Sqlite;
use tokio::sync::watch;

use self::convert::{get_u64, store_error, to_i64};
use self::open::Pools;
use super::commits::Commits;
use super::error::{MetadataError, Result};
use super::manifest::{Manifest, ManifestState, SourcePosition, WaitingManifest};
use super::positions::SourceMarks;
use super::records::{
    Allocation, BufferedSegment, DeadLetter, DeadLetterTotals, Document, IdempotencyRecord,
    LetterRecord, PendingSegment, PublishOutcome, PublishRequest, SegmentChanges, SegmentObject,
    SegmentSnapshot, StoredDeadLetter, TaskFilter, TaskRecord, TaskUpdate, TasksKept,
};
use super::rules::{check_request, invalid, newer_marks};
use super::store::MetadataStore;
use crate::runtime::crash_point;
use crate::wal::{LogMark, LogMarks};

pub use open::SqliteOptions;

/// The embedded default: one file, nothing to install.
pub struct SqliteMetadataStore {
    pools: Pools,
    cluster_uuid: String,
    commits: Commits,
    marks: LogMarks,
}

impl SqliteMetadataStore {
    /// Opens or creates a store. An existing file is verified before anything is changed.
    ///
    /// # Errors
    /// `Corrupt` when the file is damaged, is not Henge's, or comes from a newer version: do not
    /// start. `Unavailable` when it cannot be reached.
    pub async fn open(options: SqliteOptions) -> Result<Self> {
        let pools = open::open(&options).await?;
        let marks = options.marks;
        let cluster_uuid = sqlx::query_scalar("SELECT uuid FROM cluster")
            .fetch_one(&pools.readers)
            .await
            .map_err(store_error)?;
        Ok(Self { pools, cluster_uuid, commits: Commits::default(), marks })
    }

    /// True when no store was ever made at a path; also when a kill cut its making short.
    ///
    /// # Errors
    /// `Unavailable` when the path cannot be reached.
    pub async fn is_unmade(options: &SqliteOptions) -> Result<bool> {
        open::is_unmade(options).await
    }

    /// Makes a store at a path where none is, from what a complete manifest says. Versions up to
    /// `version` and the ids in `reserved` will not be given out.
    ///
    /// # Errors
    /// `Invalid` when something is at the path; else as [`open`](Self::open).
    pub async fn restore(
        options: SqliteOptions,
        all: &Manifest,
        version: Version,
        reserved: &[SegmentId],
    ) -> Result<Self> {
        if options.path.exists() {
            return Err(invalid(format!("'{}' exists", options.path.display())));
        }
        let mut store = Self::open(options).await?;
        let mut transaction = store.begin().await?;
        manifests::restore(&mut transaction, all, version, reserved).await?;
        transaction.commit().await.map_err(store_error)?;
        store.cluster_uuid.clone_from(&all.cluster_uuid);
        Ok(store)
    }

    /// All that is published, as a complete manifest that has no number yet would say it.
    ///
    /// # Errors
    /// `Corrupt` when a record was changed; `Unavailable` when the store cannot be read.
    pub async fn everything(&self) -> Result<Manifest> {
        let mut transaction = self.pools.readers.begin().await.map_err(store_error)?;
        let all = manifests::everything(&mut transaction).await?;
        manifests::with_head(&mut transaction, all).await
    }

    /// Closes all connections, which folds the journal into the file. A crash instead is fine.
    pub async fn close(&self) {
        self.pools.readers.close().await;
        self.pools.writer.close().await;
    }

    async fn begin(&self) -> Result<sqlx::Transaction<'static, Sqlite>> {
        self.pools.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)
    }

    async fn reader(&self) -> Result<sqlx::pool::PoolConnection<Sqlite>> {
        self.pools.readers.acquire().await.map_err(store_error)
    }
}

impl std::fmt::Debug for SqliteMetadataStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteMetadataStore")
            .field("cluster_uuid", &self.cluster_uuid)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl MetadataStore for SqliteMetadataStore {
    async fn cluster_uuid(&self) -> Result<String> {
        Ok(self.cluster_uuid.clone())
    }

    async fn put_document(&self, kind: &str, name: &str, body_json: &str) -> Result<u64> {
        validate_datasource_name(name).map_err(|error| invalid(error.to_string()))?;
        let mut transaction = self.begin().await?;
        let newest = documents::newest(&mut transaction, kind, name).await?;
        if let Some(newest) = newest.as_ref().filter(|newest| newest.body_json == body_json) {
            return Ok(newest.version);
        }
        let version = newest.map_or(1, |newest| newest.version + 1);
        let (kind, name, body_json) = (kind.to_owned(), name.to_owned(), body_json.to_owned());
        let document = Document { kind, name, body_json, version };
        documents::insert(&mut transaction, &document).await?;
        let change = Manifest { documents: vec![document], ..Manifest::default() };
        manifests::enqueue(&mut transaction, change).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(version)
    }

    async fn get_document(&self, kind: &str, name: &str) -> Result<Option<Document>> {
        documents::newest(&mut *self.reader().await?, kind, name).await
    }

    async fn get_document_version(
        &self,
        kind: &str,
        name: &str,
        version: u64,
    ) -> Result<Option<Document>> {
        documents::version(&mut *self.reader().await?, kind, name, version).await
    }

    async fn list_documents(&self, kind: &str) -> Result<Vec<Document>> {
        documents::list(&mut *self.reader().await?, kind).await
    }

    async fn allocate_segment(
        &self,
        owner: &str,
        datasource: &str,
        rows: Interval,
        bucket: Interval,
    ) -> Result<Allocation> {
        super::check_allocation(datasource, rows, bucket)?;
        let mut transaction = self.begin().await?;
        let allocation =
            allocate::allocate_append(&mut transaction, owner, datasource, rows, bucket).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(allocation)
    }

    async fn buffer_segment(
        &self,
        owner: &str,
        datasource: &str,
        chunk: Interval,
    ) -> Result<PendingSegment> {
        super::check_allocation(datasource, chunk, chunk)?;
        let mut transaction = self.begin().await?;
        let segment = buffered::buffer(&mut transaction, owner, datasource, chunk).await?;
        let _noted = self.commits.note();
        transaction.commit().await.map_err(store_error)?;
        Ok(segment)
    }

    async fn change_buffered(
        &self,
        owner: &str,
        add: &[SegmentId],
        remove: &[SegmentId],
    ) -> Result<()> {
        let mut transaction = self.begin().await?;
        buffered::change(&mut transaction, owner, add, remove).await?;
        let _noted = self.commits.note();
        transaction.commit().await.map_err(store_error)
    }

    async fn buffered_segments(&self) -> Result<Vec<BufferedSegment>> {
        buffered::all(&mut *self.reader().await?).await
    }

    async fn forget_pending(&self, owner: &str) -> Result<usize> {
        let deleted = sqlx::query("DELETE FROM pending_segments WHERE owner = ? OR owner IS NULL")
            .bind(owner)
            .execute(&self.pools.writer)
            .await
            .map_err(store_error)?;
        Ok(usize::try_from(deleted.rows_affected()).unwrap_or(usize::MAX))
    }

    async fn allocate_version(&self) -> Result<Version> {
        let mut transaction = self.begin().await?;
        let version = segments::next_counter(&mut transaction, "version").await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(Version(version))
    }

    async fn publish(&self, request: &PublishRequest) -> Result<PublishOutcome> {
        check_request(request)?;
        let mut transaction = self.begin().await?;
        let outcome = segments::publish(&mut transaction, request).await?;
        if outcome.already_published {
            return Ok(outcome);
        }
        crash_point("metadata/before-commit");
        let _noted = self.commits.note();
        transaction.commit().await.map_err(|error| MetadataError::OutcomeUnknown {
            transaction_id: request.transaction_id.clone(),
            reason: error.to_string(),
        })?;
        crash_point("metadata/after-commit");
        Ok(outcome)
    }

    async fn publication(&self, transaction_id: &str) -> Result<Option<PublishOutcome>> {
        // On the writer's connection, so that a commit still under way is waited for.
        let mut writer = self.pools.writer.acquire().await.map_err(store_error)?;
        let publication = segments::publication(&mut writer, transaction_id).await?;
        Ok(publication.map(|(_, outcome)| outcome))
    }

    async fn source(&self, source_id: &str) -> Result<SourceMarks> {
        sources::marks(&mut *self.reader().await?, source_id).await
    }

    async fn source_positions(&self) -> Result<Vec<SourcePosition>> {
        sources::all(&mut *self.reader().await?).await
    }

    async fn used_segments(&self) -> Result<SegmentSnapshot> {
        // One read transaction, so that the sequence and the rows belong together.
        let mut transaction = self.pools.readers.begin().await.map_err(store_error)?;
        segments::snapshot(&mut transaction).await
    }

    async fn segment_changes(&self, sequence: u64, limit: usize) -> Result<SegmentChanges> {
        segments::changes(&mut *self.reader().await?, sequence, limit).await
    }

    fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    async fn mark_unused(&self, ids: &[SegmentId]) -> Result<usize> {
        let mut transaction = self.begin().await?;
        let unused = segments::mark_unused(&mut transaction, ids).await?;
        let marked = unused.len();
        if marked > 0 {
            let change = Manifest { unused, ..Manifest::default() };
            manifests::enqueue(&mut transaction, change).await?;
        }
        let _noted = self.commits.note();
        transaction.commit().await.map_err(store_error)?;
        Ok(marked)
    }

    async fn replace_object(
        &self,
        id: &SegmentId,
        expected: &SegmentObject,
        new: &SegmentObject,
    ) -> Result<()> {
        let mut transaction = self.begin().await?;
        if segments::replace_object(&mut transaction, id, expected, new).await? {
            let _noted = self.commits.note();
            transaction.commit().await.map_err(store_error)?;
        }
        Ok(())
    }

    async fn find_idempotency(
        &self,
        datasource: &str,
        key: &str,
    ) -> Result<Option<IdempotencyRecord>> {
        let row = sqlx::query("SELECT * FROM idempotency WHERE datasource = ? AND key = ?")
            .bind(datasource)
            .bind(key)
            .fetch_optional(&self.pools.readers)
            .await
            .map_err(store_error)?;
        row.map(|row| convert::idempotency(&row)).transpose()
    }

    async fn add_uptime(&self, elapsed_ms: u64) -> Result<u64> {
        let row = sqlx::query(
            "UPDATE counters SET value = value + ? WHERE name = 'uptime_ms' RETURNING value",
        )
        .bind(to_i64(elapsed_ms, "uptime")?)
        .fetch_one(&self.pools.writer)
        .await
        .map_err(store_error)?;
        get_u64(&row, "value")
    }

    async fn prune_idempotency(&self, published_before_uptime_ms: u64) -> Result<usize> {
        let deleted = sqlx::query("DELETE FROM idempotency WHERE published_uptime_ms < ?")
            .bind(to_i64(published_before_uptime_ms, "uptime")?)
            .execute(&self.pools.writer)
            .await
            .map_err(store_error)?;
        Ok(usize::try_from(deleted.rows_affected()).unwrap_or(usize::MAX))
    }

    async fn put_task(&self, task: &TaskRecord) -> Result<()> {
        let mut transaction = self.begin().await?;
        tasks::put(&mut transaction, task).await?;
        self.commit_unpublished(transaction).await
    }

    async fn update_task(&self, id: &str, update: &TaskUpdate) -> Result<()> {
        let mut transaction = self.begin().await?;
        tasks::update(&mut transaction, id, update).await?;
        self.commit_unpublished(transaction).await
    }

    async fn get_task(&self, id: &str) -> Result<Option<TaskRecord>> {
        let row = sqlx::query("SELECT * FROM tasks WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pools.readers)
            .await
            .map_err(store_error)?;
        row.map(|row| convert::task(&row)).transpose()
    }

    async fn list_tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskRecord>> {
        tasks::list(&self.pools, filter).await
    }

    async fn prune_tasks(&self, kept: TasksKept) -> Result<usize> {
        tasks::prune(&self.pools, kept).await
    }

    async fn unfinished_tasks(&self) -> Result<Vec<String>> {
        // Row ids grow with each task; clocks may step back.
        sqlx::query_scalar("SELECT id FROM tasks WHERE status = ? ORDER BY rowid")
            .bind(super::TaskStatus::Running.as_str())
            .fetch_all(&self.pools.readers)
            .await
            .map_err(store_error)
    }

    async fn append_dead_letters(
        &self,
        datasource: &str,
        letters: &[DeadLetter],
        record: Option<LetterRecord>,
        keep_at_most: u64,
    ) -> Result<DeadLetterTotals> {
        let mut transaction = self.begin().await?;
        let totals = letters::totals(&mut transaction, datasource).await?;
        if record.is_some_and(|record| record.is_kept(totals.log_sequence)) {
            return Ok(totals);
        }
        let sequence = record.map_or(0, |record| record.sequence);
        letters::append(&mut transaction, datasource, letters, sequence, keep_at_most).await?;
        let totals = letters::totals(&mut transaction, datasource).await?;
        self.commit_unpublished(transaction).await?;
        Ok(totals)
    }

    async fn list_dead_letters(
        &self,
        datasource: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredDeadLetter>> {
        let rows = sqlx::query(
            "SELECT * FROM dead_letters WHERE datasource = ? AND number > ? \
             ORDER BY number LIMIT ?",
        )
        .bind(datasource)
        .bind(to_i64(after, "dead letter number")?)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pools.readers)
        .await
        .map_err(store_error)?;
        rows.iter().map(convert::dead_letter).collect()
    }

    async fn dead_letter_totals(&self, datasource: &str) -> Result<DeadLetterTotals> {
        letters::totals(&mut *self.reader().await?, datasource).await
    }

    async fn log_marks(&self) -> Result<BTreeMap<String, LogMark>> {
        marks::all(&mut *self.reader().await?).await
    }

    async fn note_log_marks(&self, noted: &BTreeMap<String, LogMark>) -> Result<()> {
        // Most often there is nothing new, and no need to wait for the writer.
        if newer_marks(&self.log_marks().await?, noted).is_empty() {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        marks::note(&mut transaction, noted).await?;
        transaction.commit().await.map_err(store_error)
    }

    async fn manifest_state(&self) -> Result<ManifestState> {
        manifests::state(&mut *self.reader().await?).await
    }

    async fn make_complete_manifest(&self) -> Result<u64> {
        let mut transaction = self.begin().await?;
        let all = manifests::everything(&mut transaction).await?;
        let number = manifests::enqueue(&mut transaction, all).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(number)
    }

    async fn waiting_manifests(&self, limit: usize) -> Result<Vec<WaitingManifest>> {
        manifests::waiting(&mut *self.reader().await?, limit).await
    }

    async fn manifests_written(&self, up_to: u64) -> Result<()> {
        sqlx::query("DELETE FROM manifests_waiting WHERE number <= ?")
            .bind(to_i64(up_to, "manifest number")?)
            .execute(&self.pools.writer)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn mark_cluster(&self) -> Result<()> {
        for statement in ["UPDATE cluster SET marked = 1", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            sqlx::query(statement).execute(&self.pools.writer).await.map_err(store_error)?;
        }
        Ok(())
    }
}
