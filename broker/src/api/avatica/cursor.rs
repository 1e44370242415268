//! [`Cursor`]: the rows of a statement that is at work, frame by frame.

use arrow_array::RecordBatch;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use henge_sql::SqlAnswer;
use henge_types::zone::{format_time_zone, offset_ms_at, parse_time_zone};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::failure::{Failure, Result};
use super::message::Frame;
use crate::api::drivers::{Cell, cell};

/// The rows of an answer from one place on.
pub(super) struct Cursor {
    batches: BoxStream<'static, henge_sql::Result<RecordBatch>>,
    /// What is left of the batch at hand.
    batch: Option<RecordBatch>,
    /// Rows that were given.
    offset: u64,
    /// Rows that may still be given.
    left: u64,
    zone: TimeZone,
}

impl Cursor {
    /// At the start of an answer, of which a client wants so many rows at most.
    ///
    /// # Errors
    /// When the time zone of its context is none.
    pub(super) fn of(answer: SqlAnswer, max_rows: Option<u64>) -> Result<Self> {
        let zone = zone_of(&answer.context)?;
        let left = max_rows.unwrap_or(u64::MAX);
        Ok(Self { batches: answer.batches, batch: None, offset: 0, left, zone })
    }

    /// The next rows.
    ///
    /// # Errors
    /// When the answer fails, or the client wants others than the next ones.
    pub(super) async fn frame(&mut self, offset: u64, rows: u64) -> Result<Frame> {
        if offset != self.offset {
            return Err(Failure::invalid(format!(
                "rows can only be fetched one after the other: offset {offset} was asked for, and {} is next",
                self.offset
            )));
        }
        let wanted = rows.min(self.left);
        let mut taken = Vec::new();
        while (taken.len() as u64) < wanted {
            let Some(batch) = self.next_batch().await? else { break };
            let room = usize::try_from(wanted - taken.len() as u64).unwrap_or(usize::MAX);
            let count = room.min(batch.num_rows());
            for row in 0..count {
                taken.push(self.row(&batch, row)?);
            }
            let rest = batch.num_rows() - count;
            self.batch = (rest > 0).then(|| batch.slice(count, rest));
        }
        let count = taken.len() as u64;
        self.offset += count;
        self.left -= count;
        let is_done = self.left == 0 || count < wanted || self.has_ended().await?;
        if is_done {
            self.end();
        }
        Ok(Frame { offset, is_done, rows: taken })
    }

    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.batch.take() {
            return Ok(Some(batch));
        }
        while let Some(batch) = self.batches.try_next().await? {
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    async fn has_ended(&mut self) -> Result<bool> {
        self.batch = self.next_batch().await?;
        Ok(self.batch.is_none())
    }

    /// Gives back what the statement holds: nobody wants more of it.
    fn end(&mut self) {
        self.left = 0;
        self.batch = None;
        self.batches = Box::pin(futures::stream::empty());
    }

    fn row(&self, batch: &RecordBatch, row: usize) -> Result<Vec<Cell>> {
        let cells = batch.columns().iter().map(|column| Ok(self.shown(cell(column, row)?)));
        cells.collect()
    }

    /// Times travel as what the clock on the wall shows, in milliseconds.
    fn shown(&self, cell: Cell) -> Cell {
        match cell {
            Cell::Timestamp(ms) => Cell::Timestamp(ms.saturating_add(offset_ms_at(&self.zone, ms))),
            Cell::Array(cells) => {
                Cell::Array(cells.into_iter().map(|cell| self.shown(cell)).collect())
            }
            cell => cell,
        }
    }
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor")
            .field("offset", &self.offset)
            .field("left", &self.left)
            .field("zone", &format_time_zone(&self.zone))
            .finish_non_exhaustive()
    }
}

/// The time zone of a context.
///
/// # Errors
/// When it names none.
pub(super) fn zone_of(context: &Map<String, Value>) -> Result<TimeZone> {
    match context.get("sqlTimeZone").and_then(Value::as_str) {
        Some(name) => {
            parse_time_zone(name).map_err(|error| Failure::invalid(format!("sqlTimeZone: {error}")))
        }
        None => Ok(TimeZone::UTC),
    }
}
