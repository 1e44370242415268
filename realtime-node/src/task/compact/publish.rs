//! Putting merged segments into the place of those they were merged from, if these are still all there is.

use std::sync::Arc;

use henge_compaction::with_fingerprint;
use henge_platform::metadata::{
    MetadataError, PendingSegment, PublishOutcome, PublishRequest, ReplaceScope,
};
use henge_platform::runtime::{crash_point, spawn};
use henge_types::{SegmentId, ShardSpec, Version};

use super::Compaction;
use super::merge::WrittenChunk;
use super::work::Work;
use crate::commit::commit;
use crate::error::{RealtimeError, Result};
use crate::priority::COMPACT_PRIORITY;
use crate::publication::{Outgoing, files, published};
use crate::release::release_when_served;
use crate::sink::{PartFiles, WrittenSegment, remove_files};

impl Compaction {
    /// Replaces a part; false when others published in it meanwhile, then nothing was replaced.
    pub(super) async fn publish(
        &mut self,
        work: &Work,
        written: Vec<WrittenChunk>,
    ) -> Result<bool> {
        let mut outgoing = Vec::new();
        let ended = self.push_and_commit(work, written, &mut outgoing).await;
        let ids: Vec<SegmentId> =
            files(&outgoing).iter().map(|file| file.published.id.clone()).collect();
        match ended {
            Ok(outcome) => {
                crash_point("compact/published");
                self.report(work, &outgoing);
                let shared = Arc::clone(&self.shared);
                spawn(release_when_served(shared, ids, outcome.sequence));
                self.shared.published.notify_one();
                Ok(true)
            }
            Err(error) => {
                if self.shared.serving.withdraw(&ids).is_ok() {
                    remove_files(&self.shared.ingest_pool, files(&outgoing)).await;
                }
                match error {
                    RealtimeError::Metadata(
                        MetadataError::InputsChanged | MetadataError::VersionConflict { .. },
                    ) => {
                        tracing::info!(task = %self.id, interval = %work.unit.interval, "others published meanwhile, reading it anew");
                        self.remove_objects(&outgoing).await;
                        Ok(false)
                    }
                    error => Err(error),
                }
            }
        }
    }

    async fn push_and_commit(
        &mut self,
        work: &Work,
        written: Vec<WrittenChunk>,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<PublishOutcome> {
        let version = self.shared.metadata.allocate_version().await?;
        for chunk in written {
            let core_partitions = chunk.segments.len() as u32;
            for (partition, segment) in (0..).zip(chunk.segments) {
                self.stop.check(&self.id)?;
                let id = SegmentId {
                    datasource: self.task.data_source.as_str().into(),
                    interval: chunk.interval,
                    version,
                    partition,
                };
                let shard_spec = ShardSpec::Numbered { partition, core_partitions };
                let segment = self.named(segment, PendingSegment { id, shard_spec }).await?;
                outgoing.push(Outgoing::new(segment));
                if let Some(last) = outgoing.last_mut() {
                    last.push(&*self.shared.storage).await?;
                }
            }
        }
        crash_point("compact/pushed");
        self.stop.check(&self.id)?;
        self.shared.serving.announce_published(&files(outgoing))?;
        let request = self.request(work, version, outgoing);
        commit(&*self.shared.metadata, &request, |_| ()).await
    }

    /// What is asked of the metadata: exactly the segments that were read go, and the new ones come.
    fn request(&self, work: &Work, version: Version, outgoing: &[Outgoing]) -> PublishRequest {
        PublishRequest {
            // A version is given out once, so that no two attempts have one name.
            transaction_id: format!("{}/{version}", self.id),
            segments: published(outgoing),
            replace: Some(ReplaceScope {
                datasource: self.task.data_source.clone(),
                intervals: vec![work.unit.interval],
                inputs: Some(work.used.keys().cloned().collect()),
            }),
            ..PublishRequest::default()
        }
    }

    /// The segment under the identity that it is published with, marked as what is wanted.
    async fn named(
        &self,
        segment: WrittenSegment,
        target: PendingSegment,
    ) -> Result<Arc<WrittenSegment>> {
        let files = PartFiles::of_published(&[], &self.shared.options);
        let fingerprint = self.task.wanted.fingerprint();
        let work = move || -> Result<Arc<WrittenSegment>> {
            let mut copy = files.copy_as(&segment, target)?;
            segment.remove_file();
            let marked = with_fingerprint(&copy.published.schema_json, &fingerprint);
            copy.published.schema_json = marked;
            Ok(Arc::new(copy))
        };
        self.shared.ingest_pool.spawn(COMPACT_PRIORITY, work).await?
    }

    fn report(&mut self, work: &Work, outgoing: &[Outgoing]) {
        let new = published(outgoing);
        self.progress.segments += new.len() as u64;
        let note = format!(
            "{}: {} segments with {} rows became {} with {}",
            work.unit.interval,
            work.unit.segments().count(),
            work.unit.rows(),
            new.len(),
            new.iter().map(|segment| segment.row_count).sum::<u64>()
        );
        self.note(note);
        self.show();
    }

    /// Nothing names these objects, and nothing will.
    async fn remove_objects(&self, outgoing: &[Outgoing]) {
        for segment in published(outgoing) {
            if let Err(error) = self.shared.storage.delete(&segment.object_key).await {
                tracing::warn!(key = %segment.object_key, %error, "failed to remove an object that nothing names");
            }
        }
    }
}
