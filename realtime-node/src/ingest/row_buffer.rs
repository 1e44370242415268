//! Parsed rows on their way to the sinks: kept by column until their log record is durable.

use henge_index::{DimensionSchema, RowBatch};
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
    /// The values of the rows.
    batch: RowBatch,
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
    position: u64,
    chunk: usize,
    /// Left out: an earlier life of the request refused it.
    is_void: bool,
}

impl RowBuffer {
    /// An empty buffer for rows with so many metrics. It takes no row that finds a limit reached.
    #[must_use]
    pub(crate) fn new(granularity: Granularity, metrics: usize, limits: RowLimits) -> Self {
        Self {
            router: ChunkRouter::new(granularity, limits.max_chunks),
            charge: limits.account.nothing(),
            limits,
            value_count: 0,
            rows: Vec::new(),
            batch: RowBatch::new(metrics),
            refusals: Refusals::default(),
            full: None,
            filtered: 0,
        }
    }

    /// Makes room for so many rows. What comes of it is charged with the first row.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.rows.reserve(rows);
        self.batch.reserve(rows);
    }

    /// No rows: something that is no event was refused.
    pub(super) fn refused(limits: RowLimits, reason: &str, raw: &[u8]) -> Self {
        let mut buffer = Self::new(Granularity::All, 0, limits);
        buffer.refusals.add_whole(reason, raw);
        buffer
    }

    /// Why the buffer stopped taking rows, when it did.
    pub(crate) fn take_full(&mut self) -> Option<RealtimeError> {
        self.full.take()
    }

    fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>()
            + self.batch.memory_bytes()
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
        let times = || self.batch.times_ms().iter().copied();
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
        let all = self.rows.iter_mut().zip(self.batch.times_ms());
        for (row, time_ms) in all.filter(|(row, _)| !row.is_void) {
            row.is_void = !times.iter().any(|times| times.contains(*time_ms));
            left_out += usize::from(row.is_void);
            has_rows[row.chunk] |= !row.is_void;
        }
        let moved = self.router.retain(|chunk| has_rows[chunk]);
        for row in &mut self.rows {
            row.chunk = moved[row.chunk].unwrap_or_default();
        }
        left_out
    }

    /// The values of the rows.
    pub(crate) fn batch(&self) -> &RowBatch {
        &self.batch
    }

    /// The numbers of the rows of each of the chunks, in order, without those that are left out.
    pub(crate) fn rows_by_chunk(&self) -> Vec<Vec<u32>> {
        let mut rows = vec![Vec::new(); self.router.chunks().len()];
        for (row, number) in self.rows.iter().zip(0..).filter(|(row, _)| !row.is_void) {
            rows[row.chunk].push(number);
        }
        rows
    }

    /// The index of a row's event in the request.
    pub(crate) fn position(&self, row: u32) -> u64 {
        self.rows[row as usize].position
    }
}

impl RowSink for RowBuffer {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        let position = self.rows.len() as u64 + self.refusals.count() + self.filtered;
        let chunk = self.router.route(timestamp_ms).map_err(RowError::Reject)?;
        self.count_values(values.len())?;
        self.batch.push(timestamp_ms, values);
        self.rows.push(Row { position, chunk, is_void: false });
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
        self.batch.clear();
        self.router.clear();
        self.refusals = Refusals::default();
        self.filtered = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For rows with one metric.
    fn buffer(account: &MemoryAccount) -> RowBuffer {
        let account = account.clone();
        let limits = RowLimits { max_chunks: 10, max_values: 10_000_000, account };
        RowBuffer::new(Granularity::All, 1, limits)
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
        assert_eq!(buffer.rows_by_chunk(), [(0..2_000).collect::<Vec<u32>>()]);
        assert_eq!(buffer.batch().row_count(), 2_000);
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
