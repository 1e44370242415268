//! Merging the segments of a part into those that are wanted, chunk by chunk.
//!
//! A chunk with more rows than one segment may have, or than may be merged at once, is cut by time into
//! slices of about the same number of rows. Rows that become one are in one slice, and small slices that
//! roll-up leaves are merged once more.

use std::sync::Arc;

use henge_compaction::target_schema;
use henge_platform::metadata::PendingSegment;
use henge_segment::{MergeOptions, SegmentView, WriteOptions, combine_schemas};
use henge_types::{Granularity, Interval, SegmentId, SegmentSchema, ShardSpec, Version};

use super::Compaction;
use super::declared::Declared;
use super::fetch::Source;
use super::work::Work;
use crate::error::{RealtimeError, Result};
use crate::placing::sorted_times;
use crate::priority::COMPACT_PRIORITY;
use crate::sink::{PartFiles, WrittenSegment};

/// Chunks of one part, at most.
const MAX_CHUNKS: u64 = 10_000;
/// What a row takes while it is merged, beside the column at hand.
const ROW_BYTES: u64 = 32;
/// What a column takes while it is merged, as a multiple of the stored bytes.
const DECODED_FACTOR: u64 = 4;

/// The segments of one chunk, under identities that are not the ones they get.
pub(super) struct WrittenChunk {
    pub(super) interval: Interval,
    pub(super) segments: Vec<WrittenSegment>,
}

/// How the segments of a part are written.
struct Recipe {
    options: MergeOptions,
    /// With the datasource's projections.
    whole: PartFiles,
    /// Without.
    pieces: PartFiles,
}

impl Compaction {
    /// Fetches and merges a part.
    pub(super) async fn write(&mut self, work: &Work) -> Result<Vec<WrittenChunk>> {
        let chunks = chunks(work)?;
        let sources = self.fetch(work).await?;
        let recipe = Arc::new(self.recipe(work, &sources).await?);
        let (mut written, mut number) = (Vec::new(), 0);
        for interval in chunks {
            self.stop.check(&self.id)?;
            let inside: Vec<Source> =
                sources.iter().filter(|source| source.overlaps(interval)).cloned().collect();
            let mut segments = match inside.is_empty() {
                true => Vec::new(),
                false => self.write_chunk(&recipe, inside, interval, &mut number).await?,
            };
            segments.retain(|segment| segment.published.row_count > 0);
            if segments.is_empty() && !stays_below(work, interval) {
                continue;
            }
            if segments.is_empty() {
                // What stays used there, and is hidden now, must not be seen again.
                let nothing = self.write_one(&recipe, sources.clone(), interval, &mut number, true);
                segments = nothing.await?;
            }
            self.progress.accepted +=
                segments.iter().map(|segment| segment.published.row_count).sum::<u64>();
            self.show();
            written.push(WrittenChunk { interval, segments });
        }
        Ok(written)
    }

    async fn recipe(&mut self, work: &Work, sources: &[Source]) -> Result<Recipe> {
        let schemas: Vec<&SegmentSchema> =
            sources.iter().map(|source| source.view.schema()).collect();
        let united = combine_schemas(&schemas)?;
        let target = target_schema(&schemas, united, &work.unit.wanted, work.unit.interval)?;
        target.notes.into_iter().for_each(|note| self.note(note));
        let Declared { projections, unindexed } = self.declared(sources).await?;
        let options = &self.shared.options;
        Ok(Recipe {
            options: MergeOptions {
                write: options.segment,
                unindexed,
                ..MergeOptions::new(target.schema)
            },
            whole: PartFiles::of_published(&projections, options).in_folder(&self.folder),
            pieces: PartFiles::of_published(&[], options).in_folder(&self.folder),
        })
    }

    async fn write_chunk(
        &self,
        recipe: &Arc<Recipe>,
        sources: Vec<Source>,
        chunk: Interval,
        number: &mut u32,
    ) -> Result<Vec<WrittenSegment>> {
        let rows: u64 = sources.iter().map(Source::rows).sum();
        let target_rows = self.task.wanted.target_rows.max(1);
        let at_once = rows_at_once(&sources, self.shared.options.max_merge_bytes).min(target_rows);
        if rows <= at_once {
            return self.write_one(recipe, sources, chunk, number, true).await;
        }
        let granularity = recipe.options.schema.query_granularity.clone();
        let views = sources.clone();
        let cut = move || cut(&views, chunk, at_once, &granularity);
        let slices = self.shared.ingest_pool.spawn(COMPACT_PRIORITY, cut).await??;
        let mut pieces = Vec::with_capacity(slices.len());
        for slice in slices {
            self.stop.check(&self.id)?;
            let inside = sources.iter().filter(|source| source.overlaps(slice)).cloned().collect();
            let piece = self.write_one(recipe, inside, slice, number, false).await?;
            pieces.extend(piece.into_iter().filter_map(|piece| {
                let (size_bytes, times) = (piece.published.size_bytes, piece.view.time_range()?);
                Some(Source { view: piece.view as _, times, size_bytes })
            }));
        }
        let mut segments = Vec::new();
        for group in in_segments(pieces, at_once) {
            self.stop.check(&self.id)?;
            segments.extend(self.write_one(recipe, group, chunk, number, true).await?);
        }
        Ok(segments)
    }

