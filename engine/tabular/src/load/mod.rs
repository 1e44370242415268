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
use henge_ingest::{RejectReason, RowError, auto_long_ms};
use henge_types::{Granularity, Interval, ValueRef};

pub use segment::SortedChunk;

use crate::batch::{BatchColumn, ColumnBatch, Values};
use column::{Data, TextMemo, fits};

/// A chunk that this many batches have passed by is taken to be complete.
const BATCHES_TO_PASS: usize = 4;

/// How rows become chunks.
#[derive(Debug, Clone)]
pub struct LoadOptions {
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
    query_granularity: Granularity,
}

/// Takes rows and batches.
#[derive(Debug)]
pub struct ColumnLoader {
    options: LoadOptions,
    dimensions: Vec<DimensionSchema>,
    open: BTreeMap<i64, ChunkRows>,
    /// Chunks that were handed out, by start.
    closed: BTreeMap<i64, Interval>,
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
            options,
            dimensions: dimensions.to_vec(),
            open: BTreeMap::new(),
            closed: BTreeMap::new(),
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
        let Some(runs) = self.runs(&times) else { return false };
        // What became of a batch's texts is known for one chunk at a time.
        let mut memos: Vec<TextMemo> = Vec::new();
        let mut memo_chunk = None;
        for (interval, rows) in runs {
            if memo_chunk != Some(interval) {
                memos = columns.iter().map(|_| TextMemo::default()).collect();
                memo_chunk = Some(interval);
            }
            let chunk = open(&mut self.open, &self.dimensions, &self.options, interval);
            chunk.extend(&times, &columns, rows, &mut memos);
        }
        true
    }

    /// Adds a row: one value a dimension.
    ///
    /// # Errors
    /// When its time chunk would be one too many.
    pub fn add_row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        let known = self.open.range(..=timestamp_ms).next_back();
        let known = known.map(|(_, chunk)| chunk.interval).filter(|i| i.contains(timestamp_ms));
        let interval =
            known.unwrap_or_else(|| self.options.segment_granularity.bucket(timestamp_ms));
        if known.is_none() && !self.may_open(interval) {
            let open = self.chunk_count();
            return Err(RowError::Reject(RejectReason::TooManyChunks { open }));
        }
        self.see(timestamp_ms, timestamp_ms);
        open(&mut self.open, &self.dimensions, &self.options, interval).push(timestamp_ms, values);
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
            let starts: Vec<i64> =
                self.open.iter().filter(|(_, chunk)| done(chunk)).map(|(s, _)| *s).collect();
            ready.extend(starts.into_iter().filter_map(|start| self.close(start)));
        }
        let mut open_bytes: usize = self.open.values().map(ChunkRows::memory_bytes).sum();
        while open_bytes > self.options.max_open_bytes {
            let largest = self.open.iter().max_by_key(|(_, chunk)| chunk.memory_bytes());
            let Some((start, bytes)) = largest.map(|(s, chunk)| (*s, chunk.memory_bytes())) else {
                break;
            };
            open_bytes -= bytes;
            ready.extend(self.close(start));
        }
        ready
    }

    /// All chunks that are left.
    #[must_use]
    pub fn finish(&mut self) -> Vec<ChunkRows> {
        std::mem::take(&mut self.open).into_values().collect()
    }

    fn close(&mut self, start_ms: i64) -> Option<ChunkRows> {
        let chunk = self.open.remove(&start_ms)?;
        self.closed.insert(start_ms, chunk.interval);
        Some(chunk)
    }

    fn see(&mut self, first: i64, last: i64) {
        let (low, high) = self.current.get_or_insert((first, last));
        (*low, *high) = ((*low).min(first), (*high).max(last));
    }

    fn chunk_count(&self) -> usize {
        let reopened = self.open.keys().filter(|start| self.closed.contains_key(start)).count();
        self.open.len() + self.closed.len() - reopened
    }

    fn may_open(&self, interval: Interval) -> bool {
        self.open.contains_key(&interval.start_ms)
            || self.closed.contains_key(&interval.start_ms)
            || self.chunk_count() < self.options.max_chunks
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

    /// Stretches of rows of one chunk; `None` when there are too many chunks.
    fn runs(&mut self, times: &[i64]) -> Option<Vec<(Interval, Range<usize>)>> {
        let mut runs: Vec<(Interval, Range<usize>)> = Vec::new();
        let mut start = 0;
        while let Some(first) = times.get(start) {
            let known = runs.iter().rev().take(16).map(|(interval, _)| *interval);
            let known = known.into_iter().find(|interval| interval.contains(*first));
            let interval = known.unwrap_or_else(|| self.options.segment_granularity.bucket(*first));
            let rest = &times[start..];
            let length = rest.iter().position(|time| !interval.contains(*time));
            let end = start + length.unwrap_or(rest.len());
            runs.push((interval, start..end));
            start = end;
        }
        let mut new: Vec<i64> = runs.iter().map(|(interval, _)| interval.start_ms).collect();
        new.sort_unstable();
        new.dedup();
        new.retain(|s| !self.open.contains_key(s) && !self.closed.contains_key(s));
        if self.chunk_count() + new.len() > self.options.max_chunks {
            return None;
        }
        if let Some((first, last)) = times.iter().min().zip(times.iter().max()) {
            self.see(*first, *last);
        }
        Some(runs)
    }
}

/// The chunk of an interval.
fn open<'a>(
    chunks: &'a mut BTreeMap<i64, ChunkRows>,
    dimensions: &[DimensionSchema],
    options: &LoadOptions,
    interval: Interval,
) -> &'a mut ChunkRows {
    chunks.entry(interval.start_ms).or_insert_with(|| ChunkRows {
        interval,
        times: Vec::new(),
        dimensions: dimensions.to_vec(),
        columns: dimensions.iter().map(|schema| Data::new(&schema.column_type)).collect(),
        query_granularity: options.query_granularity.clone(),
    })
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
