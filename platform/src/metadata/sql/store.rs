//! The store's operations: each is one piece of work on the database.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::runtime::watch;
use async_trait::async_trait;
use henge_types::{Interval, SegmentId, Version, validate_datasource_name};

use super::database::{Access, Database, Failure};
use super::{
    SqlMetadataStore, allocate, buffered, documents, idempotency, leases, letters, manifests,
    marks, segments, sources, tasks,
};
use crate::metadata::check_allocation;
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::leases::{Fence, Lease};
use crate::metadata::manifest::{ManifestState, SourcePosition, WaitingManifest};
use crate::metadata::positions::SourceMarks;
use crate::metadata::records::{
    Allocation, BufferedSegment, DeadLetter, DeadLetterTotals, Document, IdempotencyRecord,
    LetterRecord, PendingSegment, PublishOutcome, PublishRequest, PublishedSegment, SegmentChanges,
    SegmentObject, SegmentSnapshot, StoredDeadLetter, TaskFilter, TaskRecord, TaskUpdate,
    TasksKept,
};
use crate::metadata::rules::{check_request, invalid, newer_marks};
use crate::metadata::store::MetadataStore;
use crate::runtime::crash_point;
use crate::wal::LogMark;

#[async_trait]
impl MetadataStore for SqlMetadataStore {
    async fn cluster_uuid(&self) -> Result<String> {
        Ok(self.cluster_uuid.clone())
    }

    async fn put_document(&self, kind: &str, name: &str, body_json: &str) -> Result<u64> {
        validate_datasource_name(name).map_err(|error| invalid(error.to_string()))?;
        let (kind, name, body_json) = (kind.to_owned(), name.to_owned(), body_json.to_owned());
        self.run(Access::WriteObserved, move |connection| {
            Box::pin(documents::put(connection, kind, name, body_json))
        })
        .await
    }

    async fn swap_document(
        &self,
        kind: &str,
        name: &str,
        expected: u64,
        body_json: &str,
        fence: Option<&Fence>,
    ) -> Result<u64> {
        validate_datasource_name(name).map_err(|error| invalid(error.to_string()))?;
        let document = (kind.to_owned(), name.to_owned(), expected);
        let (body_json, fence) = (body_json.to_owned(), fence.cloned());
        self.run(Access::WriteObserved, move |connection| {
            Box::pin(async move {
                leases::check(connection, fence.as_ref()).await?;
                documents::swap(connection, document, body_json).await
            })
        })
        .await
    }

    async fn get_document(&self, kind: &str, name: &str) -> Result<Option<Document>> {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        self.run(Access::Read, move |connection| {
            Box::pin(async move { documents::newest(connection, &kind, &name).await })
        })
        .await
    }

    async fn get_document_version(
        &self,
        kind: &str,
        name: &str,
        version: u64,
    ) -> Result<Option<Document>> {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        self.run(Access::Read, move |connection| {
            Box::pin(async move { documents::version(connection, &kind, &name, version).await })
        })
        .await
    }

    async fn document_versions(
        &self,
        kind: &str,
        name: &str,
        below: u64,
        limit: usize,
    ) -> Result<Vec<Document>> {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        self.run(Access::Read, move |connection| {
            Box::pin(
                async move { documents::below(connection, (&kind, &name), below, limit).await },
            )
        })
        .await
    }

    async fn list_documents(&self, kind: &str) -> Result<Vec<Document>> {
        let kind = kind.to_owned();
        self.run(Access::Read, move |connection| {
            Box::pin(async move { documents::list(connection, &kind).await })
        })
        .await
    }

    async fn allocate_segment(
        &self,
        owner: &str,
        datasource: &str,
        rows: Interval,
        bucket: Interval,
    ) -> Result<Allocation> {
        check_allocation(datasource, rows, bucket)?;
        let (owner, datasource) = (owner.to_owned(), datasource.to_owned());
        self.run(Access::Write, move |connection| {
            Box::pin(async move {
                allocate::allocate_append(connection, &owner, &datasource, rows, bucket).await
            })
        })
        .await
    }

