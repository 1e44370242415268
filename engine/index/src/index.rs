//! The writer.

mod add_rows;
mod take_snapshot;

use std::sync::Arc;

use henge_segment::metric::Event;
use henge_types::{Granularity, ValueRef};

use crate::chunked::PIECE_ROWS;
use crate::dimension::{Cell, Dimension};
use crate::error::{IndexError, Result};
use crate::metric::Metric;
use crate::numeric::GrowingNumeric;
use crate::rollup::{KeyBuilder, RowKeys};
use crate::schema::{DimensionSchema, IndexLimits, IndexSchema};
use crate::snapshot::IndexSnapshot;
use crate::string_dimension::RowScratch;

/// Row numbers have 32 bits.
const MAX_ROWS: usize = u32::MAX as usize;
/// Keeps the numbers of values, lists and key words within 31 bits: each costs four bytes or more.
const MAX_BYTES: usize = 8 << 30;
/// What a column costs before it has rows.
const COLUMN_OVERHEAD_BYTES: usize = 1_024;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddOutcome {
    /// It is a new row.
    Appended,
    /// It was rolled up into an existing row.
    RolledUp,
    /// The index is full and nothing was added: persist it, start another, and add the row there.
    Full,
}

/// The write-optimised index. One writer; readers take snapshots.
#[derive(Debug)]
pub struct WriteIndex {
    /// Shared by all indexes of the same columns: there may be many, and columns may be many.
    schema: Arc<IndexSchema>,
    limits: IndexLimits,
    dimensions: Vec<Dimension>,
    /// Dimensions from here on were discovered: snapshots leave them out while no row has a value.
    declared: usize,
    /// Dimensions with values.
    begun: usize,
    metrics: Vec<Metric>,
    time: GrowingNumeric<i64>,
    row_keys: Option<RowKeys>,
    clock: Truncation,
    rows: usize,
    events: u64,
    time_range: Option<(i64, i64)>,
    max_event_time_ms: Option<i64>,
    last_time_ms: i64,
    is_time_sorted: bool,
    /// Bytes of one row in all columns.
    row_bytes: usize,
    /// Bytes of dictionaries, lists and sketches.
    variable_bytes: usize,
    latest: Option<Arc<IndexSnapshot>>,
    cells: Vec<Cell>,
    key: KeyBuilder,
    scratch: RowScratch,
}

/// Truncates timestamps, remembering the bucket of the latest.
#[derive(Debug)]
struct Truncation {
    granularity: Granularity,
    min_time_ms: i64,
    start_ms: i64,
    end_ms: i64,
}

impl Truncation {
    #[inline]
    fn apply(&mut self, timestamp_ms: i64) -> i64 {
        if !(self.start_ms..self.end_ms).contains(&timestamp_ms) {
            self.start_ms = self.granularity.bucket_start(timestamp_ms);
            self.end_ms = self.granularity.next_bucket(self.start_ms);
        }
        self.start_ms.max(self.min_time_ms)
    }
}

fn add_all(cells: &[Cell], key: &mut KeyBuilder) {
    cells.iter().for_each(|cell| cell.add_to(key));
}

impl WriteIndex {
    /// An empty index.
    ///
    /// # Errors
    /// [`IndexError::Schema`] and [`IndexError::Sketch`] name the column that is not possible.
    pub fn new(schema: impl Into<Arc<IndexSchema>>, limits: IndexLimits) -> Result<Self> {
        let schema = schema.into();
        schema.validate()?;
        let dimensions: Vec<Dimension> = schema.dimensions.iter().map(Dimension::new).collect();
        let metrics =
            schema.metrics.iter().cloned().map(Metric::new).collect::<Result<Vec<Metric>>>()?;
        let row_bytes = size_of::<i64>() + metrics.iter().map(Metric::row_bytes).sum::<usize>();
        Ok(Self {
            limits: IndexLimits {
                max_rows: limits.max_rows.min(MAX_ROWS),
                max_bytes: limits.max_bytes.min(MAX_BYTES),
            },
            row_keys: schema.rollup.then(RowKeys::new),
            clock: Truncation {
                granularity: schema.query_granularity.clone(),
                min_time_ms: i64::MIN,
                start_ms: 0,
                end_ms: 0,
            },
            declared: dimensions.len(),
            begun: 0,
            schema,
            dimensions,
            metrics,
            time: GrowingNumeric::new(0),
            rows: 0,
            events: 0,
            time_range: None,
            max_event_time_ms: None,
            last_time_ms: i64::MIN,
            is_time_sorted: true,
            row_bytes,
            variable_bytes: 0,
            latest: None,
            cells: Vec::new(),
            key: KeyBuilder::default(),
            scratch: RowScratch::default(),
        })
    }

