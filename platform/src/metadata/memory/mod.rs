//! The metadata store in memory, for tests: the same promises but durability.

mod leases;
mod manifests;
mod state;
mod unused;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::runtime::watch;
use async_trait::async_trait;
use henge_types::{Interval, SegmentId, Version, validate_datasource_name};
use parking_lot::Mutex;

use self::state::State;
use super::commits::Commits;
use super::error::{MetadataError, Result};
use super::leases::{Fence, Lease};
use super::manifest::{Manifest, ManifestState, SourcePosition, WaitingManifest};
use super::positions::SourceMarks;
use super::records::{
    Allocation, BufferedSegment, DeadLetter, DeadLetterTotals, Document, IdempotencyRecord,
    LetterRecord, PendingSegment, PublishOutcome, PublishRequest, PublishedSegment, SegmentChanges,
    SegmentObject, SegmentSnapshot, StoredDeadLetter, TaskFilter, TaskRecord, TaskUpdate,
    TasksKept,
};
use super::rules::{check_version, invalid, newer_marks};
use super::store::MetadataStore;
use crate::runtime::{Clock, SystemClock};
use crate::wal::LogMark;

/// A store that ends with the process.
#[derive(Debug)]
pub struct MemoryMetadataStore {
    cluster_uuid: String,
    state: Arc<Mutex<State>>,
    commits: Commits,
    clock: Arc<dyn Clock>,
}

impl MemoryMetadataStore {
    /// An empty store of a new cluster.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store of a new cluster, whose leases run out by this clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            cluster_uuid: super::new_cluster_uuid(),
            state: Arc::default(),
            commits: Commits::default(),
            clock,
        }
    }

    /// The same store as another process reaches it, which is not told of what this one commits.
    #[must_use]
    pub fn of_another_process(&self) -> Self {
        Self {
            cluster_uuid: self.cluster_uuid.clone(),
            state: Arc::clone(&self.state),
            commits: Commits::default(),
            clock: Arc::clone(&self.clock),
        }
    }
}

impl Default for MemoryMetadataStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl MetadataStore for MemoryMetadataStore {
    async fn cluster_uuid(&self) -> Result<String> {
        Ok(self.cluster_uuid.clone())
    }

    async fn put_document(&self, kind: &str, name: &str, body_json: &str) -> Result<u64> {
        validate_datasource_name(name).map_err(|error| invalid(error.to_string()))?;
        let _noted = self.commits.note();
        let mut state = self.state.lock();
        let versions = state.documents.get(&(kind.to_owned(), name.to_owned()));
        let newest = versions.and_then(|versions| versions.last());
        if let Some(newest) = newest.filter(|newest| newest.body_json == body_json) {
            return Ok(newest.version);
        }
        state.add_document(&self.cluster_uuid, kind, name, body_json)
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
        let _noted = self.commits.note();
        let mut state = self.state.lock();
        state.check_fence(fence)?;
        let versions = state.documents.get(&(kind.to_owned(), name.to_owned()));
        check_version(kind, name, expected, versions.map_or(0, Vec::len) as u64)?;
        state.add_document(&self.cluster_uuid, kind, name, body_json)
    }

    async fn get_document(&self, kind: &str, name: &str) -> Result<Option<Document>> {
        let state = self.state.lock();
        let versions = state.documents.get(&(kind.to_owned(), name.to_owned()));
        Ok(versions.and_then(|versions| versions.last()).cloned())
    }

    async fn get_document_version(
        &self,
        kind: &str,
        name: &str,
        version: u64,
    ) -> Result<Option<Document>> {
        let state = self.state.lock();
        let versions = state.documents.get(&(kind.to_owned(), name.to_owned()));
        let mut versions = versions.into_iter().flatten();
        Ok(versions.find(|document| document.version == version).cloned())
    }

