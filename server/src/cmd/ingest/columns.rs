//! The columns of a file, by its metadata or its first values.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use henge_index::DimensionSchema;
use henge_ingest::{FieldValue, Rejection, RowError, RowSink};
use henge_realtime_node::LocalFile;
use henge_tabular::{ParquetField, ParquetTable, WantedField};
use henge_types::ValueRef;
use serde_json::{Value, json};

use super::kinds::Seen;
use super::sample::{Format, Sample};
use super::trial;

/// A column of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) is_time: bool,
    /// Values that are no time as they are, the first ones.
    pub(super) others: Vec<String>,
}

/// The columns, in the order of the file.
///
/// # Errors
/// When the file cannot be read so, or none of its events.
pub(super) fn of(sample: &Sample, input_format: &Value) -> Result<Vec<Column>> {
    match sample.format {
        Format::Parquet => of_table(sample),
        Format::Json | Format::Csv | Format::Tsv => of_text(sample, input_format),
    }
}

fn of_table(sample: &Sample) -> Result<Vec<Column>> {
    let context = || format!("read {}", sample.name);
    let file = LocalFile::open(&sample.path).with_context(context)?;
    let table = ParquetTable::open(Arc::new(file)).with_context(context)?;
    let column = |field: &ParquetField| Column {
        name: field.name.clone(),
        is_time: field.is_time(),
        others: Vec::new(),
    };
    let mut columns: Vec<Column> = table.fields().iter().map(column).collect();
    if columns.iter().any(|column| column.is_time) {
        return Ok(columns);
    }
    // No point in time: numbers or texts may be times.
    let wanted = |column: &Column| WantedField { name: column.name.clone(), as_text: false };
    let wanted: Vec<WantedField> = columns.iter().map(wanted).collect();
    let Some(batch) = table.read(&wanted, false).next_batch().with_context(context)? else {
        return Ok(columns);
    };
    let mut seen = vec![Seen::default(); columns.len()];
    let all = batch.for_each_row(|_, values| -> Result<(), std::convert::Infallible> {
        for (seen, value) in seen.iter_mut().zip(values) {
            match value {
                FieldValue::Long(number) => seen.see(&number.to_string()),
                FieldValue::Double(number) => seen.see(&number.to_string()),
                FieldValue::Text(text) => seen.see(text),
                FieldValue::Null | FieldValue::Bool(_) | FieldValue::List(_) => {}
            }
        }
        Ok(())
    });
    match all {
        Ok(()) => {}
        Err(never) => match never {},
    }
    for (column, seen) in columns.iter_mut().zip(seen) {
        column.is_time = seen.is_time();
        column.others = seen.others;
    }
    Ok(columns)
}

/// Columns by the values of the first events.
fn of_text(sample: &Sample, input_format: &Value) -> Result<Vec<Column>> {
    // Every event has a time: only its columns matter here.
    let schema = json!({
        "dataSource": "sample",
        "timestampSpec": { "column": "\u{10ffff}", "missingValue": "2000-01-01" },
        "dimensionsSpec": {},
    });
    let mut values = Values::default();
    let dimensions = trial::read(sample, &trial::task(input_format, &schema)?, &mut values)?;
    if values.rows == 0 {
        match values.refused {
            Some(reason) => {
                bail!("{}: none of its events can be read; the first: {reason}", sample.name)
            }
            None => bail!("{}: it has a header and no line of values", sample.name),
        }
    }
    values.columns.resize(dimensions.len(), Seen::default());
    let column = |(dimension, seen): (DimensionSchema, Seen)| Column {
        name: dimension.name,
        is_time: seen.is_time(),
        others: seen.others,
    };
    Ok(dimensions.into_iter().zip(values.columns).map(column).collect())
}

/// Takes rows and keeps what their values have in common.
#[derive(Debug, Default)]
struct Values {
    columns: Vec<Seen>,
    rows: u64,
    /// Why the first event was refused.
    refused: Option<String>,
}

impl RowSink for Values {
    fn row(&mut self, _: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        self.rows += 1;
        self.columns.resize(self.columns.len().max(values.len()), Seen::default());
        for (seen, value) in self.columns.iter_mut().zip(values) {
            if let ValueRef::String(text) = value {
                seen.see(text);
            }
        }
        Ok(())
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        self.refused.get_or_insert_with(|| rejection.reason.to_string());
    }

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}
