//! [`ColumnLoader`]: rows and batches of columns into the time chunks they fall into, and chunks
//! into segments. For datasources without roll-up and metrics, where a row of the input is a row of
//! the segment.

mod column;
mod interner;
mod order;
mod segment;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use henge_index::DimensionSchema;
use henge_ingest::{ChunkRouter, RowError, auto_long_ms};
use henge_types::{Granularity, Interval, ValueRef};

pub use segment::SortedChunk;

use crate::batch::{BatchColumn, ColumnBatch, Values};
use column::{Data, TextMemo, fits};

/// A chunk that this many batches have passed by is taken to be complete.
const BATCHES_TO_PASS: usize = 4;

/// How rows become chunks.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Names of the dimensions that rows are sorted by before the time, in order.
    pub before_time: Vec<String>,
    /// Time chunks.
    pub segment_granularity: Granularity,
    /// What timestamps are truncated to, but never to before their chunk.
    pub query_granularity: Granularity,
    /// Timestamps that are taken: from, and (exclusive) to.
    pub time_window: (i64, i64),
    /// Bytes of one text.
    pub max_text_bytes: usize,
    /// Bytes of all chunks that still grow.
    pub max_open_bytes: usize,
    /// Chunks in all; rows of more are refused.
    pub max_chunks: usize,
}

/// Units of numeric timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Whatever each number looks like.
    Auto,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// Which columns of a batch become what.
#[derive(Debug, Clone)]
pub struct BatchPlan {
    /// The position of the column of timestamps.
    pub time: usize,
    /// Their unit.
    pub unit: TimeUnit,
    /// The position of each dimension's column, in the order of the loader's dimensions.
    pub dimensions: Vec<usize>,
}

/// The rows of one time chunk.
#[derive(Debug)]
pub struct ChunkRows {
    interval: Interval,
    times: Vec<i64>,
    dimensions: Vec<DimensionSchema>,
    columns: Vec<Data>,
    before_time: Vec<String>,
    query_granularity: Granularity,
}

/// Takes rows and batches.
#[derive(Debug)]
pub struct ColumnLoader {
    options: LoadOptions,
    dimensions: Vec<DimensionSchema>,
    router: ChunkRouter,
    /// Chunks that were not handed out, by their number.
    open: BTreeMap<usize, ChunkRows>,
    /// First and last timestamps of the latest batches.
    recent: VecDeque<(i64, i64)>,
    /// Of the rows since the last look.
    current: Option<(i64, i64)>,
}

impl ColumnLoader {
    /// An empty loader for rows with these dimensions.
    #[must_use]
    pub fn new(options: LoadOptions, dimensions: &[DimensionSchema]) -> Self {
        Self {
            router: ChunkRouter::new(options.segment_granularity.clone(), options.max_chunks),
            options,
            dimensions: dimensions.to_vec(),
            open: BTreeMap::new(),
            recent: VecDeque::new(),
            current: None,
        }
    }

    /// The dimensions of rows.
    #[must_use]
    pub fn dimensions(&self) -> &[DimensionSchema] {
        &self.dimensions
    }

    /// Adds a dimension behind the others; rows so far are null there.
    pub fn add_dimension(&mut self, dimension: &DimensionSchema) {
        self.dimensions.push(dimension.clone());
        for chunk in self.open.values_mut() {
            chunk.widen(&self.dimensions);
        }
    }

    /// Takes a batch column by column. False when some row needs a closer look, so that the batch has
    /// to be taken row by row: then nothing was taken.
    pub fn add_batch(&mut self, batch: &ColumnBatch, plan: &BatchPlan) -> bool {
        let Some(times) = self.times_of(batch, plan) else { return false };
        let columns: Option<Vec<&BatchColumn>> =
            plan.dimensions.iter().map(|position| batch.columns.get(*position)).collect();
        let Some(columns) = columns.filter(|columns| columns.len() == self.dimensions.len()) else {
            return false;
        };
        let max_text_bytes = self.options.max_text_bytes;
        let mut fitting = columns.iter().zip(&self.dimensions);
        if !fitting.all(|(column, schema)| fits(column, &schema.column_type, max_text_bytes)) {
            return false;
        }
        let Ok(runs) = self.router.runs(&times) else { return false };
        if let Some((first, last)) = times.iter().min().zip(times.iter().max()) {
            self.see(*first, *last);
        }
        // What became of a batch's texts is known for one chunk at a time.
        let mut memos: Vec<TextMemo> = Vec::new();
        let mut memo_chunk = None;
        for (number, rows) in runs {
            if memo_chunk != Some(number) {
                memos = columns.iter().map(|_| TextMemo::default()).collect();
                memo_chunk = Some(number);
            }
            self.chunk(number).extend(&times, &columns, rows, &mut memos);
        }
        true
    }

