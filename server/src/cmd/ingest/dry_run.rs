//! `--dry-run`: what would be loaded, as JSON.

use std::collections::BTreeMap;

use anyhow::Result;
use henge_index::DimensionSchema;
use henge_ingest::{Rejection, RowError, RowSink};
use henge_query::ingest::IndexTask;
use henge_types::{ColumnType, ValueRef, format_timestamp};
use serde_json::{Map, Value, json};

use super::sample::Sample;
use super::trial;
use crate::cmd::output::say;

/// Rows and refused events that are shown.
const SHOWN: usize = 10;

/// Prints a task with the columns and the first rows that its first file would give.
///
/// # Errors
/// When the task is none, or the file cannot be read so.
pub(super) fn print(task: &Value, sample: &Sample, files: &[String]) -> Result<()> {
    let parsed = IndexTask::from_value(task)?;
    let mut rows = Rows::default();
    let dimensions = trial::read(sample, &parsed, &mut rows)?;
    let metrics = parsed.spec.data_schema.metrics_spec.iter().map(|metric| metric.name.clone());
    let names: Vec<String> =
        dimensions.iter().map(|dimension| dimension.name.clone()).chain(metrics).collect();
    let columns: Vec<Value> = dimensions
        .iter()
        .map(|dimension| {
            json!({ "name": dimension.name, "type": dimension.column_type.to_string() })
        })
        .collect();
    let shown: Vec<Value> =
        rows.rows.iter().map(|(time, values)| named(*time, &names, values)).collect();
    say(serde_json::to_string_pretty(&json!({
        "files": files,
        "task": task,
        "columns": columns,
        "sampleRows": shown,
        "sampleRefused": rows.refused,
        "note": "columns and rows are those of the beginning of the first file: all values decide the \
                 types in the end",
    }))?)?;
    Ok(())
}

/// The types of the columns that the sample of a file has.
///
/// # Errors
/// When it cannot be read.
pub(super) fn types(sample: &Sample, input_format: &Value) -> Result<BTreeMap<String, ColumnType>> {
    let schema = json!({
        "dataSource": "sample",
        "timestampSpec": { "column": "\u{10ffff}", "missingValue": "2000-01-01" },
        "dimensionsSpec": { "useSchemaDiscovery": true },
    });
    let task = trial::task(input_format, &schema)?;
    let dimensions = trial::read(sample, &task, &mut Rows::default())?;
    Ok(dimensions.into_iter().map(|dimension| (dimension.name, dimension.column_type)).collect())
}

fn named(time_ms: i64, names: &[String], values: &[Value]) -> Value {
    let time = ("__time".to_owned(), format_timestamp(time_ms).into());
    let values = names.iter().cloned().zip(values.iter().cloned());
    Value::Object(std::iter::once(time).chain(values).collect::<Map<_, _>>())
}

/// Takes rows and keeps the first ones.
#[derive(Default)]
struct Rows {
    rows: Vec<(i64, Vec<Value>)>,
    refused: Vec<String>,
}

impl RowSink for Rows {
    fn row(&mut self, time_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        if self.rows.len() < SHOWN {
            self.rows.push((time_ms, values.iter().map(shown).collect()));
        }
        Ok(())
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        if self.refused.len() < SHOWN {
            let text = String::from_utf8_lossy(rejection.raw);
            self.refused.push(format!("{}: {text}", rejection.reason));
        }
    }

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}

fn shown(value: &ValueRef<'_>) -> Value {
    match value {
        ValueRef::Long(number) => (*number).into(),
        ValueRef::Double(number) => (*number).into(),
        ValueRef::String(text) => (*text).into(),
        ValueRef::Multi(values) => values.iter().map(|one| json!(one)).collect(),
        _ => Value::Null,
    }
}
