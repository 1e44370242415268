//! An answer as an Arrow IPC stream: the schema, then record batches of some ten thousand rows.
//!
//! Times are `timestamp[ms, UTC]`, sketches base64 text as in Druid's JSON, several values a row lists.

mod analyses;
mod array;
mod list;
mod rows;
mod text;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};
use henge_exec::{Answer, ExecError, Result};
use henge_query::Query;

use crate::Grow;
use crate::arrow::rows::Rows;

/// Appends the answer to a query.
pub(crate) fn write(
    query: &Query,
    answer: &Answer,
    out: &mut Vec<u8>,
    grow: &mut Grow<'_>,
) -> Result<()> {
    match answer {
        Answer::Rows(table) => rows::write(&Rows::of_table(query, table), out, grow),
        Answer::Buckets(rows) => rows::write(&Rows::of_table(query, &rows.table), out, grow),
        Answer::Scan(rows) => rows::write(&Rows::of_scan(query, rows), out, grow),
        Answer::SegmentMetadata(analyses) => analyses::write(analyses, out, grow),
    }
}

/// The answer to a query as record batches.
pub(crate) fn batches(
    query: &Query,
    answer: &Answer,
    grow: &mut Grow<'_>,
) -> Result<Vec<RecordBatch>> {
    let rows = match answer {
        Answer::Rows(table) => Rows::of_table(query, table),
        Answer::Buckets(rows) => Rows::of_table(query, &rows.table),
        Answer::Scan(rows) => Rows::of_scan(query, rows),
        Answer::SegmentMetadata(_) => {
            return Err(ExecError::Internal("segmentMetadata has no plain rows".to_owned()));
        }
    };
    rows::batches(&rows.named_as_json(query), grow)
}

/// So many rows under a schema.
fn batch_of(schema: &SchemaRef, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
        .map_err(|error| internal(&error))
}

/// A stream that is being written.
struct Stream<'o> {
    writer: StreamWriter<&'o mut Vec<u8>>,
    schema: SchemaRef,
}

impl<'o> Stream<'o> {
    fn new(out: &'o mut Vec<u8>, schema: SchemaRef) -> Result<Self> {
        let writer = StreamWriter::try_new(out, &schema).map_err(|error| internal(&error))?;
        Ok(Self { writer, schema })
    }

    /// Length of the buffer.
    fn len(&self) -> usize {
        self.writer.get_ref().len()
    }

    /// Appends so many rows.
    fn batch(&mut self, arrays: Vec<ArrayRef>, rows: usize) -> Result<()> {
        let batch = batch_of(&self.schema, arrays, rows)?;
        self.writer.write(&batch).map_err(|error| internal(&error))
    }

    fn finish(mut self) -> Result<()> {
        self.writer.finish().map_err(|error| internal(&error))
    }
}

fn internal(error: &ArrowError) -> ExecError {
    ExecError::Internal(format!("writing Arrow: {error}"))
}
