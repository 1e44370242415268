//! What a chunk needs before it can be published: its rows in segment files, the files in deep
//! storage. Every step may fail and is tried again; nothing is lost meanwhile, the rows stay queryable
//! where they are.

use std::sync::Arc;

use henge_types::SegmentId;

use super::Worker;
use super::closed::ClosedChunk;
use crate::error::Result;
use crate::ingest::generation::Generation;
use crate::merging::MergeGroup;
use crate::placing::Placing;
use crate::priority::MERGE_PRIORITY;
use crate::publication::Outgoing;
use crate::sink::{PartFiles, Sink, WrittenSegment, remove_files};

impl Worker {
    pub(super) fn placing<'a>(
        &'a self,
        generation: &'a Generation,
        files: &'a PartFiles,
    ) -> Placing<'a> {
        let schema = &generation.schema.data_schema;
        Placing {
            shared: &self.shared,
            datasource: &self.datasource,
            granularity: &schema.granularity_spec.segment_granularity,
            files,
            priority: MERGE_PRIORITY,
        }
    }
}

/// Does what is left to do; what was done stays done when a later step fails.
pub(super) async fn prepare(placing: &Placing<'_>, chunk: &mut ClosedChunk) -> Result<()> {
    while let Some(sink) = chunk.sinks.first() {
        let segments = write(placing, sink).await?;
        chunk.outgoing.extend(segments.into_iter().map(Outgoing::new));
        chunk.sinks.remove(0);
    }
    for segment in &mut chunk.outgoing {
        segment.push(&*placing.shared.storage).await?;
    }
    Ok(())
}

/// The places of these segments were replaced or dropped: their rows go where they belong now.
pub(super) async fn place_anew(
    placing: &Placing<'_>,
    chunk: &mut ClosedChunk,
    ids: &[SegmentId],
) -> Result<()> {
    let outgoing = &mut chunk.outgoing;
    while let Some(at) = outgoing.iter().position(|s| ids.contains(&s.file.published.id)) {
        let pieces = placing.place(&outgoing[at].file).await?;
        exchange(placing, &outgoing[at].file.published.id, &pieces).await?;
        outgoing.remove(at);
        outgoing.extend(pieces.into_iter().map(Outgoing::new));
    }
    Ok(())
}

/// Writes a sink to files, which answer for its rows from then on.
async fn write(placing: &Placing<'_>, sink: &Arc<Sink>) -> Result<Vec<Arc<WrittenSegment>>> {
    let mut segments = Vec::new();
    if let Err(error) = write_groups(placing, sink, &mut segments).await {
        remove_files(&placing.shared.ingest_pool, segments).await;
        return Err(error);
    }
    exchange(placing, &sink.target().id, &segments).await?;
    Ok(segments)
}

/// Lets files answer for what was buffered under `old`. The metadata are told before anybody else:
/// should this node be lost now, the rows are missing under the new identities.
async fn exchange(
    placing: &Placing<'_>,
    old: &SegmentId,
    files: &[Arc<WrittenSegment>],
) -> Result<()> {
    let (shared, id) = (placing.shared, |file: &Arc<WrittenSegment>| file.published.id.clone());
    let (new, old_ids): (Vec<SegmentId>, _) = (files.iter().map(id).collect(), [old.clone()]);
    if new == old_ids {
        return shared.serving.exchange(old, files);
    }
    let _changing = shared.notes.changing().await;
    shared.notes.pass(&old_ids, &new).await?;
    let exchanged = shared.serving.exchange(old, files);
    if exchanged.is_err() {
        shared.notes.pass(&new, &old_ids).await?;
    }
    exchanged
}

/// One file for as much as is merged at once. A file with all rows takes the sink's place, if it has
/// one; all others go to the chunks that lie where their rows are. A part of the rows never goes by the
/// sink's identity: a query planned before would take it for the whole.
async fn write_groups(
    placing: &Placing<'_>,
    sink: &Arc<Sink>,
    segments: &mut Vec<Arc<WrittenSegment>>,
) -> Result<()> {
    let shared = placing.shared;
    let groups = sink.view_groups(shared.options.max_merge_bytes);
    let in_place = groups.len() == 1 && sink.is_placed();
    for MergeGroup { items: views, bytes } in groups {
        let _room = shared.merge_room.take(bytes).await;
        let target = match in_place {
            true => sink.target().clone(),
            false => shared.serving.unplaced(&sink.target().id.datasource, sink.chunk),
        };
        let files = placing.files.clone();
        let work = move || files.write_segment(&views, target);
        let whole = Arc::new(shared.ingest_pool.spawn(placing.priority, work).await??);
        if in_place {
            segments.push(whole);
            continue;
        }
        let pieces = placing.place(&whole).await;
        remove_files(&shared.ingest_pool, vec![whole]).await;
        segments.extend(pieces?);
    }
    Ok(())
}
