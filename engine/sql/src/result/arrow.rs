//! An Arrow IPC stream: a schema, record batches, and the mark of a whole stream.

use std::fmt;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use henge_types::ErrorClass;

use crate::error::{Result, SqlError};
use crate::session::SqlColumn;

/// Metadata of a field: the SQL type of its column.
const SQL_TYPE: &str = "druid.sqlType";

/// Writes a stream.
pub(super) struct ArrowWriter {
    schema: SchemaRef,
    writer: StreamWriter<Vec<u8>>,
}

impl fmt::Debug for ArrowWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrowWriter").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl ArrowWriter {
    pub(super) fn new(columns: &[SqlColumn]) -> Result<Self> {
        let fields = columns.iter().map(|column| {
            let mut metadata = column.field.metadata().clone();
            metadata.insert(SQL_TYPE.to_owned(), column.sql_type.clone());
            Field::new(&column.name, column.field.data_type().clone(), true).with_metadata(metadata)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let writer = StreamWriter::try_new(Vec::new(), &schema).map_err(internal)?;
        Ok(Self { schema, writer })
    }

    pub(super) fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let (schema, arrays) = (Arc::clone(&self.schema), batch.columns().to_vec());
        let named = RecordBatch::try_new_with_options(schema, arrays, &options);
        self.writer.write(&named.map_err(internal)?).map_err(internal)?;
        self.take(out)
    }

    pub(super) fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.writer.finish().map_err(internal)?;
        self.take(out)
    }

    /// Moves what was written to where it is wanted.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.writer.flush().map_err(internal)?;
        out.append(self.writer.get_mut());
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn internal(error: ArrowError) -> SqlError {
    SqlError::new(ErrorClass::Internal, format!("writing Arrow: {error}"))
}
