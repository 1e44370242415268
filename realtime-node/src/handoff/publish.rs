//! Publishing: every step may fail and is tried again until it succeeds; nothing is lost meanwhile,
//! the rows stay queryable where they are.

use std::sync::Arc;
use std::time::Duration;

use henge_platform::metadata::{MetadataError, PublishOutcome, PublishRequest, SourceAdvance};
use henge_platform::runtime::crash_point;
use henge_types::SegmentId;

use super::Worker;
use crate::commit::commit;
use crate::error::{RealtimeError, Result};
use crate::merging::MergeGroup;
use crate::placing::Placing;
use crate::publication::{Outgoing, files, published};
use crate::push::PushDatasource;
use crate::push::accept::MERGE_PRIORITY;
use crate::push::generation::Generation;
use crate::sink::{PartFiles, Sink, WrittenSegment};

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl Worker {
    /// Publishes a generation, sink by sink taken out of it; gives its segments and the outcome.
    pub(super) async fn publish(
        &self,
        generation: &mut Generation,
    ) -> (Vec<Arc<WrittenSegment>>, PublishOutcome) {
        let part_files = generation.part_files(&self.shared.options);
        let mut merged: Vec<Outgoing> = Vec::new();
        let mut attempt = 0;
        let mut wait = FIRST_WAIT;
        loop {
            attempt += 1;
            let error = match self.try_publish(generation, &part_files, &mut merged, attempt).await
            {
                Ok(outcome) => return (files(&merged), outcome),
                Err(RealtimeError::Metadata(MetadataError::VersionConflict { ids })) => {
                    let placing = self.placing(generation, &part_files);
                    match self.place_anew(&placing, &mut merged, &ids).await {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.backlog.failed(&error, self.shared.clock.now_ms());
            tracing::error!(datasource = %self.datasource, attempt, %error, "hand-off failed, will try again");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn try_publish(
        &self,
        generation: &mut Generation,
        files: &PartFiles,
        merged: &mut Vec<Outgoing>,
        attempt: u32,
    ) -> Result<PublishOutcome> {
        while let Some((chunk, sink)) = generation.sinks.first_key_value() {
            let (chunk, sink) = (*chunk, Arc::clone(sink));
            let segments = self.merge(&self.placing(generation, files), &sink).await?;
            merged.extend(segments.into_iter().map(Outgoing::new));
            generation.sinks.remove(&chunk);
        }
        for segment in merged.iter_mut() {
            segment.push(&self.shared).await?;
        }
        crash_point("handoff::pushed");
        let outcome = self.commit(generation, merged, attempt).await?;
        crash_point("handoff::published");
        Ok(outcome)
    }

    fn placing<'a>(&'a self, generation: &'a Generation, files: &'a PartFiles) -> Placing<'a> {
        let schema = &generation.schema.data_schema;
        Placing {
            shared: &self.shared,
            datasource: &self.datasource,
            granularity: &schema.granularity_spec.segment_granularity,
            files,
            priority: MERGE_PRIORITY,
        }
    }

    /// Writes a sink to files, which answer for its rows from then on.
    async fn merge(
        &self,
        placing: &Placing<'_>,
        sink: &Arc<Sink>,
    ) -> Result<Vec<Arc<WrittenSegment>>> {
        let mut segments = Vec::new();
        if let Err(error) = self.merge_groups(placing, sink, &mut segments).await {
            segments.iter().for_each(|segment| segment.remove_file());
            return Err(error);
        }
        self.shared.serving.exchange(&sink.target().id, &segments)?;
        Ok(segments)
    }

    /// One file for as much as is merged at once: the first in the sink's place, if it has one. What
    /// has none, or is beyond it, goes to the chunks that lie where its rows are.
    async fn merge_groups(
        &self,
        placing: &Placing<'_>,
        sink: &Arc<Sink>,
        segments: &mut Vec<Arc<WrittenSegment>>,
    ) -> Result<()> {
        let groups = sink.view_groups(self.shared.options.max_merge_bytes);
        for (number, MergeGroup { items: views, bytes }) in groups.into_iter().enumerate() {
            let _room = self.shared.merge_room.take(bytes).await;
            let in_place = number == 0 && sink.is_placed();
            let target = match number {
                0 => sink.target().clone(),
                _ => self.shared.serving.unplaced(&self.datasource, sink.chunk),
            };
            let files = placing.files.clone();
            let work = move || files.write_segment(&views, target);
            let whole = Arc::new(self.shared.ingest_pool.spawn(MERGE_PRIORITY, work).await??);
            if in_place {
                segments.push(whole);
                continue;
            }
            let pieces = placing.place(&whole).await;
            whole.remove_file();
            segments.extend(pieces?);
        }
        Ok(())
    }

    /// The chunks of these segments were replaced or dropped: their rows go where they belong now.
    async fn place_anew(
        &self,
        placing: &Placing<'_>,
        merged: &mut Vec<Outgoing>,
        ids: &[SegmentId],
    ) -> Result<()> {
        while let Some(at) = merged.iter().position(|s| ids.contains(&s.file.published.id)) {
            let pieces = placing.place(&merged[at].file).await?;
            self.shared.serving.exchange(&merged[at].file.published.id, &pieces)?;
            merged.remove(at);
            merged.extend(pieces.into_iter().map(Outgoing::new));
        }
        Ok(())
    }

    async fn commit(
        &self,
        generation: &Generation,
        merged: &[Outgoing],
        attempt: u32,
    ) -> Result<PublishOutcome> {
        let (start, end) = (generation.start_position, generation.end_position);
        let source_id = PushDatasource::source_id(&self.datasource);
        let request = PublishRequest {
            // Random, because a restart may publish the same positions with other segments.
            transaction_id: format!(
                "{source_id}:{start}-{end}:{attempt}:{:x}",
                rand::random::<u64>()
            ),
            segments: published(merged),
            source: Some(SourceAdvance {
                source_id,
                expected: start,
                next: end,
                state: generation.known.to_state(generation.schema.version),
            }),
            idempotency: generation.keys.clone(),
            replace: None,
        };
        // The age of the keys is counted from here.
        self.shared.uptime.advance().await?;
        commit(&*self.shared.metadata, &request).await
    }
}
