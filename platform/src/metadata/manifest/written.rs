//! A metadata store whose changes are answered once their manifests are in deep storage.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use henge_types::{Interval, SegmentId, Version};
use tokio::sync::Mutex;

use super::folder::{list_manifests, unavailable};
use super::record::{ManifestState, SourcePosition, WaitingManifest, manifest_key};
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::leases::{Fence, Lease};
use crate::metadata::positions::SourceMarks;
use crate::metadata::records::{
    Allocation, BufferedSegment, DeadLetter, DeadLetterTotals, Document, IdempotencyRecord,
    LetterRecord, PendingSegment, PublishOutcome, PublishRequest, PublishedSegment, SegmentChanges,
    SegmentObject, SegmentSnapshot, StoredDeadLetter, TaskFilter, TaskRecord, TaskUpdate,
    TasksKept,
};
use crate::metadata::store::MetadataStore;
use crate::runtime::crash_point;
use crate::storage::{DeepStorage, Payload, StorageError};
use crate::wal::LogMark;

/// Manifests written at a time.
const BATCH: usize = 100;
/// After so many manifests one says everything again, unless that would be longer than they are.
const COMPLETE_EVERY: u64 = 1_000;

/// Writes the outbox of a store to deep storage.
#[derive(Debug)]
pub struct ManifestedStore {
    pub(super) inner: Arc<dyn MetadataStore>,
    storage: Arc<dyn DeepStorage>,
    /// One writes at a time, so that manifests come into being in their order.
    writing: Mutex<()>,
}

impl ManifestedStore {
    /// Over a store and where its manifests go.
    #[must_use]
    pub fn new(inner: Arc<dyn MetadataStore>, storage: Arc<dyn DeepStorage>) -> Self {
        Self { inner, storage, writing: Mutex::default() }
    }

    /// Writes every manifest that waits.
    ///
    /// # Errors
    /// `Unavailable` when deep storage or the store is; `Corrupt` when deep storage has another
    /// manifest under a number: someone else writes there.
    pub async fn write_manifests(&self) -> Result<()> {
        let _one_at_a_time = self.writing.lock().await;
        let mut obsolete_before = None;
        loop {
            let waiting = self.inner.waiting_manifests(BATCH).await?;
            let Some(last) = waiting.last().map(|manifest| manifest.number) else {
                self.forget_before(obsolete_before).await;
                return Ok(());
            };
            for manifest in waiting {
                self.write(manifest).await?;
            }
            crash_point("metadata/manifest-written");
            self.inner.manifests_written(last).await?;
            let state = self.inner.manifest_state().await?;
            let since = state.made - state.complete;
            // Only now and then, and never more than what was written since.
            if since >= COMPLETE_EVERY.max(state.segments) {
                self.inner.make_complete_manifest().await?;
                obsolete_before = Some(state.complete);
            }
        }
    }

    /// Deletes the manifests before a complete one, once another complete one follows it.
    async fn forget_before(&self, number: Option<u64>) {
        let Some(number) = number else { return };
        let Ok(listed) = list_manifests(&*self.storage).await else { return };
        for obsolete in listed.numbers.into_iter().filter(|listed| *listed < number) {
            if let Err(error) = self.storage.delete(&manifest_key(obsolete)).await {
                tracing::warn!(obsolete, %error, "an old manifest stays in deep storage");
            }
        }
    }

