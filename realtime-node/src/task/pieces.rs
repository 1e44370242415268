//! Chunks on their way from memory to segments: sorted and written while reading goes on, merged at
//! the end where one chunk was written more than once, as far as memory has room for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use henge_platform::metadata::PendingSegment;
use henge_platform::runtime::{CpuPool, CpuTask};
use henge_tabular::ChunkRows;
use henge_types::{Interval, SegmentId, ShardSpec, Version};

use super::ready::{ReadyChunk, ReadyRows};
use crate::error::Result;
use crate::merging::in_groups;
use crate::placing::sorted_times;
use crate::priority::LOAD_PRIORITY;
use crate::sink::{PartFiles, WrittenSegment};

/// What pieces may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct PieceLimits {
    /// Rows of a segment.
    pub(super) rows_per_segment: usize,
    /// Bytes of rows that are being sorted and written at once; one piece in any case.
    pub(super) writing_bytes: usize,
    /// Bytes of rows that one merge reads.
    pub(super) merge_bytes: usize,
}

/// The segments of one chunk that were written at once.
struct Piece {
    interval: Interval,
    segments: Vec<WrittenSegment>,
    /// What its rows took in memory.
    bytes: usize,
}

/// Chunks that were written or are being written.
pub(super) struct Pieces {
    pool: CpuPool,
    datasource: Arc<str>,
    limits: PieceLimits,
    /// With the bytes of each.
    being_written: VecDeque<(usize, CpuTask<Result<Piece>>)>,
    written: BTreeMap<i64, Vec<Piece>>,
    count: u64,
}

impl Pieces {
    pub(super) fn new(pool: CpuPool, datasource: &str, limits: PieceLimits) -> Self {
        Self {
            pool,
            datasource: datasource.into(),
            limits,
            being_written: VecDeque::new(),
            written: BTreeMap::new(),
            count: 0,
        }
    }

    /// Segments written so far.
    pub(super) fn segment_count(&self) -> u64 {
        self.written.values().flatten().map(|piece| piece.segments.len() as u64).sum()
    }

    /// Starts to write a chunk. When all threads write already, or memory has no room, it waits for one
    /// of them, so that no more chunks are in memory than can be worked on.
    pub(super) async fn write(&mut self, chunk: ChunkRows, files: &PartFiles) -> Result<()> {
        let bytes = chunk.memory_bytes();
        while !self.has_room(bytes) {
            self.await_one().await?;
        }
        let (files, max_rows) = (files.clone(), self.limits.rows_per_segment);
        let (datasource, number) = (Arc::clone(&self.datasource), self.count);
        self.count += 1;
        let work = move || write_piece(chunk, &files, max_rows, &datasource, number);
        self.being_written.push_back((bytes, self.pool.spawn(LOAD_PRIORITY, work)));
        Ok(())
    }

    fn has_room(&self, bytes: usize) -> bool {
        let held = self.being_written.iter().map(|(bytes, _)| bytes).sum::<usize>();
        self.being_written.is_empty()
            || (self.being_written.len() < self.pool.threads()
                && held.saturating_add(bytes) <= self.limits.writing_bytes)
    }

    /// Waits for everything that is being written and gives the chunks by time.
    pub(super) async fn finish(mut self) -> Result<Vec<ReadyChunk>> {
        while !self.being_written.is_empty() {
            self.await_one().await?;
        }
        let mut chunks = Vec::with_capacity(self.written.len());
        for (_, mut pieces) in std::mem::take(&mut self.written) {
            let Some(interval) = pieces.first().map(|piece| piece.interval) else { continue };
            let partitions = if pieces.len() == 1 {
                let only = pieces.remove(0);
                only.segments.into_iter().map(ReadyRows::Written).collect()
            } else {
                let limits = self.limits;
                let work = move || plan_merges(pieces, interval, limits);
                self.pool.spawn(LOAD_PRIORITY, work).await??
            };
            chunks.push(ReadyChunk { interval, partitions });
        }
        Ok(chunks)
    }

