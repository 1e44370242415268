//! Adding many rows at once, column by column.
//!
//! A column's dictionary and buffers stay in the cache while its values of a stretch of rows are added,
//! and what depends on its type is decided once.

use henge_segment::metric::Event;
use henge_types::ValueRef;

use super::{AddOutcome, WriteIndex};
use crate::batch::BatchView;
use crate::dimension::CellColumn;
use crate::error::{IndexError, Result};
use crate::metric::Metric;
use crate::rollup::RowKeys;

/// Most rows of a stretch: what is decoded of a column fits into a near cache.
const STRETCH_ROWS: usize = 1_024;
/// Most values of a stretch, nulls included.
const STRETCH_VALUES: usize = 256 << 10;
/// Most text of a stretch in values of more than seven bytes, so that an index does not grow far beyond its limit.
const STRETCH_TEXT_BYTES: usize = 1 << 20;

/// The times of a stretch, as they came and truncated.
struct Times {
    events_ms: Vec<i64>,
    truncated_ms: Vec<i64>,
}

impl WriteIndex {
    /// Adds the first of some rows of a batch, which are given by number and ascend: at most 1,024 of them
    /// and, when it is more than one, at most 1 MiB of long text. Gives how many were looked at; none when the
    /// index is full. Those that are refused are told to `refuse`.
    ///
    /// # Errors
    /// When the batch has not the columns of the index; then nothing was changed.
    pub fn add_rows(
        &mut self,
        batch: &BatchView<'_>,
        rows: &[u32],
        refuse: &mut dyn FnMut(u32, IndexError),
    ) -> Result<usize> {
        let (dimensions, metrics) = batch.widths();
        if dimensions > self.dimensions.len() || metrics != self.metrics.len() {
            let expected = self.dimensions.len() + self.metrics.len();
            return Err(IndexError::Width { expected, actual: dimensions + metrics });
        }
        if self.is_full() {
            return Ok(0);
        }
        let width = (self.dimensions.len() + metrics).max(1);
        let most = STRETCH_ROWS.min(STRETCH_VALUES / width).max(1);
        let most = most.min(self.limits.max_rows - self.rows);
        let rows = rows.get(..most).unwrap_or(rows);
        let rows = rows.get(..batch.rows_of_text(rows, STRETCH_TEXT_BYTES)).unwrap_or(rows);
        if self.metrics.iter().any(Metric::can_fail) {
            return Ok(self.add_one_by_one(batch, rows, refuse));
        }
        self.add_columns(batch, rows)?;
        Ok(rows.len())
    }

    /// Where a row may be refused, it is looked at whole before the next.
    fn add_one_by_one(
        &mut self,
        batch: &BatchView<'_>,
        rows: &[u32],
        refuse: &mut dyn FnMut(u32, IndexError),
    ) -> usize {
        let dimensions = 0..self.dimensions.len();
        let mut columns: Vec<_> =
            dimensions.map(|number| batch.dimension(number, rows).to_vec()).collect();
        columns.extend(self.inputs(batch, rows));
        let mut values = Vec::with_capacity(columns.len());
        for (at, row) in rows.iter().enumerate() {
            values.clear();
            values.extend(columns.iter().map(|column| column[at]));
            match self.add(batch.time_ms(*row), &values) {
                Ok(AddOutcome::Full) => return at,
                Ok(AddOutcome::Appended | AddOutcome::RolledUp) => {}
                Err(error) => refuse(*row, error),
            }
        }
        rows.len()
    }

