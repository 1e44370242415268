//! Publishing: every step may fail and is tried again until it succeeds; nothing is lost meanwhile,
//! the rows stay queryable where they are.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use henge_platform::metadata::{
    AllocationMode, MetadataError, PublishRequest, PublishedSegment, SourceAdvance,
};
use henge_platform::runtime::crash_point;
use henge_platform::storage::{Payload, segment_object_key};
use henge_types::SegmentId;

use super::Worker;
use crate::commit::commit;
use crate::error::{RealtimeError, Result};
use crate::push::PushDatasource;
use crate::push::accept::MERGE_PRIORITY;
use crate::push::generation::Generation;
use crate::sink::{PartFiles, Sink, WrittenSegment};

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A merged sink on its way.
struct Merged {
    sink: Arc<Sink>,
    path: PathBuf,
    published: PublishedSegment,
    pushed: bool,
}

impl Worker {
    /// Publishes a generation; gives the ids of its segments.
    pub(super) async fn publish(&self, generation: &Generation) -> Vec<SegmentId> {
        let files = generation.part_files(&self.shared.options);
        let mut merged: Vec<Merged> = Vec::new();
        let mut attempt = 0;
        let mut wait = FIRST_WAIT;
        loop {
            attempt += 1;
            match self.try_publish(generation, &files, &mut merged, attempt).await {
                Ok(()) => return merged.into_iter().map(|m| m.published.id).collect(),
                Err(RealtimeError::Metadata(MetadataError::VersionConflict { ids })) => {
                    if let Err(error) = self.retarget(&mut merged, &ids).await {
                        tracing::error!(datasource = %self.datasource, %error, "failed to follow a replaced chunk, will try again");
                        tokio::time::sleep(wait).await;
                    }
                }
                Err(error) => {
                    tracing::error!(datasource = %self.datasource, %error, "hand-off failed, will try again");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    async fn try_publish(
        &self,
        generation: &Generation,
        files: &PartFiles,
        merged: &mut Vec<Merged>,
        attempt: u32,
    ) -> Result<()> {
        if merged.is_empty() {
            *merged = self.merge(generation, files).await?;
        }
        for segment in merged.iter_mut().filter(|segment| !segment.pushed) {
            let object_key = segment_object_key(&segment.published.id, rand::random());
            let payload = Payload::File(segment.path.clone());
            let pushed = self.shared.storage.push(&object_key, payload).await?;
            segment.published.object_key = object_key;
            segment.published.size_bytes = pushed.size_bytes;
            segment.published.checksum = pushed.checksum;
            segment.pushed = true;
        }
        crash_point("handoff::pushed");
        self.commit(generation, merged, attempt).await?;
        crash_point("handoff::published");
        Ok(())
    }

    async fn merge(&self, generation: &Generation, files: &PartFiles) -> Result<Vec<Merged>> {
        let mut merged = Vec::new();
        for sink in generation.sinks.values() {
            let (work_sink, work_files) = (Arc::clone(sink), files.clone());
            let work = move || merge_sink(&work_sink, &work_files);
            if let Some(written) = self.shared.ingest_pool.spawn(MERGE_PRIORITY, work).await?? {
                let WrittenSegment { path, published, .. } = written;
                merged.push(Merged { sink: Arc::clone(sink), path, published, pushed: false });
            }
        }
        Ok(merged)
    }

    async fn commit(&self, generation: &Generation, merged: &[Merged], attempt: u32) -> Result<()> {
        let (start, end) = (generation.start_position, generation.end_position);
        let source_id = PushDatasource::source_id(&self.datasource);
        let request = PublishRequest {
            // Random, because a restart may publish the same positions with other segments.
            transaction_id: format!(
                "{source_id}:{start}-{end}:{attempt}:{:x}",
                rand::random::<u64>()
            ),
            segments: merged.iter().map(|segment| segment.published.clone()).collect(),
            source: Some(SourceAdvance { source_id, expected: start, next: end }),
            idempotency: generation.keys.clone(),
            replace: None,
        };
        commit(&*self.shared.metadata, &request).await?;
        Ok(())
    }

    /// A task replaced the chunks of these segments: they get new identities under the new version.
    async fn retarget(&self, merged: &mut [Merged], ids: &[SegmentId]) -> Result<()> {
        for segment in merged.iter_mut().filter(|s| ids.contains(&s.published.id)) {
            let old = segment.published.id.clone();
            let metadata = &self.shared.metadata;
            let target = match metadata
                .allocate_segment(&self.datasource, old.interval, AllocationMode::Append)
                .await
            {
                Ok(target) => target,
                Err(MetadataError::IntervalConflict { .. }) => {
                    return Err(RealtimeError::ChunkCutUp { chunk: old.interval });
                }
                Err(error) => return Err(error.into()),
            };
            rewrite(&segment.path, &target.id)?;
            self.shared.serving.retarget(&segment.sink, target.clone())?;
            segment.published.id = target.id;
            segment.published.shard_spec = target.shard_spec;
            segment.pushed = false;
        }
        Ok(())
    }
}

fn merge_sink(sink: &Arc<Sink>, files: &PartFiles) -> Result<Option<WrittenSegment>> {
    let views = sink.views();
    if views.is_empty() {
        return Ok(None);
    }
    let written = files.write_segment(&views, sink.target())?;
    sink.replace_all(Arc::clone(&written.view), written.path.clone())?;
    Ok(Some(written))
}

/// Gives a segment file another identity, without encoding its rows again.
fn rewrite(path: &std::path::Path, id: &SegmentId) -> Result<()> {
    let bytes = std::fs::read(path).map_err(RealtimeError::io(path))?;
    let mut rewritten = Vec::with_capacity(bytes.len());
    henge_segment::rewrite_identity(&bytes, id, &mut rewritten)?;
    // The old file may be mapped by readers: write beside it and rename.
    henge_platform::runtime::write_atomically(path, &rewritten).map_err(RealtimeError::io(path))
}
