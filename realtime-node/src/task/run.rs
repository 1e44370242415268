//! Running a task: read, write, push, publish.

use std::sync::Arc;

use henge_platform::metadata::{
    AllocationMode, PendingSegment, PublishRequest, ReplaceScope, TaskProgress,
};
use henge_platform::runtime::crash_point;
use henge_platform::storage::{Payload, segment_object_key};
use henge_query::ingest::IndexTask;
use henge_types::{Interval, SegmentId, ShardSpec, Version, condense};

use super::ProgressBoard;
use super::read::Reading;
use super::ready::{ReadyChunk, ReadyRows};
use super::stop::Stop;
use super::store::Store;
use crate::Shared;
use crate::commit::commit;
use crate::error::{RealtimeError, Result};
use crate::push::accept::LOAD_PRIORITY;
use crate::serving::{ReplacedChunk, Replacement};
use crate::sink::{PartFiles, WrittenSegment};

/// What a task works with.
pub(super) struct Run {
    pub(super) shared: Arc<Shared>,
    pub(super) id: String,
    pub(super) task: IndexTask,
    board: ProgressBoard,
    pub(super) stop: Stop,
    pub(super) progress: TaskProgress,
}

/// A segment that is about to be written.
struct Planned {
    rows: ReadyRows,
    target: PendingSegment,
}

/// Runs a task to its end.
pub(super) async fn run(
    shared: Arc<Shared>,
    id: &str,
    task: IndexTask,
    board: ProgressBoard,
    stop: Stop,
) -> Result<TaskProgress> {
    if shared.metadata.publication(id).await?.is_some() {
        // It had published before the restart and only its end was not recorded.
        return Ok(TaskProgress::default());
    }
    let progress = TaskProgress::default();
    let mut run = Run { shared, id: id.to_owned(), task, board, stop, progress };
    let reading = run.start_reading().await?;
    let folder = reading.store.folder.clone();
    let outcome = run.read_and_publish(reading).await;
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        tracing::warn!(folder = %folder.display(), %error, "failed to remove a task's files");
    }
    outcome.map(|()| run.progress)
}

impl Run {
    pub(super) fn show(&self) {
        self.board.lock().insert(self.id.clone(), self.progress.clone());
    }

    async fn read_and_publish(&mut self, reading: Reading) -> Result<()> {
        let (reading, chunks) = self.read(reading).await?;
        let files = reading.store.files(&self.task.spec, &self.shared.options);
        self.finish(chunks, &files).await
    }

    pub(super) async fn keep_letters(&self, store: &mut Store) {
        let letters = store.take_letters();
        if letters.is_empty() {
            return;
        }
        let datasource = &self.task.spec.data_schema.data_source;
        let keep_at_most = self.shared.options.dead_letters_kept;
        let metadata = &self.shared.metadata;
        if let Err(error) = metadata.append_dead_letters(datasource, &letters, keep_at_most).await {
            tracing::error!(task = %self.id, %error, "failed to keep dead letters");
        }
    }

    pub(super) fn check_rejections(&self) -> Result<()> {
        let Some(limit) = self.task.spec.tuning_config.max_parse_exceptions else {
            return Ok(());
        };
        if self.progress.rejected > limit {
            return Err(RealtimeError::Invalid(format!(
                "{} events were refused, tuningConfig.maxParseExceptions is {limit}; \
                 see the dead letter of the datasource",
                self.progress.rejected
            )));
        }
        Ok(())
    }

    pub(super) fn check_counts(&self) -> Result<()> {
        let progress = &self.progress;
        if progress.accepted == 0 && progress.rejected > 0 {
            return Err(RealtimeError::Invalid(format!(
                "all {} events were refused; see the dead letter of the datasource",
                progress.rejected
            )));
        }
        Ok(())
    }