    async fn write(&self, manifest: WaitingManifest) -> Result<()> {
        let key = manifest_key(manifest.number);
        match self.storage.push(&key, Payload::Bytes(manifest.text.into())).await {
            Ok(_) => Ok(()),
            Err(StorageError::Conflict(_)) => Err(MetadataError::Corrupt(format!(
                "deep storage has another manifest '{key}': another server writes there, or the \
                 metadata are older than it; see `henge metadata check`"
            ))),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

#[async_trait]
impl MetadataStore for ManifestedStore {
    async fn cluster_uuid(&self) -> Result<String> {
        self.inner.cluster_uuid().await
    }

    async fn put_document(&self, kind: &str, name: &str, body_json: &str) -> Result<u64> {
        let version = self.inner.put_document(kind, name, body_json).await?;
        self.write_manifests().await?;
        Ok(version)
    }

    async fn swap_document(
        &self,
        kind: &str,
        name: &str,
        expected: u64,
        body_json: &str,
        fence: Option<&Fence>,
    ) -> Result<u64> {
        let swapped = self.inner.swap_document(kind, name, expected, body_json, fence).await?;
        self.write_manifests().await?;
        Ok(swapped)
    }

    async fn get_document(&self, kind: &str, name: &str) -> Result<Option<Document>> {
        self.inner.get_document(kind, name).await
    }

    async fn get_document_version(
        &self,
        kind: &str,
        name: &str,
        version: u64,
    ) -> Result<Option<Document>> {
        self.inner.get_document_version(kind, name, version).await
    }

    async fn document_versions(
        &self,
        kind: &str,
        name: &str,
        below: u64,
        limit: usize,
    ) -> Result<Vec<Document>> {
        self.inner.document_versions(kind, name, below, limit).await
    }

    async fn list_documents(&self, kind: &str) -> Result<Vec<Document>> {
        self.inner.list_documents(kind).await
    }

    async fn allocate_segment(
        &self,
        owner: &str,
        datasource: &str,
        rows: Interval,
        bucket: Interval,
    ) -> Result<Allocation> {
        self.inner.allocate_segment(owner, datasource, rows, bucket).await
    }

    async fn forget_pending(&self, owner: &str) -> Result<usize> {
        self.inner.forget_pending(owner).await
    }

    async fn buffer_segment(
        &self,
        owner: &str,
        datasource: &str,
        chunk: Interval,
    ) -> Result<PendingSegment> {
        self.inner.buffer_segment(owner, datasource, chunk).await
    }

    async fn change_buffered(
        &self,
        owner: &str,
        add: &[SegmentId],
        remove: &[SegmentId],
    ) -> Result<()> {
        self.inner.change_buffered(owner, add, remove).await
    }

    async fn buffered_segments(&self) -> Result<Vec<BufferedSegment>> {
        self.inner.buffered_segments().await
    }

    async fn allocate_version(&self) -> Result<Version> {
        self.inner.allocate_version().await
    }

    /// `OutcomeUnknown` when it is committed and its manifest is not written yet:
    /// [`publication`](MetadataStore::publication) writes it.
    async fn publish(&self, request: &PublishRequest) -> Result<PublishOutcome> {
        let outcome = self.inner.publish(request).await?;
        crash_point("metadata/before-manifest");
        self.write_manifests().await.map_err(|error| MetadataError::OutcomeUnknown {
            transaction_id: request.transaction_id.clone(),
            reason: error.to_string(),
        })?;
        Ok(outcome)
    }

    async fn publication(&self, transaction_id: &str) -> Result<Option<PublishOutcome>> {
        let outcome = self.inner.publication(transaction_id).await?;
        if outcome.is_some() {
            self.write_manifests().await?;
        }
        Ok(outcome)
    }

    async fn source(&self, source_id: &str) -> Result<SourceMarks> {
        self.inner.source(source_id).await
    }

    async fn source_positions(&self) -> Result<Vec<SourcePosition>> {
        self.inner.source_positions().await
    }

    async fn used_segments(&self) -> Result<SegmentSnapshot> {
        self.inner.used_segments().await
    }

    async fn find_used(&self, ids: &[SegmentId]) -> Result<Vec<PublishedSegment>> {
        self.inner.find_used(ids).await
    }

    async fn segment_changes(&self, sequence: u64, limit: usize) -> Result<SegmentChanges> {
        self.inner.segment_changes(sequence, limit).await
    }

    fn commits(&self) -> crate::runtime::watch::Receiver<u64> {
        self.inner.commits()
    }

    async fn mark_unused(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize> {
        let marked = self.inner.mark_unused(ids, fence).await?;
        self.write_manifests().await?;
        Ok(marked)
    }

    async fn replace_object(
        &self,
        id: &SegmentId,
        expected: &SegmentObject,
        new: &SegmentObject,
        fence: Option<&Fence>,
    ) -> Result<()> {
        self.inner.replace_object(id, expected, new, fence).await?;
        self.write_manifests().await
    }

    async fn acquire_lease(&self, name: &str, holder: &str, ttl_ms: u64) -> Result<Lease> {
        self.inner.acquire_lease(name, holder, ttl_ms).await
    }

    async fn renew_lease(&self, fence: &Fence, ttl_ms: u64) -> Result<Lease> {
        self.inner.renew_lease(fence, ttl_ms).await
    }

    async fn release_lease(&self, fence: &Fence) -> Result<()> {
        self.inner.release_lease(fence).await
    }

    async fn lease(&self, name: &str) -> Result<Option<Lease>> {
        self.inner.lease(name).await
    }

    async fn leases(&self) -> Result<Vec<Lease>> {
        self.inner.leases().await
    }

    async fn find_idempotency(
        &self,
        datasource: &str,
        key: &str,
    ) -> Result<Option<IdempotencyRecord>> {
        self.inner.find_idempotency(datasource, key).await
    }

    async fn add_uptime(&self, elapsed_ms: u64) -> Result<u64> {
        self.inner.add_uptime(elapsed_ms).await
    }

    async fn prune_idempotency(&self, published_before_uptime_ms: u64) -> Result<usize> {
        self.inner.prune_idempotency(published_before_uptime_ms).await
    }

    async fn put_task(&self, task: &TaskRecord) -> Result<()> {
        self.inner.put_task(task).await
    }

    async fn update_task(&self, id: &str, update: &TaskUpdate) -> Result<()> {
        self.inner.update_task(id, update).await
    }

    async fn get_task(&self, id: &str) -> Result<Option<TaskRecord>> {
        self.inner.get_task(id).await
    }

    async fn list_tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskRecord>> {
        self.inner.list_tasks(filter).await
    }

    async fn prune_tasks(&self, kept: TasksKept) -> Result<usize> {
        self.inner.prune_tasks(kept).await
    }

    async fn unfinished_tasks(&self, owner: Option<&str>) -> Result<Vec<String>> {
        self.inner.unfinished_tasks(owner).await
    }

    async fn append_dead_letters(
        &self,
        datasource: &str,
        letters: &[DeadLetter],
        record: Option<LetterRecord>,
        keep_at_most: u64,
    ) -> Result<DeadLetterTotals> {
        self.inner.append_dead_letters(datasource, letters, record, keep_at_most).await
    }

    async fn list_dead_letters(
        &self,
        datasource: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredDeadLetter>> {
        self.inner.list_dead_letters(datasource, after, limit).await
    }

    async fn dead_letter_totals(&self, datasource: &str) -> Result<DeadLetterTotals> {
        self.inner.dead_letter_totals(datasource).await
    }

    async fn log_marks(&self) -> Result<BTreeMap<String, LogMark>> {
        self.inner.log_marks().await
    }

    async fn note_log_marks(&self, marks: &BTreeMap<String, LogMark>) -> Result<()> {
        self.inner.note_log_marks(marks).await
    }

    async fn manifest_state(&self) -> Result<ManifestState> {
        self.inner.manifest_state().await
    }

    async fn make_complete_manifest(&self) -> Result<u64> {
        self.inner.make_complete_manifest().await
    }

    async fn waiting_manifests(&self, limit: usize) -> Result<Vec<WaitingManifest>> {
        self.inner.waiting_manifests(limit).await
    }

    async fn manifests_written(&self, up_to: u64) -> Result<()> {
        self.inner.manifests_written(up_to).await
    }

    async fn mark_cluster(&self) -> Result<()> {
        self.inner.mark_cluster().await
    }
}