    /// Adds a row: one value a dimension.
    ///
    /// # Errors
    /// When its time chunk would be one too many.
    pub fn add_row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        let number = self.router.route(timestamp_ms).map_err(RowError::Reject)?;
        self.see(timestamp_ms, timestamp_ms);
        self.chunk(number).push(timestamp_ms, values);
        Ok(())
    }

    /// Chunks that will get no more rows, or have to make room. `upcoming` is the range of the
    /// timestamps that are still to come, if that is known. To be called after each batch.
    pub fn take_ready(&mut self, upcoming: Option<(i64, i64)>) -> Vec<ChunkRows> {
        if let Some(current) = self.current.take() {
            self.recent.push_back(current);
            if self.recent.len() > BATCHES_TO_PASS {
                self.recent.pop_front();
            }
        }
        let passed = || {
            let first = self.recent.iter().map(|(first, _)| *first).min()?;
            let last = self.recent.iter().map(|(_, last)| *last).max()?;
            (self.recent.len() == BATCHES_TO_PASS).then_some((first, last))
        };
        let mut ready = Vec::new();
        if let Some((first, last)) = upcoming.or_else(passed) {
            let done = |chunk: &ChunkRows| {
                first > last || chunk.interval.end_ms <= first || chunk.interval.start_ms > last
            };
            let numbers: Vec<usize> =
                self.open.iter().filter(|(_, chunk)| done(chunk)).map(|(n, _)| *n).collect();
            ready.extend(numbers.iter().filter_map(|number| self.open.remove(number)));
            ready.sort_unstable_by_key(|chunk: &ChunkRows| chunk.interval.start_ms);
        }
        let mut open_bytes: usize = self.open.values().map(ChunkRows::memory_bytes).sum();
        while open_bytes > self.options.max_open_bytes {
            let largest = self.open.iter().max_by_key(|(_, chunk)| chunk.memory_bytes());
            let Some((number, bytes)) = largest.map(|(n, chunk)| (*n, chunk.memory_bytes())) else {
                break;
            };
            open_bytes -= bytes;
            ready.extend(self.open.remove(&number));
        }
        ready
    }

    /// All chunks that are left, by time.
    #[must_use]
    pub fn finish(&mut self) -> Vec<ChunkRows> {
        let mut left: Vec<_> = std::mem::take(&mut self.open).into_values().collect();
        left.sort_unstable_by_key(|chunk| chunk.interval.start_ms);
        left
    }

    fn see(&mut self, first: i64, last: i64) {
        let (low, high) = self.current.get_or_insert((first, last));
        (*low, *high) = ((*low).min(first), (*high).max(last));
    }

    /// The rows of a chunk that was met.
    fn chunk(&mut self, number: usize) -> &mut ChunkRows {
        self.open.entry(number).or_insert_with(|| ChunkRows {
            interval: self.router.chunks()[number],
            times: Vec::new(),
            dimensions: self.dimensions.clone(),
            columns: self.dimensions.iter().map(|schema| Data::new(&schema.column_type)).collect(),
            before_time: self.options.before_time.clone(),
            query_granularity: self.options.query_granularity.clone(),
        })
    }

    /// The timestamps of a batch in milliseconds; `None` when one is missing or is not taken.
    fn times_of(&self, batch: &ColumnBatch, plan: &BatchPlan) -> Option<Vec<i64>> {
        let column = batch.columns.get(plan.time)?;
        let (Values::Long(values), None) = (&column.values, &column.nulls) else { return None };
        let convert = |value: i64| match plan.unit {
            TimeUnit::Auto => Some(auto_long_ms(value)),
            TimeUnit::Millis => Some(value),
            TimeUnit::Seconds => value.checked_mul(1_000),
            TimeUnit::Micros => Some(value.div_euclid(1_000)),
            TimeUnit::Nanos => Some(value.div_euclid(1_000_000)),
        };
        let (from, to) = self.options.time_window;
        let taken = |value: &i64| convert(*value).filter(|time| (from..to).contains(time));
        values.iter().map(taken).collect()
    }
}

impl ChunkRows {
    /// The time chunk.
    #[must_use]
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// Bytes it takes in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        8 * self.times.len() + self.columns.iter().map(Data::memory_bytes).sum::<usize>()
    }

    fn widen(&mut self, dimensions: &[DimensionSchema]) {
        for schema in &dimensions[self.dimensions.len()..] {
            let mut data = Data::new(&schema.column_type);
            data.extend_null(self.times.len());
            self.columns.push(data);
            self.dimensions.push(schema.clone());
        }
    }

    fn push(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) {
        self.times.push(timestamp_ms);
        for (at, (data, schema)) in self.columns.iter_mut().zip(&self.dimensions).enumerate() {
            data.push(values.get(at).unwrap_or(&ValueRef::Null), schema);
        }
    }

    fn extend(
        &mut self,
        times: &[i64],
        columns: &[&BatchColumn],
        rows: Range<usize>,
        memos: &mut [TextMemo],
    ) {
        self.times.extend_from_slice(&times[rows.clone()]);
        for ((data, column), memo) in self.columns.iter_mut().zip(columns).zip(memos) {
            data.extend(column, rows.clone(), memo);
        }
    }
}