    async fn document_versions(
        &self,
        kind: &str,
        name: &str,
        below: u64,
        limit: usize,
    ) -> Result<Vec<Document>> {
        let state = self.state.lock();
        let versions = state.documents.get(&(kind.to_owned(), name.to_owned()));
        let versions = versions.into_iter().flatten().rev();
        let earlier = versions.filter(|document| document.version < below);
        Ok(earlier.take(limit).cloned().collect())
    }

    async fn list_documents(&self, kind: &str) -> Result<Vec<Document>> {
        let state = self.state.lock();
        let newest = state.documents.values().filter_map(|versions| versions.last());
        Ok(newest.filter(|document| document.kind == kind).cloned().collect())
    }

    async fn allocate_segment(
        &self,
        owner: &str,
        datasource: &str,
        rows: Interval,
        bucket: Interval,
    ) -> Result<Allocation> {
        super::check_allocation(datasource, rows, bucket)?;
        self.state.lock().allocate_append(owner, datasource, rows, bucket)
    }

    async fn forget_pending(&self, owner: &str) -> Result<usize> {
        let mut state = self.state.lock();
        let before = state.pending.len();
        state.pending.retain(|_, of| **of != *owner);
        Ok(before - state.pending.len())
    }

    async fn buffer_segment(
        &self,
        owner: &str,
        datasource: &str,
        chunk: Interval,
    ) -> Result<PendingSegment> {
        super::check_allocation(datasource, chunk, chunk)?;
        let _noted = self.commits.note();
        self.state.lock().buffer(owner, datasource, chunk)
    }

    async fn change_buffered(
        &self,
        owner: &str,
        add: &[SegmentId],
        remove: &[SegmentId],
    ) -> Result<()> {
        let _noted = self.commits.note();
        self.state.lock().change_buffered(owner, add, remove);
        Ok(())
    }

    async fn buffered_segments(&self) -> Result<Vec<BufferedSegment>> {
        let state = self.state.lock();
        let record = |(id, owner): (&SegmentId, &Arc<str>)| BufferedSegment {
            id: id.clone(),
            owner: Arc::clone(owner),
        };
        Ok(state.buffered.iter().map(record).collect())
    }

    async fn allocate_version(&self) -> Result<Version> {
        Ok(self.state.lock().next_version())
    }

    async fn publish(&self, request: &PublishRequest) -> Result<PublishOutcome> {
        let _noted = self.commits.note();
        self.state.lock().publish(&self.cluster_uuid, request, self.clock.now_ms())
    }

    async fn publication(&self, transaction_id: &str) -> Result<Option<PublishOutcome>> {
        let state = self.state.lock();
        let outcome = state.publications.get(transaction_id).map(|(_, outcome)| outcome);
        Ok(outcome.map(|outcome| PublishOutcome { already_published: true, ..outcome.clone() }))
    }

    async fn source(&self, source_id: &str) -> Result<SourceMarks> {
        Ok(self.state.lock().sources.get(source_id).cloned().unwrap_or_default())
    }

    async fn source_positions(&self) -> Result<Vec<SourcePosition>> {
        Ok(self.state.lock().source_positions())
    }

    async fn used_segments(&self) -> Result<SegmentSnapshot> {
        Ok(self.state.lock().snapshot())
    }

    async fn find_used(&self, ids: &[SegmentId]) -> Result<Vec<PublishedSegment>> {
        Ok(self.state.lock().find_used(ids))
    }

    async fn segment_changes(&self, sequence: u64, limit: usize) -> Result<SegmentChanges> {
        Ok(self.state.lock().changes(sequence, limit))
    }

    fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    async fn mark_unused(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize> {
        let _noted = self.commits.note();
        let mut state = self.state.lock();
        state.check_fence(fence)?;
        let unused = state.mark_unused(ids, self.clock.now_ms());
        let marked = unused.len();
        if marked > 0 {
            state.enqueue(&self.cluster_uuid, Manifest { unused, ..Manifest::default() })?;
        }
        Ok(marked)
    }

    async fn replace_object(
        &self,
        id: &SegmentId,
        expected: &SegmentObject,
        new: &SegmentObject,
        fence: Option<&Fence>,
    ) -> Result<()> {
        let _noted = self.commits.note();
        let mut state = self.state.lock();
        state.check_fence(fence)?;
        state.replace_object(&self.cluster_uuid, id, expected, new)
    }

    async fn acquire_lease(&self, name: &str, holder: &str, ttl_ms: u64) -> Result<Lease> {
        let mut state = self.state.lock();
        Ok(state.acquire_lease(name, holder, self.clock.now_ms(), ttl_ms))
    }

    async fn renew_lease(&self, fence: &Fence, ttl_ms: u64) -> Result<Lease> {
        self.state.lock().renew_lease(fence, self.clock.now_ms(), ttl_ms)
    }

    async fn release_lease(&self, fence: &Fence) -> Result<()> {
        self.state.lock().release_lease(fence, self.clock.now_ms())
    }

    async fn lease(&self, name: &str) -> Result<Option<Lease>> {
        let stored = self.state.lock().leases.get(name).cloned();
        Ok(stored.map(|stored| stored.at(name, self.clock.now_ms())))
    }

    async fn leases(&self) -> Result<Vec<Lease>> {
        let (state, now_ms) = (self.state.lock(), self.clock.now_ms());
        Ok(state.leases.iter().map(|(name, stored)| stored.clone().at(name, now_ms)).collect())
    }

    async fn find_idempotency(
        &self,
        datasource: &str,
        key: &str,
    ) -> Result<Option<IdempotencyRecord>> {
        let state = self.state.lock();
        let found = state.idempotency.get(&(datasource.to_owned(), key.to_owned()));
        Ok(found.map(|(record, _)| record.clone()))
    }

    async fn add_uptime(&self, elapsed_ms: u64) -> Result<u64> {
        let mut state = self.state.lock();
        state.uptime_ms += elapsed_ms;
        Ok(state.uptime_ms)
    }

    async fn prune_idempotency(&self, published_before_uptime_ms: u64) -> Result<usize> {
        let mut state = self.state.lock();
        let before = state.idempotency.len();
        state.idempotency.retain(|_, (_, uptime_ms)| *uptime_ms >= published_before_uptime_ms);
        Ok(before - state.idempotency.len())
    }

    async fn put_task(&self, task: &TaskRecord) -> Result<()> {
        let mut state = self.state.lock();
        if state.tasks.contains_key(&task.id) {
            return Err(invalid(format!("task id '{}' is taken", task.id)));
        }
        state.tasks.insert(task.id.clone(), task.clone());
        state.task_order.push(task.id.clone());
        Ok(())
    }

    async fn update_task(&self, id: &str, update: &TaskUpdate) -> Result<()> {
        let mut state = self.state.lock();
        let not_found = || MetadataError::NotFound(format!("task '{id}'"));
        let task = state.tasks.get_mut(id).ok_or_else(not_found)?;
        task.status = update.status;
        task.error.clone_from(&update.error);
        task.duration_ms = update.duration_ms;
        task.progress = update.progress.clone();
        Ok(())
    }

    async fn get_task(&self, id: &str) -> Result<Option<TaskRecord>> {
        Ok(self.state.lock().tasks.get(id).cloned())
    }

    async fn list_tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskRecord>> {
        let state = self.state.lock();
        let matches = |task: &&TaskRecord| {
            filter.status.is_none_or(|status| task.status == status)
                && filter.datasource.as_ref().is_none_or(|name| task.datasource == *name)
                && filter.id.as_ref().is_none_or(|id| task.id == *id)
        };
        let mut tasks: Vec<_> = state.tasks.values().filter(matches).cloned().collect();
        tasks.sort_by(|a, b| b.created_ms.cmp(&a.created_ms).then_with(|| a.id.cmp(&b.id)));
        tasks.truncate(filter.limit);
        tasks.iter_mut().for_each(|task| task.payload_json.clear());
        Ok(tasks)
    }

    async fn prune_tasks(&self, kept: TasksKept) -> Result<usize> {
        let mut state = self.state.lock();
        let mut ended: Vec<_> =
            state.tasks.values().filter(|task| task.status != super::TaskStatus::Running).collect();
        ended.sort_by(|a, b| b.created_ms.cmp(&a.created_ms).then_with(|| a.id.cmp(&b.id)));
        let (mut place, mut bytes) = (0, 0);
        let pruned: Vec<String> = ended
            .into_iter()
            .filter(|task| {
                place += 1;
                bytes += task.payload_json.chars().count() as u64;
                place > 1 && (place > kept.count || bytes > kept.payload_bytes)
            })
            .map(|task| task.id.clone())
            .collect();
        for id in &pruned {
            state.tasks.remove(id);
        }
        state.task_order.retain(|id| !pruned.contains(id));
        Ok(pruned.len())
    }

    async fn unfinished_tasks(&self, owner: Option<&str>) -> Result<Vec<String>> {
        let state = self.state.lock();
        let runs = |id: &&String| {
            state.tasks.get(*id).is_some_and(|task| {
                task.status == super::TaskStatus::Running
                    && owner.is_none_or(|owner| task.owner == owner)
            })
        };
        Ok(state.task_order.iter().filter(runs).cloned().collect())
    }

    async fn append_dead_letters(
        &self,
        datasource: &str,
        letters: &[DeadLetter],
        record: Option<LetterRecord>,
        keep_at_most: u64,
    ) -> Result<DeadLetterTotals> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let kept = state.dead_letters.entry(datasource.to_owned()).or_default();
        if let Some(record) = record {
            let kept_sequence = state.letter_logs.entry(record.log.to_string()).or_default();
            if record.is_kept(*kept_sequence) {
                return Ok(kept.totals());
            }
            *kept_sequence = record.sequence.max(*kept_sequence);
        }
        for letter in letters {
            kept.received += 1;
            kept.letters
                .push_back(StoredDeadLetter { number: kept.received, letter: letter.clone() });
        }
        while kept.letters.len() as u64 > keep_at_most {
            kept.letters.pop_front();
        }
        Ok(kept.totals())
    }