    async fn await_one(&mut self) -> Result<()> {
        if let Some((_, writing)) = self.being_written.pop_front() {
            let piece = writing.await??;
            self.written.entry(piece.interval.start_ms).or_default().push(piece);
        }
        Ok(())
    }
}

fn write_piece(
    chunk: ChunkRows,
    files: &PartFiles,
    max_rows: usize,
    datasource: &Arc<str>,
    number: u64,
) -> Result<Piece> {
    let (interval, bytes) = (chunk.interval(), chunk.memory_bytes());
    let mut sorted = chunk.sort(max_rows)?;
    let mut segments = Vec::with_capacity(sorted.partitions());
    for partition in 0..sorted.partitions() {
        let id = SegmentId {
            datasource: Arc::clone(datasource),
            interval,
            version: Version(0),
            partition: partition as u32,
        };
        let stand_in = PendingSegment { id, shard_spec: ShardSpec::appended(partition as u32) };
        let name = format!("piece-{number}-{partition}");
        segments.push(files.write_sorted(&mut sorted, partition, &name, stand_in)?);
    }
    Ok(Piece { interval, segments, bytes })
}

/// Cuts the time of a chunk so that each part has about the same number of rows; rows of one moment
/// stay together. Where that would merge too much at once, the segments stay as they were written,
/// but for small ones, which are merged with their neighbours.
fn plan_merges(pieces: Vec<Piece>, chunk: Interval, limits: PieceLimits) -> Result<Vec<ReadyRows>> {
    let weighed = |piece: Piece| {
        let share = piece.bytes / piece.segments.len().max(1);
        piece.segments.into_iter().map(move |segment| (segment, share))
    };
    let (segments, shares): (Vec<WrittenSegment>, Vec<usize>) =
        pieces.into_iter().flat_map(weighed).unzip();
    let parts = cut(&segments, chunk, limits.rows_per_segment)?;
    let read_bytes = |part: &Interval| {
        let read = segments.iter().zip(&shares).filter(|(segment, _)| overlaps(segment, *part));
        read.map(|(_, share)| share).sum::<usize>()
    };
    if parts.iter().all(|part| read_bytes(part) <= limits.merge_bytes) {
        let segments = Arc::new(segments);
        let merge = |interval| ReadyRows::Merge { segments: Arc::clone(&segments), interval };
        return Ok(parts.into_iter().map(merge).collect());
    }
    let groups = in_groups(segments.into_iter().zip(shares), limits.merge_bytes);
    let rows = groups.into_iter().map(|mut group| match (group.items.len(), group.items.pop()) {
        (1, Some(only)) => ReadyRows::Written(only),
        (_, last) => {
            group.items.extend(last);
            ReadyRows::Merge { segments: Arc::new(group.items), interval: chunk }
        }
    });
    Ok(rows.collect())
}

/// Cuts the time of a chunk into parts of at most about so many rows.
fn cut(segments: &[WrittenSegment], chunk: Interval, max_rows: usize) -> Result<Vec<Interval>> {
    let mut times = Vec::new();
    for segment in segments {
        times.extend(sorted_times(segment.view.as_ref())?);
    }
    times.sort_unstable();
    let count = times.len().div_ceil(max_rows.max(1)).max(1);
    let mut cuts: Vec<i64> = (1..count).map(|part| times[times.len() * part / count]).collect();
    cuts.dedup();
    cuts.retain(|cut| *cut > chunk.start_ms && Some(cut) != times.first());
    cuts.push(chunk.end_ms);
    let mut start_ms = chunk.start_ms;
    let parts = cuts.into_iter().map(|end_ms| {
        let interval = Interval { start_ms, end_ms };
        start_ms = end_ms;
        interval
    });
    Ok(parts.collect())
}

/// True when a segment may have rows in an interval.
pub(super) fn overlaps(segment: &WrittenSegment, interval: Interval) -> bool {
    let published = &segment.published;
    published.min_time_ms < interval.end_ms && published.max_time_ms >= interval.start_ms
}
