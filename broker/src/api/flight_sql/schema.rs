//! Schemas of answers, the same when a statement is planned as when it is run.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::cast;
use arrow_flight::{IpcMessage, SchemaAsIpc};
use arrow_ipc::writer::IpcWriteOptions;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use henge_sql::SqlColumn;
use tonic::Status;

use super::internal;

/// Under which a column of a schema says its type in SQL.
const TYPE_NAME: &str = "ARROW:FLIGHT:SQL:TYPE_NAME";

/// The schema of columns: what they are called, and that each may be null.
pub(super) fn schema_of(columns: &[SqlColumn]) -> SchemaRef {
    let fields = columns.iter().map(|column| {
        let mut metadata = column.field.metadata().clone();
        metadata.insert(TYPE_NAME.to_owned(), column.sql_type.clone());
        let field = Field::new(&column.name, column.field.data_type().clone(), true);
        field.with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A batch under the schema that its reader was told of.
///
/// # Errors
/// When it has other columns.
pub(super) fn under(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        match column.data_type() == field.data_type() {
            true => Ok(Arc::clone(column)),
            false => cast(column, field.data_type()),
        }
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows)
}

/// A column of a table that is listed.
pub(super) fn listed_field(name: &str, sql_type: &str, is_nullable: bool) -> Field {
    let data_type = match sql_type {
        "BIGINT" | "INTEGER" => DataType::Int64,
        "DOUBLE" => DataType::Float64,
        "FLOAT" => DataType::Float32,
        "BOOLEAN" => DataType::Boolean,
        "TIMESTAMP" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "DATE" => DataType::Date32,
        _ => DataType::Utf8,
    };
    let metadata = [(TYPE_NAME.to_owned(), sql_type.to_owned())];
    Field::new(name, data_type, is_nullable).with_metadata(metadata.into())
}

/// A schema as it travels.
///
/// # Errors
/// Never for schemas of answers.
pub(super) fn encoded(schema: &Schema) -> Result<Bytes, Status> {
    let options = IpcWriteOptions::default();
    let message: Result<IpcMessage, ArrowError> = SchemaAsIpc::new(schema, &options).try_into();
    let IpcMessage(bytes) = message.map_err(internal)?;
    Ok(bytes)
}