    async fn list_dead_letters(
        &self,
        datasource: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredDeadLetter>> {
        let state = self.state.lock();
        let kept = state.dead_letters.get(datasource).into_iter().flat_map(|kept| &kept.letters);
        Ok(kept.filter(|stored| stored.number > after).take(limit).cloned().collect())
    }

    async fn dead_letter_totals(&self, datasource: &str) -> Result<DeadLetterTotals> {
        let state = self.state.lock();
        Ok(state.dead_letters.get(datasource).map(state::DeadLetters::totals).unwrap_or_default())
    }

    async fn log_marks(&self) -> Result<BTreeMap<String, LogMark>> {
        Ok(self.state.lock().log_marks.clone())
    }

    async fn note_log_marks(&self, marks: &BTreeMap<String, LogMark>) -> Result<()> {
        let mut state = self.state.lock();
        for (name, mark) in newer_marks(&state.log_marks, marks) {
            state.log_marks.insert(name.to_owned(), mark);
        }
        Ok(())
    }

    async fn manifest_state(&self) -> Result<ManifestState> {
        Ok(self.state.lock().manifest_state())
    }

    async fn make_complete_manifest(&self) -> Result<u64> {
        let mut state = self.state.lock();
        let all = state.everything();
        state.enqueue(&self.cluster_uuid, all)
    }

    async fn waiting_manifests(&self, limit: usize) -> Result<Vec<WaitingManifest>> {
        Ok(self.state.lock().waiting_manifests(limit))
    }

    async fn manifests_written(&self, up_to: u64) -> Result<()> {
        self.state.lock().manifests.waiting.retain(|number, _| *number > up_to);
        Ok(())
    }

    async fn mark_cluster(&self) -> Result<()> {
        self.state.lock().manifests.marked = true;
        Ok(())
    }
}
