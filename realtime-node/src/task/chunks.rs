//! The time chunks of a task: each a list of partitions, the last of which takes rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use henge_index::{DimensionSchema, IndexLimits, IndexSchema};
use henge_ingest::{RejectReason, Rejection, RowError, RowSink, index_schema};
use henge_platform::metadata::PendingSegment;
use henge_platform::runtime::MemoryAccount;
use henge_query::ingest::{DataSchema, TuningConfig};
use henge_types::{ErrorClass, Interval, SegmentId, ShardSpec, ValueRef, Version};

use crate::error::Result;
use crate::options::RealtimeOptions;
use crate::sink::{PartFiles, Sink};

/// What a task has read so far.
pub(super) struct Chunks {
    schema: Arc<DataSchema>,
    /// The columns of all sinks; those from `declared` on were discovered.
    columns: Arc<IndexSchema>,
    declared: usize,
    limits: IndexLimits,
    max_rows_per_segment: usize,
    max_chunks: usize,
    options: RealtimeOptions,
    folder: PathBuf,
    chunks: BTreeMap<i64, Chunk>,
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
            schema,
            limits,
            max_rows_per_segment: tuning.max_rows_per_segment as usize,
            max_chunks: options.max_open_chunks,
            options: options.clone(),
            folder: folder.to_owned(),
            chunks: BTreeMap::new(),
        }
    }

    /// How parts and segments are written.
    pub(super) fn files(&self) -> PartFiles {
        let options = RealtimeOptions { spill_dir: self.folder.clone(), ..self.options.clone() };
        PartFiles::new(&self.columns, &self.schema.projections, &options)
    }

    /// Writes indexes to parts when all together take too much memory.
    pub(super) fn relieve(&self) -> Result<()> {
        let sinks = || self.chunks.values().flat_map(|c| &c.partitions).map(|p| &p.sink);
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
        std::mem::take(&mut self.chunks).into_values().collect()
    }

    fn partition(&mut self, timestamp_ms: i64) -> Result<&mut Partition, RowError> {
        let at = self.chunks.range(..=timestamp_ms).next_back();
        let start_ms = match at.filter(|(_, chunk)| chunk.interval.contains(timestamp_ms)) {
            Some((start_ms, _)) => *start_ms,
            None => self.open(timestamp_ms)?,
        };
        let max_rows = self.max_rows_per_segment;
        let number = match self.chunks.get(&start_ms).and_then(|chunk| chunk.partitions.last()) {
            Some(last) if last.events < max_rows => None,
            _ => Some(self.chunks.get(&start_ms).map_or(0, |chunk| chunk.partitions.len())),
        };
        if let Some(number) = number {
            let partition = self.new_partition(start_ms, number as u32)?;
            if let Some(chunk) = self.chunks.get_mut(&start_ms) {
                chunk.partitions.push(partition);
            }
        }
        self.chunks
            .get_mut(&start_ms)
            .and_then(|chunk| chunk.partitions.last_mut())
            .ok_or_else(|| RowError::Stop("a chunk without partitions".into()))
    }

    fn open(&mut self, timestamp_ms: i64) -> Result<i64, RowError> {
        if self.chunks.len() >= self.max_chunks {
            let open = self.chunks.len();
            return Err(RowError::Reject(RejectReason::TooManyChunks { open }));
        }
        let interval = self.schema.granularity_spec.segment_granularity.bucket(timestamp_ms);
        self.chunks.insert(interval.start_ms, Chunk { interval, partitions: Vec::new() });
        Ok(interval.start_ms)
    }

    /// The identity is a stand-in: the real one is known once everything is read.
    fn new_partition(&self, start_ms: i64, number: u32) -> Result<Partition, RowError> {
        let interval = self.chunks.get(&start_ms).map_or(Interval::ETERNITY, |c| c.interval);
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
        let partition = self.partition(timestamp_ms)?;
        let added = partition.sink.add(timestamp_ms, values);
        partition.events += usize::from(added.is_ok());
        match added {
            Ok(None) => Ok(()),
            Ok(Some(frozen)) => {
                let files = self.files();
                let partition = self.partition(timestamp_ms)?;
                let persisted = partition.sink.persist(&frozen, &files);
                persisted.map_err(|error| RowError::Stop(error.to_string()))
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
        for partition in self.chunks.values().flat_map(|chunk| &chunk.partitions) {
            partition.sink.widen(&self.columns);
        }
    }
}