    async fn forget_pending(&self, owner: &str) -> Result<usize> {
        let owner = owner.to_owned();
        self.run(Access::Write, move |connection| {
            Box::pin(async move { allocate::forget(connection, &owner).await })
        })
        .await
    }

    async fn buffer_segment(
        &self,
        owner: &str,
        datasource: &str,
        chunk: Interval,
    ) -> Result<PendingSegment> {
        check_allocation(datasource, chunk, chunk)?;
        let (owner, datasource) = (owner.to_owned(), datasource.to_owned());
        self.run(Access::WriteObserved, move |connection| {
            Box::pin(async move { buffered::buffer(connection, &owner, &datasource, chunk).await })
        })
        .await
    }

    async fn change_buffered(
        &self,
        owner: &str,
        add: &[SegmentId],
        remove: &[SegmentId],
    ) -> Result<()> {
        let (owner, add, remove) = (owner.to_owned(), add.to_vec(), remove.to_vec());
        self.run(Access::WriteObserved, move |connection| {
            Box::pin(async move { buffered::change(connection, &owner, &add, &remove).await })
        })
        .await
    }

    async fn buffered_segments(&self) -> Result<Vec<BufferedSegment>> {
        self.run(Access::Read, |connection| Box::pin(buffered::all(connection))).await
    }

    async fn allocate_version(&self) -> Result<Version> {
        let next = self.run(Access::Write, |connection| {
            Box::pin(segments::next_counter(connection, "version"))
        });
        next.await.map(Version)
    }

    async fn publish(&self, request: &PublishRequest) -> Result<PublishOutcome> {
        check_request(request)?;
        let (request, transaction_id) = (request.clone(), request.transaction_id.clone());
        let clock = Arc::clone(&self.clock);
        let published = self.attempt(Access::WriteObserved, move |connection| {
            Box::pin(async move {
                let outcome = segments::publish(connection, &*clock, &request).await?;
                crash_point("metadata/before-commit");
                Ok(outcome)
            })
        });
        let outcome = match published.await {
            Ok(outcome) => outcome,
            Err(Failure::Undone(error)) => return Err(error),
            Err(Failure::Unknown(error)) => {
                let reason = error.to_string();
                return Err(MetadataError::OutcomeUnknown { transaction_id, reason });
            }
        };
        crash_point("metadata/after-commit");
        Ok(outcome)
    }

    async fn publication(&self, transaction_id: &str) -> Result<Option<PublishOutcome>> {
        let transaction_id = transaction_id.to_owned();
        // In the place of a writer, so that a commit still under way is waited for.
        let publication = self.run(Access::Write, move |connection| {
            Box::pin(async move { segments::publication(connection, &transaction_id).await })
        });
        Ok(publication.await?.map(|(_, outcome)| outcome))
    }

    async fn source(&self, source_id: &str) -> Result<SourceMarks> {
        let source_id = source_id.to_owned();
        self.run(Access::Read, move |connection| {
            Box::pin(async move { sources::marks(connection, &source_id).await })
        })
        .await
    }

    async fn source_positions(&self) -> Result<Vec<SourcePosition>> {
        self.run(Access::Read, |connection| Box::pin(sources::all(connection))).await
    }

    async fn used_segments(&self) -> Result<SegmentSnapshot> {
        // So that the sequence and the rows belong together.
        self.run(Access::Snapshot, |connection| Box::pin(segments::snapshot(connection))).await
    }

    async fn find_used(&self, ids: &[SegmentId]) -> Result<Vec<PublishedSegment>> {
        let ids = ids.to_vec();
        self.run(Access::Read, move |connection| {
            Box::pin(async move { segments::find_used(connection, &ids).await })
        })
        .await
    }

    async fn segment_changes(&self, sequence: u64, limit: usize) -> Result<SegmentChanges> {
        self.run(Access::Read, move |connection| {
            Box::pin(segments::changes(connection, sequence, limit))
        })
        .await
    }

    fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    async fn mark_unused(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize> {
        let (ids, fence, clock) = (ids.to_vec(), fence.cloned(), Arc::clone(&self.clock));
        self.run(Access::WriteObserved, move |connection| {
            Box::pin(async move {
                leases::check(connection, fence.as_ref()).await?;
                segments::drop_used(connection, &*clock, &ids).await
            })
        })
        .await
    }

    async fn replace_object(
        &self,
        id: &SegmentId,
        expected: &SegmentObject,
        new: &SegmentObject,
        fence: Option<&Fence>,
    ) -> Result<()> {
        let (id, expected, new) = (id.clone(), expected.clone(), new.clone());
        let fence = fence.cloned();
        self.run(Access::WriteObserved, move |connection| {
            Box::pin(async move {
                leases::check(connection, fence.as_ref()).await?;
                segments::replace_object(connection, &id, &expected, &new).await
            })
        })
        .await
    }

    async fn acquire_lease(&self, name: &str, holder: &str, ttl_ms: u64) -> Result<Lease> {
        let (name, holder, clock) = (name.to_owned(), holder.to_owned(), Arc::clone(&self.clock));
        self.run(Access::Write, move |connection| {
            Box::pin(
                async move { leases::acquire(connection, &*clock, &name, &holder, ttl_ms).await },
            )
        })
        .await
    }

    async fn renew_lease(&self, fence: &Fence, ttl_ms: u64) -> Result<Lease> {
        let (fence, clock) = (fence.clone(), Arc::clone(&self.clock));
        self.run(Access::Write, move |connection| {
            Box::pin(async move { leases::renew(connection, &*clock, &fence, ttl_ms).await })
        })
        .await
    }

    async fn release_lease(&self, fence: &Fence) -> Result<()> {
        let (fence, clock) = (fence.clone(), Arc::clone(&self.clock));
        self.run(Access::Write, move |connection| {
            Box::pin(async move { leases::release(connection, &*clock, &fence).await })
        })
        .await
    }

    async fn lease(&self, name: &str) -> Result<Option<Lease>> {
        let (name, clock) = (name.to_owned(), Arc::clone(&self.clock));
        self.run(Access::Read, move |connection| {
            Box::pin(async move { leases::read(connection, &*clock, &name).await })
        })
        .await
    }

    async fn leases(&self) -> Result<Vec<Lease>> {
        let clock = Arc::clone(&self.clock);
        self.run(Access::Read, move |connection| {
            Box::pin(async move { leases::list(connection, &*clock).await })
        })
        .await
    }

    async fn find_idempotency(
        &self,
        datasource: &str,
        key: &str,
    ) -> Result<Option<IdempotencyRecord>> {
        let (datasource, key) = (datasource.to_owned(), key.to_owned());
        self.run(Access::Read, move |connection| {
            Box::pin(async move { idempotency::find(connection, &datasource, &key).await })
        })
        .await
    }

    async fn add_uptime(&self, elapsed_ms: u64) -> Result<u64> {
        self.run(Access::Write, move |connection| {
            Box::pin(idempotency::add_uptime(connection, elapsed_ms))
        })
        .await
    }

    async fn prune_idempotency(&self, published_before_uptime_ms: u64) -> Result<usize> {
        self.run(Access::Write, move |connection| {
            Box::pin(idempotency::prune(connection, published_before_uptime_ms))
        })
        .await
    }

    async fn put_task(&self, task: &TaskRecord) -> Result<()> {
        let task = task.clone();
        self.change_unpublished(move |connection| {
            Box::pin(async move { tasks::put(connection, &task).await })
        })
        .await
    }

    async fn update_task(&self, id: &str, update: &TaskUpdate) -> Result<()> {
        let (id, update) = (id.to_owned(), update.clone());
        self.change_unpublished(move |connection| {
            Box::pin(async move { tasks::update(connection, &id, &update).await })
        })
        .await
    }

    async fn get_task(&self, id: &str) -> Result<Option<TaskRecord>> {
        let id = id.to_owned();
        self.run(Access::Read, move |connection| {
            Box::pin(async move { tasks::get(connection, &id).await })
        })
        .await
    }

    async fn list_tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskRecord>> {
        let filter = filter.clone();
        self.run(Access::Read, move |connection| {
            Box::pin(async move { tasks::list(connection, &filter).await })
        })
        .await
    }

    async fn prune_tasks(&self, kept: TasksKept) -> Result<usize> {
        self.run(Access::Write, move |connection| Box::pin(tasks::prune(connection, kept))).await
    }

    async fn unfinished_tasks(&self, owner: Option<&str>) -> Result<Vec<String>> {
        let owner = owner.map(str::to_owned);
        self.run(Access::Read, move |connection| {
            Box::pin(async move { tasks::unfinished(connection, owner.as_deref()).await })
        })
        .await
    }

    async fn append_dead_letters(
        &self,
        datasource: &str,
        letters: &[DeadLetter],
        record: Option<LetterRecord>,
        keep_at_most: u64,
    ) -> Result<DeadLetterTotals> {
        if let Some(replayed) = record.clone().filter(|record| record.is_replayed) {
            let kept = self.run(Access::Read, move |connection| {
                Box::pin(async move { letters::is_kept(connection, &replayed).await })
            });
            if kept.await? {
                return self.dead_letter_totals(datasource).await;
            }
        }
        let (datasource, letters) = (datasource.to_owned(), letters.to_vec());
        self.change_unpublished(move |connection| {
            Box::pin(async move {
                letters::append(connection, &datasource, &letters, record, keep_at_most).await
            })
        })
        .await
    }

    async fn list_dead_letters(
        &self,
        datasource: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredDeadLetter>> {
        let datasource = datasource.to_owned();
        self.run(Access::Read, move |connection| {
            Box::pin(async move { letters::list(connection, &datasource, after, limit).await })
        })
        .await
    }

    async fn dead_letter_totals(&self, datasource: &str) -> Result<DeadLetterTotals> {
        let datasource = datasource.to_owned();
        self.run(Access::Read, move |connection| {
            Box::pin(async move { letters::totals(connection, &datasource).await })
        })
        .await
    }

    async fn log_marks(&self) -> Result<BTreeMap<String, LogMark>> {
        self.run(Access::Read, |connection| Box::pin(marks::all(connection))).await
    }

    async fn note_log_marks(&self, noted: &BTreeMap<String, LogMark>) -> Result<()> {
        // Most often there is nothing new, and no need to wait for other writers.
        if newer_marks(&self.log_marks().await?, noted).is_empty() {
            return Ok(());
        }
        let noted = noted.clone();
        self.run(Access::Write, move |connection| {
            Box::pin(async move { marks::note(connection, &noted).await })
        })
        .await
    }

    async fn manifest_state(&self) -> Result<ManifestState> {
        self.run(Access::Read, |connection| Box::pin(manifests::state(connection))).await
    }

    async fn make_complete_manifest(&self) -> Result<u64> {
        self.run(Access::Write, |connection| {
            Box::pin(async move {
                let all = manifests::everything(connection).await?;
                manifests::enqueue(connection, all).await
            })
        })
        .await
    }

    async fn waiting_manifests(&self, limit: usize) -> Result<Vec<WaitingManifest>> {
        self.run(Access::Read, move |connection| Box::pin(manifests::waiting(connection, limit)))
            .await
    }

    async fn manifests_written(&self, up_to: u64) -> Result<()> {
        self.run(Access::Write, move |connection| {
            Box::pin(manifests::forget_waiting(connection, up_to))
        })
        .await
    }

    async fn mark_cluster(&self) -> Result<()> {
        self.run(Access::Write, |connection| Box::pin(manifests::mark_cluster(connection))).await?;
        match &*self.database {
            Database::Sqlite(pools) => pools.fold_journal().await,
            Database::Postgres(_) => Ok(()),
        }
    }
}
