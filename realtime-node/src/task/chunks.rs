//! The time chunks of a task: each a list of partitions, the last of which takes rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use henge_index::{DimensionSchema, IndexLimits, IndexSchema};
use henge_ingest::{ChunkRouter, RejectReason, Rejection, RowError, RowSink, index_schema};
use henge_platform::metadata::PendingSegment;
use henge_platform::runtime::MemoryAccount;
use henge_query::ingest::{DataSchema, TuningConfig};
use henge_types::{ErrorClass, Interval, SegmentId, ShardSpec, ValueRef, Version};

use crate::error::Result;
use crate::options::RealtimeOptions;
use crate::sink::{FrozenIndex, PartFiles, Sink};

/// What a task has read so far.
pub(super) struct Chunks {
    schema: Arc<DataSchema>,
    /// The columns of all sinks; those from `declared` on were discovered.
    columns: Arc<IndexSchema>,
    declared: usize,
    limits: IndexLimits,
    max_rows_per_segment: usize,
    options: RealtimeOptions,
    folder: PathBuf,
    router: ChunkRouter,
    /// By the number of the chunk.
    chunks: Vec<Chunk>,
}

/// One time chunk.
pub(super) struct Chunk {
    pub(super) interval: Interval,
    pub(super) partitions: Vec<Partition>,
}

/// Rows of one segment to be.
pub(super) struct Partition {
    pub(super) sink: Sink,
    events: usize,
}

impl Chunks {
    pub(super) fn new(
        schema: Arc<DataSchema>,
        dimensions: &[DimensionSchema],
        tuning: &TuningConfig,
        options: &RealtimeOptions,
        folder: &Path,
    ) -> Self {
        let max_bytes = tuning.max_bytes_in_memory.unwrap_or(u64::MAX);
        let limits = IndexLimits {
            max_rows: tuning
                .max_rows_in_memory
                .map_or(options.max_rows_in_memory, |rows| rows as usize)
                .min(options.max_rows_in_memory * 2),
            max_bytes: (max_bytes as usize)
                .min(options.max_bytes_in_memory * 2)
                .min(options.max_load_bytes),
        };
        Self {
            columns: Arc::new(index_schema(&schema, dimensions)),
            declared: dimensions.len(),
            router: ChunkRouter::new(
                schema.granularity_spec.segment_granularity.clone(),
                options.max_open_chunks,
            ),
            schema,
            limits,
            max_rows_per_segment: tuning.max_rows_per_segment as usize,
            options: options.clone(),
            folder: folder.to_owned(),
            chunks: Vec::new(),
        }
    }

    /// How parts and segments are written.
    pub(super) fn files(&self) -> PartFiles {
        let options = RealtimeOptions { spill_dir: self.folder.clone(), ..self.options.clone() };
        PartFiles::new(&self.columns, &self.schema.projections, &options)
    }

    /// Writes indexes to parts when all together take too much memory.
    pub(super) fn relieve(&self) -> Result<()> {
        let sinks = || self.chunks.iter().flat_map(|c| &c.partitions).map(|p| &p.sink);
        let (rows, bytes) = sinks()
            .map(Sink::in_memory)
            .fold((0, 0), |(rows, bytes), (r, b)| (rows + r, bytes + b));
        if rows < self.limits.max_rows && bytes < self.limits.max_bytes {
            return Ok(());
        }
        let files = self.files();
        for sink in sinks() {
            if let Some(frozen) = sink.freeze()? {
                sink.persist(&frozen, &files)?;
            }
        }
        Ok(())
    }

    /// All chunks, by time.
    pub(super) fn take_chunks(&mut self) -> Vec<Chunk> {
        self.router.clear();
        let mut chunks = std::mem::take(&mut self.chunks);
        chunks.sort_unstable_by_key(|chunk| chunk.interval.start_ms);
        chunks
    }

    /// The partition of a chunk that takes rows.
    fn partition(&mut self, number: usize) -> Result<&mut Partition, RowError> {
        // A chunk is met with its first row, so there is at most one without a place.
        if number == self.chunks.len() {
            let interval = self.router.chunks()[number];
            self.chunks.push(Chunk { interval, partitions: Vec::new() });
        }
        let chunk = &self.chunks[number];
        if chunk.partitions.last().is_none_or(|last| last.events >= self.max_rows_per_segment) {
            let partition = self.new_partition(chunk.interval, chunk.partitions.len() as u32)?;
            self.chunks[number].partitions.push(partition);
        }
        self.chunks[number]
            .partitions
            .last_mut()
            .ok_or_else(|| RowError::Stop("a chunk without partitions".into()))
    }

