//! The end of a task: its chunks become segments in local files and in deep storage, and then, in
//! one commit, what queries see. Until others serve them, this node does.

use std::sync::Arc;

use henge_platform::metadata::{
    MetadataError, PendingSegment, PublishOutcome, PublishRequest, ReplaceScope,
};
use henge_platform::runtime::{crash_point, spawn};
use henge_types::{Interval, SegmentId, ShardSpec, Version, condense};

use super::ready::{ReadyChunk, ReadyRows};
use super::report::{replaced_rows, time_warning};
use super::run::Run;
use crate::commit::commit;
use crate::error::{RealtimeError, Result};
use crate::placing::Placing;
use crate::priority::LOAD_PRIORITY;
use crate::publication::{Outgoing, files, published};
use crate::release::release_when_served;
use crate::sink::{PartFiles, WrittenSegment, remove_files};

/// How often a task takes new places or a new version, because others published in its chunks
/// meanwhile.
const ATTEMPTS: u32 = 10;

/// What the task does with what lies in its chunks.
enum Mode {
    Append,
    Replace(ReplaceScope),
}

impl Run {
    /// Publishes the chunks.
    pub(super) async fn finish(
        &mut self,
        mut chunks: Vec<ReadyChunk>,
        files: &PartFiles,
    ) -> Result<()> {
        // The task's own folder goes with the task.
        let files = files.in_folder(&self.shared.options.spill_dir);
        let mode = match self.task.spec.io_config.append_to_existing {
            true => Mode::Append,
            false => Mode::Replace(self.replace_scope(&chunks)),
        };
        if matches!(&mode, Mode::Replace(scope) if scope.intervals.is_empty()) {
            return Ok(());
        }
        if let (Mode::Replace(scope), true) = (&mode, self.task.spec.io_config.drop_existing) {
            chunks.extend(self.empty_chunks(scope, &chunks).await?);
        }
        self.progress.segments = 0;
        let used = match &mode {
            Mode::Replace(_) => self.shared.metadata.used_segments().await?.segments,
            Mode::Append => Vec::new(),
        };
        let mut outgoing = Vec::new();
        let ended = self.write_and_publish(chunks, &files, &mode, &mut outgoing).await;
        let segments = crate::publication::files(&outgoing);
        let ids: Vec<_> = segments.iter().map(|segment| segment.published.id.clone()).collect();
        match ended {
            Ok(outcome) => {
                let report = &mut self.progress.report;
                report.replaced = replaced_rows(&outcome.replaced, &used);
                report.warnings.extend(time_warning(&published(&outgoing)));
                let shared = Arc::clone(&self.shared);
                spawn(release_when_served(shared, ids, outcome.sequence));
                self.shared.published.notify_one();
                Ok(())
            }
            Err(error) => {
                if self.shared.serving.withdraw(&ids).is_ok() {
                    remove_files(&self.shared.ingest_pool, segments).await;
                }
                Err(error)
            }
        }
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

    async fn write_and_publish(
        &mut self,
        chunks: Vec<ReadyChunk>,
        part_files: &PartFiles,
        mode: &Mode,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<PublishOutcome> {
        let version = match mode {
            Mode::Append => None,
            Mode::Replace(_) => Some(self.shared.metadata.allocate_version().await?),
        };
        for chunk in chunks {
            let core = chunk.partitions.len() as u32;
            for (number, rows) in (0..).zip(chunk.partitions) {
                self.stop.check(&self.id)?;
                let segments = match version {
                    Some(version) => {
                        let target = self.replacing(chunk.interval, version, number, core);
                        vec![self.write_segment(rows, target, part_files).await?]
                    }
                    None => self.write_appended(chunk.interval, rows, part_files).await?,
                };
                for segment in segments {
                    outgoing.push(Outgoing::new(segment));
                    if let Some(last) = outgoing.last_mut() {
                        last.push(&*self.shared.storage).await?;
                    }
                    self.progress.segments += 1;
                    self.show();
                }
            }
        }
        crash_point("task/pushed");
        self.stop.begin_publishing(&self.id)?;
        self.publish(part_files, mode, outgoing).await
    }

    async fn publish(
        &mut self,
        part_files: &PartFiles,
        mode: &Mode,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<PublishOutcome> {
        let mut attempt = 1;
        loop {
            let request = PublishRequest {
                transaction_id: self.id.clone(),
                segments: published(outgoing),
                source: None,
                idempotency: Vec::new(),
                replace: match mode {
                    Mode::Append => None,
                    Mode::Replace(scope) => Some(scope.clone()),
                },
                fence: None,
            };
            // Nobody sees them before the commit, and everybody from then on.
            self.shared.serving.announce_published(&files(outgoing))?;
            match commit(&*self.shared.metadata, &request, |_| ()).await {
                Ok(outcome) => return Ok(outcome),
                Err(RealtimeError::Metadata(MetadataError::VersionConflict { ids }))
                    if attempt < ATTEMPTS =>
                {
                    attempt += 1;
                    self.give_way(part_files, mode, outgoing, &ids).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Others published in the task's chunks meanwhile: gives its segments new places, or a version
    /// above theirs.
    async fn give_way(
        &mut self,
        part_files: &PartFiles,
        mode: &Mode,
        outgoing: &mut Vec<Outgoing>,
        ids: &[SegmentId],
    ) -> Result<()> {
        let version = self.shared.metadata.allocate_version().await?;
        for lost in std::mem::take(outgoing) {
            if !ids.contains(&lost.file.published.id) {
                outgoing.push(lost);
                continue;
            }
            let old = Arc::clone(&lost.file);
            let segments = match mode {
                Mode::Append => self.placing(part_files).place(&old).await,
                Mode::Replace(_) => self.renumber(&old, version, part_files).await,
            };
            self.shared.serving.withdraw(std::slice::from_ref(&old.published.id))?;
            outgoing.extend(segments?.into_iter().map(Outgoing::new));
        }
        for segment in outgoing {
            segment.push(&*self.shared.storage).await?;
        }
        Ok(())
    }

    async fn renumber(
        &self,
        old: &Arc<WrittenSegment>,
        version: Version,
        part_files: &PartFiles,
    ) -> Result<Vec<Arc<WrittenSegment>>> {
        let (old, files) = (Arc::clone(old), part_files.clone());
        let copy = move || {
            let id = SegmentId { version, ..old.published.id.clone() };
            files.copy_as(&old, PendingSegment { id, shard_spec: old.published.shard_spec })
        };
        let copy = self.shared.ingest_pool.spawn(LOAD_PRIORITY, copy).await??;
        Ok(vec![Arc::new(copy)])
    }

    /// Appended rows go where one place takes them all, else they are cut.
    async fn write_appended(
        &self,
        chunk: Interval,
        rows: ReadyRows,
        part_files: &PartFiles,
    ) -> Result<Vec<Arc<WrittenSegment>>> {
        let datasource = &self.task.spec.data_schema.data_source;
        let owner = self.shared.serving.server_id();
        match self.shared.metadata.allocate_segment(owner, datasource, chunk, chunk).await {
            Ok(allocation) => {
                Ok(vec![self.write_segment(rows, allocation.segment, part_files).await?])
            }
            Err(MetadataError::IntervalConflict { .. }) => {
                let stand_in = self.shared.serving.unplaced(&datasource.as_str().into(), chunk);
                let whole = self.write_segment(rows, stand_in, part_files).await?;
                let pieces = self.placing(part_files).place(&whole).await;
                remove_files(&self.shared.ingest_pool, vec![whole]).await;
                pieces
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn write_segment(
        &self,
        rows: ReadyRows,
        target: PendingSegment,
        part_files: &PartFiles,
    ) -> Result<Arc<WrittenSegment>> {
        let files = part_files.clone();
        let work = move || rows.write(target, &files);
        Ok(Arc::new(self.shared.ingest_pool.spawn(LOAD_PRIORITY, work).await??))
    }

    fn placing<'a>(&'a self, files: &'a PartFiles) -> Placing<'a> {
        let schema = &self.task.spec.data_schema;
        Placing {
            shared: &self.shared,
            datasource: &schema.data_source,
            granularity: &schema.granularity_spec.segment_granularity,
            files,
            priority: LOAD_PRIORITY,
        }
    }

    fn replacing(
        &self,
        interval: Interval,
        version: Version,
        partition: u32,
        core_partitions: u32,
    ) -> PendingSegment {
        let datasource = self.task.spec.data_schema.data_source.as_str().into();
        PendingSegment {
            id: SegmentId { datasource, interval, version, partition },
            shard_spec: ShardSpec::Numbered { partition, core_partitions },
        }
    }
}
