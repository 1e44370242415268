//! Parsed rows on their way to the sinks: kept until their log record is durable, in a few flat
//! buffers instead of many small allocations.

use henge_index::DimensionSchema;
use henge_ingest::{ChunkRouter, Rejection, RowError, RowSink};
use henge_platform::runtime::{Charge, MemoryAccount};
use henge_types::{Granularity, Interval, ValueRef};

use super::refusals::Refusals;
use crate::error::RealtimeError;

/// Bounds of one request's rows.
#[derive(Debug, Clone)]
pub(crate) struct RowLimits {
    /// Rows that would open more time chunks are refused.
    pub(crate) max_chunks: usize,
    /// Rows times columns, nulls included: what a request takes in time. Sparse events of a wide table
    /// may have few bytes each.
    pub(crate) max_values: u64,
    /// What the rows are charged to.
    pub(crate) account: MemoryAccount,
}

/// Parsed rows of one request.
#[derive(Debug)]
pub(crate) struct RowBuffer {
    router: ChunkRouter,
    limits: RowLimits,
    value_count: u64,
    rows: Vec<Row>,
    values: Vec<StoredValue>,
    elements: Vec<Option<Span>>,
    text: String,
    bytes: Vec<u8>,
    /// Refused events.
    pub(crate) refusals: Refusals,
    charge: Charge,
    /// Why no further row was taken.
    full: Option<RealtimeError>,
    /// Events that the filter left out.
    filtered: u64,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    timestamp_ms: i64,
    position: u64,
    chunk: usize,
    values_end: usize,
    /// Left out: an earlier life of the request refused it.
    is_void: bool,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy)]
enum StoredValue {
    /// So many nulls in a row: a sparse row of a wide table costs what it has.
    Nulls(usize),
    Long(i64),
    Double(f64),
    Text(Span),
    Multi(Span),
    Complex(Span),
}

impl RowBuffer {
    /// An empty buffer. It takes no row that finds a limit reached.
    #[must_use]
    pub(crate) fn new(granularity: Granularity, limits: RowLimits) -> Self {
        Self {
            router: ChunkRouter::new(granularity, limits.max_chunks),
            charge: limits.account.nothing(),
            limits,
            value_count: 0,
            rows: Vec::new(),
            values: Vec::new(),
            elements: Vec::new(),
            text: String::new(),
            bytes: Vec::new(),
            refusals: Refusals::default(),
            full: None,
            filtered: 0,
        }
    }

    /// No rows: something that is no event was refused.
    pub(super) fn refused(limits: RowLimits, reason: &str, raw: &[u8]) -> Self {
        let mut buffer = Self::new(Granularity::All, limits);
        buffer.refusals.add_whole(reason, raw);
        buffer
    }

    /// Why the buffer stopped taking rows, when it did.
    pub(crate) fn take_full(&mut self) -> Option<RealtimeError> {
        self.full.take()
    }

    fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>()
            + self.values.capacity() * size_of::<StoredValue>()
            + self.elements.capacity() * size_of::<Option<Span>>()
            + self.text.capacity()
            + self.bytes.capacity()
            + self.refusals.memory_bytes()
    }

    /// Charges what was added; most rows fit into room that is there already.
    fn charge_growth(&mut self) -> Result<(), RowError> {
        let bytes = self.memory_bytes();
        if bytes == self.charge.bytes() {
            return Ok(());
        }
        self.charge.set(bytes).map_err(|full| self.stop(full.into()))
    }

    fn stop(&mut self, reason: RealtimeError) -> RowError {
        let message = reason.to_string();
        self.full = Some(reason);
        RowError::Stop(message)
    }

    fn count_values(&mut self, count: usize) -> Result<(), RowError> {
        self.value_count += count as u64;
        let limit = self.limits.max_values;
        if self.value_count <= limit {
            return Ok(());
        }
        Err(self.stop(RealtimeError::TooLarge(format!(
            "the request has more than {limit} values, nulls included (rows times columns): send \
             smaller batches, or fewer columns"
        ))))
    }

    /// The earliest and the latest timestamp in milliseconds; `None` without rows.
    #[must_use]
    pub(crate) fn times_ms(&self) -> Option<(i64, i64)> {
        let times = || self.rows.iter().map(|row| row.timestamp_ms);
        times().min().zip(times().max())
    }

    /// The time chunks that the rows fall into.
    #[must_use]
    pub(crate) fn chunks(&self) -> &[Interval] {
        self.router.chunks()
    }

    /// Number of rows.
    #[must_use]
    pub(crate) fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// The positions of the events that became rows, in order.
    pub(crate) fn positions(&self) -> impl Iterator<Item = u64> {
        self.rows.iter().filter(|row| !row.is_void).map(|row| row.position)
    }

    /// Leaves out the rows of some events; gives how many.
    pub(crate) fn leave_out(&mut self, mut is_left_out: impl FnMut(u64) -> bool) -> u64 {
        let mut left_out = 0;
        for row in self.rows.iter_mut().filter(|row| !row.is_void) {
            row.is_void = is_left_out(row.position);
            left_out += u64::from(row.is_void);
        }
        left_out
    }

    /// Leaves out the rows of all other times, and the chunks that have none then: they are published.
    /// Gives how many rows.
    pub(crate) fn keep_times(&mut self, times: &[Interval]) -> usize {
        let mut left_out = 0;
        let mut has_rows = vec![false; self.router.chunks().len()];
        for row in self.rows.iter_mut().filter(|row| !row.is_void) {
            row.is_void = !times.iter().any(|times| times.contains(row.timestamp_ms));
            left_out += usize::from(row.is_void);
            has_rows[row.chunk] |= !row.is_void;
        }
        let moved = self.router.retain(|chunk| has_rows[chunk]);
        for row in &mut self.rows {
            row.chunk = moved[row.chunk].unwrap_or_default();
        }
        left_out
    }

    /// Calls `visit` with each row. Rows from before a dimension was discovered are given nulls, so
    /// that each has `dimensions + metrics` values.
    ///
    /// # Errors
    /// Whatever `visit` fails with; the rest is then not visited.
    pub(crate) fn for_each<E>(
        &self,
        dimensions: usize,
        metrics: usize,
        mut visit: impl FnMut(RowRef<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let text = |span: &Span| &self.text[span.start..span.end];
        let elements: Vec<Option<&str>> =
            self.elements.iter().map(|element| element.as_ref().map(text)).collect();
        let mut values = Vec::new();
        let mut start = 0;
        for row in &self.rows {
            values.clear();
            for value in &self.values[start..row.values_end] {
                values.push(match value {
                    StoredValue::Nulls(count) => {
                        values.resize(values.len() + count, ValueRef::Null);
                        continue;
                    }
                    StoredValue::Long(value) => ValueRef::Long(*value),
                    StoredValue::Double(value) => ValueRef::Double(*value),
                    StoredValue::Text(span) => ValueRef::String(text(span)),
                    StoredValue::Multi(span) => ValueRef::Multi(&elements[span.start..span.end]),
                    StoredValue::Complex(span) => {
                        ValueRef::Complex(&self.bytes[span.start..span.end])
                    }
                });
            }
            start = row.values_end;
            if row.is_void {
                continue;
            }
            let missing = (dimensions + metrics).saturating_sub(values.len());
            if missing > 0 {
                let at = values.len().saturating_sub(metrics);
                values.splice(at..at, std::iter::repeat_n(ValueRef::Null, missing));
            }
            visit(RowRef {
                position: row.position,
                chunk: row.chunk,
                timestamp_ms: row.timestamp_ms,
                values: &values,
            })?;
        }
        Ok(())
    }

    /// Stores a value of the row whose values begin at `start`.
    fn store(&mut self, value: ValueRef<'_>, start: usize) {
        let stored = match value {
            ValueRef::Null => match self.values[start..].last_mut() {
                Some(StoredValue::Nulls(count)) => {
                    *count += 1;
                    return;
                }
                _ => StoredValue::Nulls(1),
            },
            ValueRef::Long(value) => StoredValue::Long(value),
            ValueRef::Double(value) => StoredValue::Double(value),
            ValueRef::String(text) => StoredValue::Text(self.store_text(text)),
            ValueRef::Complex(bytes) => StoredValue::Complex(self.store_bytes(bytes)),
            ValueRef::Multi(elements) => {
                let start = self.elements.len();
                for element in elements {
                    let span = element.map(|text| self.store_text(text));
                    self.elements.push(span);
                }
                StoredValue::Multi(Span { start, end: self.elements.len() })
            }
        };
        self.values.push(stored);
    }

    fn store_bytes(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Span { start, end: self.bytes.len() }
    }

    fn store_text(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        Span { start, end: self.text.len() }
    }
}

