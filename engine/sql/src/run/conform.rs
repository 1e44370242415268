//! Rows in the types and under the names that were announced.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use datafusion::arrow::compute::cast;
use datafusion::common::Result;

use crate::session::SqlColumn;

/// The schema of a statement's batches.
pub(super) fn schema(columns: &[SqlColumn]) -> SchemaRef {
    let fields = columns.iter().map(|column| column.field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The batch with this schema.
///
/// # Errors
/// When a value does not fit its column's type.
pub(super) fn batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let column = |(array, field): (&ArrayRef, &Arc<arrow_schema::Field>)| {
        if array.data_type() == field.data_type() {
            return Ok(Arc::clone(array));
        }
        cast(array, field.data_type())
    };
    let columns = columns.map(column).collect::<Result<Vec<_>, _>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows)?)
}
