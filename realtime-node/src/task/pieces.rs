//! Chunks on their way from memory to segments: sorted and written while reading goes on, merged at
//! the end where one chunk was written more than once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use henge_platform::metadata::PendingSegment;
use henge_platform::runtime::{CpuPool, CpuTask};
use henge_tabular::ChunkRows;
use henge_types::{Interval, SegmentId, ShardSpec, Version};

use super::ready::{ReadyChunk, ReadyRows};
use crate::error::Result;
use crate::placing::sorted_times;
use crate::push::accept::LOAD_PRIORITY;
use crate::sink::{PartFiles, WrittenSegment};

/// The segments of one chunk that were written at once.
struct Piece {
    interval: Interval,
    segments: Vec<WrittenSegment>,
}

/// Chunks that were written or are being written.
pub(super) struct Pieces {
    pool: CpuPool,
    datasource: Arc<str>,
    max_rows_per_segment: usize,
    being_written: VecDeque<CpuTask<Result<Piece>>>,
    written: BTreeMap<i64, Vec<Piece>>,
    count: u64,
}

impl Pieces {
    pub(super) fn new(pool: CpuPool, datasource: &str, max_rows_per_segment: usize) -> Self {
        Self {
            pool,
            datasource: datasource.into(),
            max_rows_per_segment,
            being_written: VecDeque::new(),
            written: BTreeMap::new(),
            count: 0,
        }
    }

    /// Segments written so far.
    pub(super) fn segment_count(&self) -> u64 {
        self.written.values().flatten().map(|piece| piece.segments.len() as u64).sum()
    }

    /// Starts to write a chunk. When all threads write already, it waits for one of them, so that
    /// no more chunks are in memory than threads can work on.
    pub(super) async fn write(&mut self, chunk: ChunkRows, files: &PartFiles) -> Result<()> {
        while self.being_written.len() >= self.pool.threads().max(1) {
            self.await_one().await?;
        }
        let (files, max_rows) = (files.clone(), self.max_rows_per_segment);
        let (datasource, number) = (Arc::clone(&self.datasource), self.count);
        self.count += 1;
        let work = move || write_piece(chunk, &files, max_rows, &datasource, number);
        self.being_written.push_back(self.pool.spawn(LOAD_PRIORITY, work));
        Ok(())
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
                let segments = pieces.into_iter().flat_map(|piece| piece.segments).collect();
                let max_rows = self.max_rows_per_segment;
                let work = move || plan_merges(segments, interval, max_rows);
                self.pool.spawn(LOAD_PRIORITY, work).await??
            };
            chunks.push(ReadyChunk { interval, partitions });
        }
        Ok(chunks)
    }

    async fn await_one(&mut self) -> Result<()> {
        if let Some(writing) = self.being_written.pop_front() {
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
    let interval = chunk.interval();
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
    Ok(Piece { interval, segments })
}

/// Cuts the time of a chunk so that each part has about the same number of rows; rows of one moment
/// stay together.
fn plan_merges(
    segments: Vec<WrittenSegment>,
    chunk: Interval,
    max_rows: usize,
) -> Result<Vec<ReadyRows>> {
    let mut times = Vec::new();
    for segment in &segments {
        times.extend(sorted_times(segment.view.as_ref())?);
    }
    times.sort_unstable();
    let count = times.len().div_ceil(max_rows.max(1)).max(1);
    let mut cuts: Vec<i64> = (1..count).map(|part| times[times.len() * part / count]).collect();
    cuts.dedup();
    cuts.retain(|cut| *cut > chunk.start_ms && Some(cut) != times.first());
    cuts.push(chunk.end_ms);
    let mut start_ms = chunk.start_ms;
    let segments = Arc::new(segments);
    let parts = cuts.into_iter().map(|end_ms| {
        let interval = Interval { start_ms, end_ms };
        start_ms = end_ms;
        ReadyRows::Merge { segments: Arc::clone(&segments), interval }
    });
    Ok(parts.collect())
}