    /// Writes what the partition that takes rows has frozen, although the last row may have filled it.
    fn persist(&self, number: usize, frozen: &FrozenIndex) -> Result<(), RowError> {
        let Some(last) = self.chunks[number].partitions.last() else { return Ok(()) };
        let persisted = last.sink.persist(frozen, &self.files());
        persisted.map_err(|error| RowError::Stop(error.to_string()))
    }

    /// The identity is a stand-in: the real one is known once everything is read.
    fn new_partition(&self, interval: Interval, number: u32) -> Result<Partition, RowError> {
        let id = SegmentId {
            datasource: self.schema.data_source.as_str().into(),
            interval,
            version: Version(0),
            partition: number,
        };
        let target = PendingSegment { id, shard_spec: ShardSpec::appended(number) };
        let columns = Arc::clone(&self.columns);
        // A task writes its indexes to disk by its own limits.
        let account = MemoryAccount::unbounded();
        let sink = Sink::new(target, columns, self.declared, self.limits, &account)
            .map_err(|error| RowError::Stop(error.to_string()))?;
        Ok(Partition { sink, events: 0 })
    }
}

impl RowSink for Chunks {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        let chunk = self.router.route(timestamp_ms).map_err(RowError::Reject)?;
        let partition = self.partition(chunk)?;
        match partition.sink.add(timestamp_ms, values) {
            Ok(frozen) => {
                partition.events += 1;
                frozen.map_or(Ok(()), |frozen| self.persist(chunk, &frozen))
            }
            Err(error) if error.class() == ErrorClass::InvalidInput => {
                Err(RowError::Reject(RejectReason::Index { message: error.to_string() }))
            }
            Err(error) => Err(RowError::Stop(error.to_string())),
        }
    }

    fn rejected(&mut self, _: Rejection<'_>) {}

    fn new_dimension(&mut self, dimension: &DimensionSchema) {
        let mut wider = IndexSchema::clone(&self.columns);
        wider.dimensions.push(dimension.clone());
        self.columns = Arc::new(wider);
        for partition in self.chunks.iter().flat_map(|chunk| &chunk.partitions) {
            partition.sink.widen(&self.columns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn chunks(folder: &Path, max_open_chunks: usize) -> Chunks {
        let schema = br#"{"dataSource": "d", "timestampSpec": {"column": "t"},
            "metricsSpec": [{"type": "count", "name": "count"}],
            "granularitySpec": {"segmentGranularity": "hour", "rollup": false}}"#;
        let tuning = TuningConfig {
            max_rows_in_memory: Some(2),
            max_rows_per_segment: 3,
            ..TuningConfig::default()
        };
        let options = RealtimeOptions { max_open_chunks, ..RealtimeOptions::under(folder) };
        let schema = Arc::new(DataSchema::parse(schema).unwrap());
        Chunks::new(schema, &[], &tuning, &options, folder)
    }

    fn add(chunks: &mut Chunks, times_ms: impl IntoIterator<Item = i64>) {
        for time in times_ms {
            chunks.row(time, &[ValueRef::Null]).unwrap();
        }
    }

    /// The rows of each view of each partition.
    fn rows(chunk: &Chunk) -> Vec<Vec<usize>> {
        let views = |partition: &Partition| {
            partition.sink.views().iter().map(|view| view.row_count()).collect()
        };
        chunk.partitions.iter().map(views).collect()
    }

    #[test]
    fn a_full_index_is_replaced_and_nothing_is_lost_or_doubled() {
        let folder = tempfile::tempdir().unwrap();
        let mut chunks = chunks(folder.path(), 10);
        // The third row both writes the two before it to disk and fills its segment.
        add(&mut chunks, 0..3);
        assert_eq!(rows(&chunks.chunks[0]), [[2, 1]]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(chunks.chunks[0].partitions[0].sink.in_memory().0, 1);
        add(&mut chunks, 3..10);
        let taken = chunks.take_chunks();
        assert_eq!(rows(&taken[0]), [vec![2, 1], vec![2, 1], vec![2, 1], vec![1]]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn h_26_open_chunks_are_limited_and_come_by_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut chunks = chunks(folder.path(), 2);
        add(&mut chunks, [HOUR_MS, 0, HOUR_MS + 1, 1]);
        let refused = chunks.row(2 * HOUR_MS, &[ValueRef::Null]);
        let too_many = RejectReason::TooManyChunks { open: 2 };
        assert_eq!(refused, Err(RowError::Reject(too_many)));
        let taken = chunks.take_chunks();
        let starts: Vec<i64> = taken.iter().map(|chunk| chunk.interval.start_ms).collect();
        assert_eq!(starts, [0, HOUR_MS]);
        assert_eq!(taken.iter().map(rows).collect::<Vec<_>>(), [[[2]], [[2]]]);
    }
}