    /// Timestamps are truncated to this time at the earliest: the start of the segment's interval,
    /// which a bucket of the query granularity (`all`, or a week in a segment of a day) may precede.
    pub fn set_min_time_ms(&mut self, min_time_ms: i64) {
        self.clock.min_time_ms = min_time_ms;
    }

    /// Adds an event: one value a dimension, then one a metric's input (null for `count`). The
    /// timestamp is as it came; the index truncates it.
    ///
    /// # Errors
    /// When the row cannot be taken; then nothing was changed.
    pub fn add(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<AddOutcome> {
        let expected = self.dimensions.len() + self.metrics.len();
        if values.len() != expected {
            return Err(IndexError::Width { expected, actual: values.len() });
        }
        if self.is_full() {
            return Ok(AddOutcome::Full);
        }
        let (dimension_values, inputs) = values.split_at(self.dimensions.len());
        for (metric, input) in self.metrics.iter_mut().zip(inputs) {
            metric.prepare(input)?;
        }
        let time_ms = self.clock.apply(timestamp_ms);
        let is_known = self.resolve(dimension_values);
        let existing = if is_known { self.find_row(time_ms) } else { None };
        let existing = match existing {
            // Rows of one key are kept apart where a sum would have no place.
            Some(row) if !self.takes(row, inputs)? => None,
            existing => existing,
        };
        let outcome = match existing {
            Some(row) => {
                self.roll_up(row, timestamp_ms, inputs)?;
                AddOutcome::RolledUp
            }
            None => {
                self.append((timestamp_ms, time_ms), dimension_values, inputs)?;
                if let Some(keys) = &mut self.row_keys {
                    if !is_known {
                        let cells = &self.cells;
                        keys.build(&mut self.key, time_ms, |key| add_all(cells, key));
                    }
                    keys.push(&self.key);
                }
                AddOutcome::Appended
            }
        };
        self.events += 1;
        self.max_event_time_ms = self.max_event_time_ms.max(Some(timestamp_ms));
        self.latest = None;
        Ok(outcome)
    }

    /// Coerces and looks up the dimensions' values; true when the index knows them all.
    #[inline]
    fn resolve(&mut self, values: &[ValueRef<'_>]) -> bool {
        // All hashes first: then the look-ups, which wait for memory, overlap.
        self.cells.clear();
        for (dimension, value) in self.dimensions.iter_mut().zip(values) {
            if dimension.is_absent() && !matches!(value, ValueRef::Null) {
                // A column of nulls is what it was before: whatever becomes of the row.
                self.row_bytes += dimension.begin(self.rows);
                self.begun += 1;
            }
            self.cells.push(dimension.coerce(value));
        }
        let mut is_known = true;
        for ((dimension, value), cell) in self.dimensions.iter().zip(values).zip(&mut self.cells) {
            dimension.look_up(value, cell, &mut self.scratch);
            is_known &= !cell.is_new();
        }
        is_known
    }

    /// The row to roll up into, if rows are rolled up and there is one.
    #[inline]
    fn find_row(&mut self, time_ms: i64) -> Option<usize> {
        let keys = self.row_keys.as_ref()?;
        let cells = &self.cells;
        keys.build(&mut self.key, time_ms, |key| add_all(cells, key));
        keys.find(&self.key)
    }

    /// True when all metrics of a row take the inputs.
    #[inline]
    fn takes(&self, row: usize, inputs: &[ValueRef<'_>]) -> Result<bool> {
        let mut all = true;
        for (metric, input) in self.metrics.iter().zip(inputs) {
            all &= metric.takes(row, input)?;
        }
        Ok(all)
    }

    fn roll_up(&mut self, row: usize, event_ms: i64, inputs: &[ValueRef<'_>]) -> Result<()> {
        for (metric, input) in self.metrics.iter_mut().zip(inputs) {
            let event = Event { time_ms: event_ms, value: input };
            let (before, after) = metric.update(row, event)?;
            self.variable_bytes = (self.variable_bytes + after).saturating_sub(before);
        }
        Ok(())
    }

    /// Times are the event's own and the truncated one.
    fn append(
        &mut self,
        (event_ms, time_ms): (i64, i64),
        values: &[ValueRef<'_>],
        inputs: &[ValueRef<'_>],
    ) -> Result<()> {
        let row = self.rows;
        for ((dimension, value), cell) in
            self.dimensions.iter_mut().zip(values).zip(&mut self.cells)
        {
            self.variable_bytes += dimension.push(row, value, cell, &mut self.scratch);
        }
        self.push_metrics(row, event_ms, inputs)?;
        self.append_times(std::iter::once(time_ms));
        Ok(())
    }

    /// Adds a discovered dimension behind the others and answers its position. Earlier rows are
    /// null in it. A dimension that exists keeps its type and position.
    ///
    /// # Errors
    /// [`IndexError::Schema`] when a metric or the time column has that name.
    pub fn add_dimension(&mut self, dimension: DimensionSchema) -> Result<usize> {
        let known = self.schema.dimensions.iter().position(|known| known.name == dimension.name);
        if let Some(position) = known {
            return Ok(position);
        }
        let mut wider = IndexSchema::clone(&self.schema);
        wider.dimensions.push(dimension);
        wider.validate()?;
        self.widen(&Arc::new(wider));
        Ok(self.dimensions.len() - 1)
    }

    /// Takes over a schema that has more dimensions behind those known, and is valid
    /// ([`IndexSchema::validate`], once for all indexes that share it). They were discovered: earlier
    /// rows are null in them, and they cost next to nothing until a row has a value.
    pub fn widen(&mut self, schema: &Arc<IndexSchema>) {
        let new = schema.dimensions.get(self.dimensions.len()..).unwrap_or_default();
        if new.is_empty() {
            return;
        }
        self.dimensions.extend(new.iter().map(Dimension::new));
        self.schema = Arc::clone(schema);
        self.latest = None;
    }

    /// Only the first `declared` dimensions were declared; those behind were discovered, and are left
    /// out of snapshots while no row has a value.
    pub fn set_declared(&mut self, declared: usize) {
        self.declared = declared.min(self.dimensions.len());
    }

    /// The dimensions, discovered ones last.
    #[must_use]
    pub fn dimensions(&self) -> &[DimensionSchema] {
        &self.schema.dimensions
    }

    /// Rows, after roll-up.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows
    }

    /// Events added.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.events
    }

    /// Memory held by the writer, in bytes. What only old snapshots hold is not counted.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let allocated_rows = match self.rows {
            0 => 0,
            1..PIECE_ROWS => self.rows.next_power_of_two(),
            rows => rows.next_multiple_of(PIECE_ROWS),
        };
        (1 + self.begun + self.metrics.len()) * COLUMN_OVERHEAD_BYTES
            + self.dimensions.len() * size_of::<Dimension>()
            + allocated_rows * self.row_bytes
            + self.variable_bytes
            + self.row_keys.as_ref().map_or(0, RowKeys::memory_bytes)
    }

    /// True when no further row will be taken.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.rows >= self.limits.max_rows || self.memory_bytes() >= self.limits.max_bytes
    }

    /// The earliest truncated time.
    #[must_use]
    pub fn min_time_ms(&self) -> Option<i64> {
        self.time_range.map(|(min, _)| min)
    }

    /// The latest truncated time.
    #[must_use]
    pub fn max_time_ms(&self) -> Option<i64> {
        self.time_range.map(|(_, max)| max)
    }
}
