//! Answers as clients read them: record batches become Druid's JSON, CSV or an Arrow IPC stream, batch by batch.
//!
//! Pure: bytes are appended to a buffer. Whoever sends them decides how many rows make a piece, and what becomes
//! of an answer that breaks off: without [`Writer::end`] it is not whole, which JSON arrays show by their missing
//! bracket and the formats of lines by their missing empty line.

mod arrow;
mod cells;
mod encoding;
mod format;
#[cfg(test)]
mod tests;
mod text;

use arrow_array::RecordBatch;

use crate::error::Result;
use crate::session::SqlColumn;

pub use cells::Cells;
pub use encoding::Encoding;
pub use format::{Layout, ResultFormat};

/// Writes one answer, front to back: [`Writer::begin`], [`Writer::rows`] as often as there are batches,
/// [`Writer::end`].
#[derive(Debug)]
pub struct Writer(Form);

#[derive(Debug)]
enum Form {
    Text(Box<text::TextWriter>),
    Arrow(Box<arrow::ArrowWriter>),
}

impl Writer {
    /// A writer of an answer with these columns.
    ///
    /// # Errors
    /// When Arrow cannot describe them.
    pub fn new(columns: &[SqlColumn], layout: Layout, encoding: Encoding) -> Result<Self> {
        Ok(Self(match layout.format {
            ResultFormat::Arrow => Form::Arrow(Box::new(arrow::ArrowWriter::new(columns)?)),
            _ => Form::Text(Box::new(text::TextWriter::new(columns, layout, encoding))),
        }))
    }

    /// What comes before the rows: the headers that were asked for. It may be nothing.
    ///
    /// # Errors
    /// When Arrow cannot describe the columns.
    pub fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        match &mut self.0 {
            Form::Text(writer) => writer.begin(out),
            Form::Arrow(writer) => writer.take(out)?,
        }
        Ok(())
    }

    /// The rows of a batch.
    ///
    /// # Errors
    /// When it has not the columns that were announced.
    pub fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        match &mut self.0 {
            Form::Text(writer) => writer.rows(batch, out),
            Form::Arrow(writer) => writer.rows(batch, out),
        }
    }

    /// What comes after the last row of a whole answer.
    ///
    /// # Errors
    /// When Arrow cannot end.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        match &mut self.0 {
            Form::Text(writer) => writer.end(out),
            Form::Arrow(writer) => writer.end(out)?,
        }
        Ok(())
    }
}