/// A buffered row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowRef<'a> {
    /// Index of its event in the request.
    pub(crate) position: u64,
    /// Index of its chunk in [`RowBuffer::chunks`].
    pub(crate) chunk: usize,
    /// Timestamp, as it came.
    pub(crate) timestamp_ms: i64,
    /// One a dimension, then one a metric.
    pub(crate) values: &'a [ValueRef<'a>],
}

impl RowSink for RowBuffer {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        let position = self.rows.len() as u64 + self.refusals.count() + self.filtered;
        let chunk = self.router.route(timestamp_ms).map_err(RowError::Reject)?;
        self.count_values(values.len())?;
        let start = self.values.len();
        for value in values {
            self.store(*value, start);
        }
        let values_end = self.values.len();
        self.rows.push(Row { timestamp_ms, position, chunk, values_end, is_void: false });
        self.charge_growth()
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        self.refusals.add(&rejection);
    }

    /// The parser is asked for all of them once the request is parsed.
    fn new_dimension(&mut self, _: &DimensionSchema) {}

    fn filtered(&mut self) {
        self.filtered += 1;
    }

    fn restart(&mut self, _: &[DimensionSchema]) -> Result<(), RowError> {
        self.rows.clear();
        self.value_count = 0;
        self.values.clear();
        self.elements.clear();
        self.text.clear();
        self.bytes.clear();
        self.router.clear();
        self.refusals = Refusals::default();
        self.filtered = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn buffer(account: &MemoryAccount) -> RowBuffer {
        let account = account.clone();
        let limits = RowLimits { max_chunks: 10, max_values: 10_000_000, account };
        RowBuffer::new(Granularity::All, limits)
    }

    #[test]
    fn h_07_sparse_rows_of_a_wide_table_cost_what_they_have() {
        let account = MemoryAccount::root("requests", "memory.requests_bytes", 1 << 20);
        let mut buffer = buffer(&account);
        let mut values = vec![ValueRef::Null; 2_001];
        for number in 0..2_000 {
            values[number] = ValueRef::String("x");
            values[2_000] = ValueRef::Long(number as i64);
            buffer.row(number as i64, &values).unwrap();
            values[number] = ValueRef::Null;
        }
        let mut seen = 0;
        let Ok(()) = buffer.for_each(2_002, 1, |row| {
            let expected = |at| match at {
                at if at == seen => ValueRef::String("x"),
                2_002 => ValueRef::Long(seen as i64),
                _ => ValueRef::Null,
            };
            assert_eq!(row.values.len(), 2_003);
            assert!((0..2_003).all(|at| row.values[at] == expected(at)), "{seen}");
            seen += 1;
            Ok::<(), Infallible>(())
        });
        assert_eq!(seen, 2_000);
    }

    #[test]
    fn i_11_a_buffer_stops_at_its_account_and_gives_back_what_it_held() {
        let account = MemoryAccount::root("requests", "memory.requests_bytes", 100_000);
        let mut buffer = buffer(&account);
        let values = [ValueRef::String("0123456789"), ValueRef::Null, ValueRef::Long(1)];
        let outcome = (0..100_000).try_for_each(|time| buffer.row(time, &values));
        assert!(matches!(outcome, Err(RowError::Stop(_))), "{outcome:?}");
        assert!(buffer.row_count() > 100);
        let full = buffer.take_full().unwrap();
        assert!(full.to_string().contains("memory.requests_bytes"), "{full}");
        assert!(account.used_bytes() > 50_000);
        drop(buffer);
        assert_eq!(account.used_bytes(), 0);
    }

    #[test]
    fn h_07_rows_times_columns_are_bounded() {
        let mut buffer = buffer(&MemoryAccount::unbounded());
        let values = vec![ValueRef::Null; 10_000];
        let outcome = (0..2_000).try_for_each(|time| buffer.row(time, &values));
        assert!(matches!(outcome, Err(RowError::Stop(_))), "{outcome:?}");
        assert_eq!(buffer.row_count(), 1_000);
        let full = buffer.take_full().unwrap();
        assert_eq!(full.class(), henge_types::ErrorClass::ResourceLimit);
    }
}