    async fn finish(&mut self, chunks: Vec<ReadyChunk>, files: &PartFiles) -> Result<()> {
        if self.task.spec.io_config.append_to_existing {
            let planned = self.plan_append(chunks).await?;
            return self.publish(planned, files, None).await;
        }
        let scope = self.replace_scope(&chunks);
        if scope.intervals.is_empty() {
            return Ok(());
        }
        let datasource: Arc<str> = self.task.spec.data_schema.data_source.as_str().into();
        let replaced = chunks.iter().map(|chunk| ReplacedChunk {
            interval: chunk.interval,
            core_partitions: chunk.partitions.len() as u32,
        });
        let (replaced, version) =
            (replaced.collect(), self.shared.metadata.allocate_version().await?);
        let replacement = self.shared.serving.begin_replacement(&datasource, version, replaced)?;
        let planned = plan_replace(&datasource, chunks, version);
        let ids: Vec<SegmentId> = planned.iter().map(|p| p.target.id.clone()).collect();
        let outcome = self.publish(planned, files, Some(scope)).await;
        let served = if outcome.is_ok() { ids } else { Vec::new() };
        tokio::spawn(end_replacement(
            Arc::clone(&self.shared),
            replacement,
            served,
            outcome.is_ok(),
        ));
        outcome
    }

    /// Without `dropExisting` only chunks that got rows are replaced.
    fn replace_scope(&self, chunks: &[ReadyChunk]) -> ReplaceScope {
        let spec = &self.task.spec;
        let touched = chunks.iter().map(|chunk| chunk.interval);
        let dropped = spec.io_config.drop_existing;
        let named = spec.data_schema.granularity_spec.intervals.iter().copied();
        let intervals: Vec<Interval> =
            if dropped { touched.chain(named).collect() } else { touched.collect() };
        ReplaceScope {
            datasource: spec.data_schema.data_source.clone(),
            intervals: condense(intervals),
            inputs: None,
        }
    }

    async fn plan_append(&self, chunks: Vec<ReadyChunk>) -> Result<Vec<Planned>> {
        let datasource = &self.task.spec.data_schema.data_source;
        let mut planned = Vec::new();
        for chunk in chunks {
            for rows in chunk.partitions {
                let metadata = &self.shared.metadata;
                let target = metadata
                    .allocate_segment(datasource, chunk.interval, AllocationMode::Append)
                    .await?;
                planned.push(Planned { rows, target });
            }
        }
        Ok(planned)
    }

    async fn publish(
        &mut self,
        planned: Vec<Planned>,
        files: &PartFiles,
        replace: Option<ReplaceScope>,
    ) -> Result<()> {
        let mut segments = Vec::with_capacity(planned.len());
        self.progress.segments = 0;
        for segment in planned {
            self.stop.check(&self.id)?;
            let files = files.clone();
            let work = move || segment.rows.write(segment.target, &files);
            let WrittenSegment { path, mut published, .. } =
                self.shared.ingest_pool.spawn(LOAD_PRIORITY, work).await??;
            published.object_key = segment_object_key(&published.id, rand::random());
            let payload = Payload::File(path);
            let pushed = self.shared.storage.push(&published.object_key, payload).await?;
            published.size_bytes = pushed.size_bytes;
            published.checksum = pushed.checksum;
            segments.push(published);
            self.progress.segments += 1;
            self.show();
        }
        crash_point("task::pushed");
        let request = PublishRequest {
            transaction_id: self.id.clone(),
            segments,
            source: None,
            idempotency: Vec::new(),
            replace,
        };
        self.stop.begin_publishing(&self.id)?;
        commit(&*self.shared.metadata, &request).await?;
        self.shared.published.notify_one();
        Ok(())
    }
}

fn plan_replace(datasource: &Arc<str>, chunks: Vec<ReadyChunk>, version: Version) -> Vec<Planned> {
    let mut planned = Vec::new();
    for chunk in chunks {
        let (core, interval) = (chunk.partitions.len() as u32, chunk.interval);
        for (number, rows) in (0..).zip(chunk.partitions) {
            let datasource = Arc::clone(datasource);
            let id = SegmentId { datasource, interval, version, partition: number };
            let shard_spec = ShardSpec::Numbered { partition: number, core_partitions: core };
            let target = PendingSegment { id, shard_spec };
            planned.push(Planned { rows, target });
        }
    }
    planned
}

/// Keeps pushed rows announced under both versions until the new segments are served.
async fn end_replacement(
    shared: Arc<Shared>,
    replacement: Arc<Replacement>,
    ids: Vec<SegmentId>,
    published: bool,
) {
    let mut versions = shared.discovery.watch();
    loop {
        let snapshot = shared.discovery.snapshot();
        let served = |id| snapshot.servers.values().any(|segments| segments.contains_key(id));
        if ids.iter().all(served) {
            break;
        }
        if versions.changed().await.is_err() {
            return;
        }
    }
    if let Err(error) = shared.serving.end_replacement(&replacement, published) {
        tracing::error!(%error, "failed to end a replacement");
    }
}
