//! Running a task: read, parse, index, merge, push, publish.

use std::sync::Arc;

use henge_ingest::{ParseLimits, RowParser};
use henge_platform::metadata::{
    AllocationMode, PendingSegment, PublishRequest, ReplaceScope, TaskProgress,
};
use henge_platform::runtime::crash_point;
use henge_platform::storage::{Payload, segment_object_key};
use henge_query::ingest::IndexTask;
use henge_types::{Interval, SegmentId, ShardSpec, Version, condense};

use super::ProgressBoard;
use super::chunks::{Chunk, Chunks};
use super::input::{self, InputRef};
use crate::Shared;
use crate::error::{RealtimeError, Result};
use crate::push::accept::INGEST_PRIORITY;
use crate::serving::{ReplacedChunk, Replacement};
use crate::sink::{PartFiles, Sink, WrittenSegment};

/// What a task works with.
struct Run {
    shared: Arc<Shared>,
    id: String,
    task: IndexTask,
    board: ProgressBoard,
    progress: TaskProgress,
}

/// The parser and what it has read; moved to the CPU pool and back with each piece.
struct Reading {
    parser: RowParser,
    chunks: Chunks,
}

/// A segment that is about to be written.
struct Planned {
    sink: Sink,
    target: PendingSegment,
}

/// Runs a task to its end.
pub(super) async fn run(
    shared: Arc<Shared>,
    id: &str,
    task: IndexTask,
    board: ProgressBoard,
) -> Result<TaskProgress> {
    if shared.metadata.publication(id).await?.is_some() {
        // It had published before the restart and only its end was not recorded.
        return Ok(TaskProgress::default());
    }
    let progress = TaskProgress::default();
    let mut run = Run { shared, id: id.to_owned(), task, board, progress };
    let reading = run.read().await?;
    let folder = reading.chunks.folder().clone();
    let outcome = run.finish(reading.chunks).await;
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        tracing::warn!(folder = %folder.display(), %error, "failed to remove a task's files");
    }
    outcome.map(|()| run.progress)
}

impl Run {
    fn show(&self) {
        self.board.lock().insert(self.id.clone(), self.progress);
    }

    async fn read(&mut self) -> Result<Reading> {
        let spec = &self.task.spec;
        let received_ms = self.shared.clock.now_ms();
        let schema = Arc::new(spec.data_schema.clone());
        let limits = ParseLimits { now_ms: received_ms, ..ParseLimits::default() };
        let parser = RowParser::new(Arc::clone(&schema), limits)?;
        let chunks = Chunks::new(
            schema,
            parser.dimensions(),
            &spec.tuning_config,
            &self.shared.options,
            &self.id,
            received_ms,
        );
        chunks.prepare()?;
        let (inputs, total_bytes) = input::open_all(&spec.io_config.input_source)?;
        self.progress.total_bytes = total_bytes;
        let mut reading = Reading { parser, chunks };
        for input in inputs {
            reading = self.read_input(input, reading).await?;
        }
        self.check_counts()?;
        Ok(reading)
    }

    async fn read_input(&mut self, input: InputRef, mut reading: Reading) -> Result<Reading> {
        let size_bytes = input.size_bytes();
        let done_before = self.progress.processed_bytes;
        let mut input = input.open()?;
        loop {
            let work = move || {
                let outcome = read_piece(&mut input, &mut reading);
                (input, reading, outcome)
            };
            let (input_back, reading_back, outcome) =
                self.shared.ingest_pool.spawn(INGEST_PRIORITY, work).await?;
            (input, reading) = (input_back, reading_back);
            let Some(counts) = outcome? else { break };
            self.progress.received += counts.received;
            self.progress.accepted += counts.accepted;
            self.progress.rejected += counts.rejected;
            self.progress.filtered += counts.filtered;
            self.progress.processed_bytes = done_before + counts.stored_bytes_read;
            self.show();
            self.keep_letters(&mut reading.chunks).await;
            self.check_rejections()?;
        }
        self.progress.processed_bytes = done_before + size_bytes;
        self.show();
        Ok(reading)
    }

    async fn keep_letters(&self, chunks: &mut Chunks) {
        let letters = chunks.take_letters();
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

    fn check_rejections(&self) -> Result<()> {
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

    fn check_counts(&self) -> Result<()> {
        let progress = &self.progress;
        if progress.accepted == 0 && progress.rejected > 0 {
            return Err(RealtimeError::Invalid(format!(
                "all {} events were refused; see the dead letter of the datasource",
                progress.rejected
            )));
        }
        Ok(())
    }

    async fn finish(&mut self, chunks: Chunks) -> Result<()> {
        let files = chunks.files();
        let chunks = chunks.into_chunks();
        if self.task.spec.io_config.append_to_existing {
            let planned = self.plan_append(chunks).await?;
            return self.publish(planned, &files, None).await;
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
        let planned = plan_replace(chunks, version);
        let ids: Vec<SegmentId> = planned.iter().map(|p| p.target.id.clone()).collect();
        let outcome = self.publish(planned, &files, Some(scope)).await;
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
    fn replace_scope(&self, chunks: &[Chunk]) -> ReplaceScope {
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

    async fn plan_append(&self, chunks: Vec<Chunk>) -> Result<Vec<Planned>> {
        let datasource = &self.task.spec.data_schema.data_source;
        let mut planned = Vec::new();
        for chunk in chunks {
            for partition in chunk.partitions {
                let metadata = &self.shared.metadata;
                let target = metadata
                    .allocate_segment(datasource, chunk.interval, AllocationMode::Append)
                    .await?;
                planned.push(Planned { sink: partition.sink, target });
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
        for segment in planned {
            let files = files.clone();
            let work = move || write_segment(segment, &files);
            let WrittenSegment { path, mut published, .. } =
                self.shared.ingest_pool.spawn(INGEST_PRIORITY, work).await??;
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
        self.shared.metadata.publish(&request).await?;
        self.shared.published.notify_one();
        Ok(())
    }
}

/// Counts of one piece, and how far the input is.
#[derive(Default)]
struct PieceCounts {
    received: u64,
    accepted: u64,
    rejected: u64,
    filtered: u64,
    stored_bytes_read: u64,
}

fn read_piece(input: &mut input::Input, reading: &mut Reading) -> Result<Option<PieceCounts>> {
    let Some(piece) = input.next_piece()? else { return Ok(None) };
    let counts = reading.parser.parse_batch(&piece, &mut reading.chunks)?;
    reading.chunks.relieve()?;
    Ok(Some(PieceCounts {
        received: counts.received,
        accepted: counts.accepted,
        rejected: counts.rejected,
        filtered: counts.filtered,
        stored_bytes_read: input.stored_bytes_read(),
    }))
}

fn plan_replace(chunks: Vec<Chunk>, version: Version) -> Vec<Planned> {
    let mut planned = Vec::new();
    for chunk in chunks {
        let core = chunk.partitions.len() as u32;
        for (number, partition) in (0..).zip(chunk.partitions) {
            let id = SegmentId { version, partition: number, ..partition.sink.id() };
            let shard_spec = ShardSpec::Numbered { partition: number, core_partitions: core };
            let target = PendingSegment { id, shard_spec };
            planned.push(Planned { sink: partition.sink, target });
        }
    }
    planned
}

fn write_segment(segment: Planned, files: &PartFiles) -> Result<WrittenSegment> {
    let written = files.write_segment(&segment.sink.views(), segment.target)?;
    segment.sink.remove_files();
    Ok(written)
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