    /// The inputs of the metrics, by metric.
    fn inputs<'v>(&self, batch: &'v BatchView<'_>, rows: &'v [u32]) -> Vec<Vec<ValueRef<'v>>> {
        (0..self.metrics.len()).map(|number| batch.metric(number, rows).to_vec()).collect()
    }

    fn add_columns(&mut self, batch: &BatchView<'_>, rows: &[u32]) -> Result<()> {
        let events_ms: Vec<i64> = rows.iter().map(|row| batch.time_ms(*row)).collect();
        let truncated_ms = events_ms.iter().map(|time_ms| self.clock.apply(*time_ms)).collect();
        let times = Times { events_ms, truncated_ms };
        self.begin_dimensions(batch, rows);
        match self.row_keys.take() {
            None => self.append_columns(batch, rows, &times)?,
            Some(mut keys) => {
                let outcome = self.roll_up_columns(batch, rows, &times, &mut keys);
                self.row_keys = Some(keys);
                outcome?;
            }
        }
        self.events += rows.len() as u64;
        self.max_event_time_ms = self.max_event_time_ms.max(times.events_ms.iter().max().copied());
        self.latest = None;
        Ok(())
    }

    /// Dimensions without any value so far begin where the rows have one.
    fn begin_dimensions(&mut self, batch: &BatchView<'_>, rows: &[u32]) {
        for (number, dimension) in self.dimensions.iter_mut().enumerate() {
            if dimension.is_absent() && !batch.dimension(number, rows).has_no_value() {
                self.row_bytes += dimension.begin(self.rows);
                self.begun += 1;
            }
        }
    }

    fn append_columns(&mut self, batch: &BatchView<'_>, rows: &[u32], times: &Times) -> Result<()> {
        for (number, dimension) in self.dimensions.iter_mut().enumerate() {
            let values = batch.dimension(number, rows);
            self.variable_bytes += dimension.append(self.rows, &values, &mut self.scratch);
        }
        for (number, metric) in self.metrics.iter_mut().enumerate() {
            let values = batch.metric(number, rows);
            self.variable_bytes += metric.push_all(self.rows, &times.events_ms, &values)?;
        }
        self.append_times(times.truncated_ms.iter().copied());
        Ok(())
    }

    /// Looks up all dimensions, then the row of each event; those that have none are appended. A value
    /// that is new makes its row new, so all values may be made known at once.
    fn roll_up_columns(
        &mut self,
        batch: &BatchView<'_>,
        rows: &[u32],
        times: &Times,
        keys: &mut RowKeys,
    ) -> Result<()> {
        let mut columns: Vec<CellColumn> = Vec::with_capacity(self.dimensions.len());
        for (number, dimension) in self.dimensions.iter_mut().enumerate() {
            let values = batch.dimension(number, rows);
            let (cells, bytes) = dimension.intern_all(&values, &mut self.scratch);
            self.variable_bytes += bytes;
            columns.push(cells);
        }
        let mut metrics = self.metrics.iter_mut().enumerate();
        let appended = match metrics.all(|(at, metric)| metric.admits(&batch.metric(at, rows))) {
            true => self.roll_up_metrics(batch, rows, times, &columns, keys),
            false => self.roll_up_events(batch, rows, times, &columns, keys)?,
        };
        for (dimension, cells) in self.dimensions.iter_mut().zip(&columns) {
            dimension.push_all(self.rows, cells, &appended);
        }
        self.append_times(appended.iter().map(|at| times.truncated_ms[*at as usize]));
        Ok(())
    }

    /// Finds the rows of all events, then adds to one metric after the other. Gives the positions of the
    /// events whose rows are new.
    fn roll_up_metrics(
        &mut self,
        batch: &BatchView<'_>,
        rows: &[u32],
        times: &Times,
        columns: &[CellColumn],
        keys: &mut RowKeys,
    ) -> Vec<u32> {
        let mut appended: Vec<u32> = Vec::new();
        let mut rows_of_events = Vec::with_capacity(rows.len());
        for (at, time_ms) in times.truncated_ms.iter().enumerate() {
            keys.build(&mut self.key, *time_ms, |key| {
                columns.iter().for_each(|column| column.add_to(at, key));
            });
            rows_of_events.push(keys.find(&self.key).unwrap_or_else(|| {
                keys.push(&self.key);
                appended.push(at as u32);
                self.rows + appended.len() - 1
            }));
        }
        for (number, metric) in self.metrics.iter_mut().enumerate() {
            metric.add_all(self.rows, &rows_of_events, &batch.metric(number, rows));
        }
        appended
    }

    /// Where a sum may have no place in its row, each event is looked at whole before the next.
    fn roll_up_events(
        &mut self,
        batch: &BatchView<'_>,
        rows: &[u32],
        times: &Times,
        columns: &[CellColumn],
        keys: &mut RowKeys,
    ) -> Result<Vec<u32>> {
        let inputs_by_metric = self.inputs(batch, rows);
        let mut inputs = Vec::with_capacity(inputs_by_metric.len());
        let mut appended: Vec<u32> = Vec::new();
        let all_times = times.events_ms.iter().zip(&times.truncated_ms);
        for (at, (event_ms, time_ms)) in all_times.enumerate() {
            inputs.clear();
            inputs.extend(inputs_by_metric.iter().map(|column| column[at]));
            keys.build(&mut self.key, *time_ms, |key| {
                columns.iter().for_each(|column| column.add_to(at, key));
            });
            match keys.find(&self.key) {
                Some(row) if self.takes(row, &inputs)? => self.roll_up(row, *event_ms, &inputs)?,
                _ => {
                    let row = self.rows + appended.len();
                    self.push_metrics(row, *event_ms, &inputs)?;
                    keys.push(&self.key);
                    appended.push(at as u32);
                }
            }
        }
        Ok(appended)
    }

    pub(super) fn push_metrics(
        &mut self,
        row: usize,
        event_ms: i64,
        inputs: &[ValueRef<'_>],
    ) -> Result<()> {
        for (metric, input) in self.metrics.iter_mut().zip(inputs) {
            self.variable_bytes += metric.push(row, Event { time_ms: event_ms, value: input })?;
        }
        Ok(())
    }

    /// Appends the truncated times of rows whose other columns are there.
    pub(super) fn append_times(&mut self, times_ms: impl Iterator<Item = i64>) {
        for time_ms in times_ms {
            self.time.push(self.rows, Some(time_ms));
            self.rows += 1;
            self.is_time_sorted &= self.last_time_ms <= time_ms;
            self.last_time_ms = time_ms;
            let (min, max) = self.time_range.unwrap_or((time_ms, time_ms));
            self.time_range = Some((min.min(time_ms), max.max(time_ms)));
        }
    }
}