    /// Merges the rows within an interval into one segment.
    async fn write_one(
        &self,
        recipe: &Arc<Recipe>,
        sources: Vec<Source>,
        interval: Interval,
        number: &mut u32,
        is_whole: bool,
    ) -> Result<Vec<WrittenSegment>> {
        let id = SegmentId {
            datasource: self.task.data_source.as_str().into(),
            interval,
            version: Version(0),
            partition: *number,
        };
        *number += 1;
        let target = PendingSegment { shard_spec: ShardSpec::appended(id.partition), id };
        let bytes = usize::try_from(merge_bytes(&sources)).unwrap_or(usize::MAX);
        let _room = self.shared.merge_room.take(bytes).await;
        let recipe = Arc::clone(recipe);
        let work = move || -> Result<WrittenSegment> {
            let views: Vec<Arc<dyn SegmentView>> =
                sources.into_iter().map(|source| source.view).collect();
            let mut options = MergeOptions { interval: Some(interval), ..recipe.options.clone() };
            if is_whole {
                return recipe.whole.write_merged(&views, &options, target);
            }
            options.write = WriteOptions::hot();
            recipe.pieces.write_merged(&views, &options, target)
        };
        Ok(vec![self.shared.ingest_pool.spawn(COMPACT_PRIORITY, work).await??])
    }
}

/// The chunks of a part as they are wanted.
fn chunks(work: &Work) -> Result<Vec<Interval>> {
    let whole = work.unit.interval;
    let Some(granularity) = &work.unit.wanted.segment_granularity else { return Ok(vec![whole]) };
    let count = granularity.bucket_count_estimate(whole);
    if count > MAX_CHUNKS {
        return Err(RealtimeError::Invalid(format!(
            "segmentGranularity would cut {whole} into {count} chunks, more than {MAX_CHUNKS}: use larger ones"
        )));
    }
    Ok(granularity.buckets(whole).filter_map(|chunk| chunk.intersect(&whole)).collect())
}

/// True when something that is used there reaches out of the part, so that replacing does not take it away.
fn stays_below(work: &Work, chunk: Interval) -> bool {
    let stays = |id: &SegmentId| !work.unit.interval.contains_interval(&id.interval);
    work.used.keys().any(|id| id.interval.overlaps(&chunk) && stays(id))
}

/// What merging takes, in bytes.
fn merge_bytes(sources: &[Source]) -> u64 {
    let bytes = |source: &Source| source.size_bytes * DECODED_FACTOR + source.rows() * ROW_BYTES;
    sources.iter().map(bytes).sum()
}

/// How many rows of these may be merged at once.
fn rows_at_once(sources: &[Source], max_bytes: usize) -> u64 {
    let rows: u64 = sources.iter().map(Source::rows).sum();
    let row_bytes = merge_bytes(sources).div_ceil(rows.max(1)).max(1);
    (max_bytes as u64 / row_bytes).max(1)
}

/// Cuts a chunk into slices of at most about so many rows; rows of one moment, as it is afterwards, stay
/// together.
fn cut(
    sources: &[Source],
    chunk: Interval,
    max_rows: u64,
    moment: &Granularity,
) -> Result<Vec<Interval>> {
    let mut times = Vec::new();
    for source in sources {
        times.extend(sorted_times(source.view.as_ref())?);
    }
    times.retain(|time| chunk.contains(*time));
    times.sort_unstable();
    let count = times.len().div_ceil(usize::try_from(max_rows).unwrap_or(usize::MAX)).max(1);
    let cuts = (1..count).map(|part| match moment {
        Granularity::All => chunk.start_ms,
        _ => moment.bucket_start(times[times.len() * part / count]),
    });
    let mut cuts: Vec<i64> = cuts.filter(|cut| *cut > chunk.start_ms).collect();
    cuts.dedup();
    cuts.retain(|cut| times.first().is_some_and(|first| first < cut));
    cuts.push(chunk.end_ms);
    let mut start_ms = chunk.start_ms;
    let slices = cuts.into_iter().map(|end_ms| {
        let slice = Interval { start_ms, end_ms };
        start_ms = end_ms;
        slice
    });
    Ok(slices.collect())
}

/// Neighbours that together have no more rows than a segment may have.
fn in_segments(pieces: Vec<Source>, max_rows: u64) -> Vec<Vec<Source>> {
    let (mut groups, mut rows): (Vec<Vec<Source>>, u64) = (Vec::new(), 0);
    for piece in pieces {
        match groups.last_mut() {
            Some(group) if rows + piece.rows() <= max_rows => {
                rows += piece.rows();
                group.push(piece);
            }
            _ => {
                rows = piece.rows();
                groups.push(vec![piece]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_cut_where_moments_end() {
        // Without rows there is one slice.
        let chunk = Interval { start_ms: 0, end_ms: 100 };
        assert_eq!(cut(&[], chunk, 5, &Granularity::None).unwrap(), [chunk]);
    }
}
