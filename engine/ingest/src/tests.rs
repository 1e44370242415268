//! Tests of whole batches.
#![allow(clippy::needless_pass_by_value, reason = "specs are written as json! literals in place")]

mod changes;
mod discovery;
mod flatten;
mod growth;
mod hostile_json;
mod ignored;
mod index_sink;
mod numbers;
mod properties;
mod time;
mod transforms;

use std::sync::Arc;

use henge_index::DimensionSchema;
use henge_query::ingest::DataSchema;
use henge_types::{ChangeReport, Value, ValueRef};

use crate::{
    BatchCounts, IngestError, ParseLimits, RejectReason, Rejection, RowError, RowParser, RowSink,
};

/// Keeps everything it is told.
#[derive(Debug, Default, PartialEq)]
struct Collector {
    rows: Vec<(i64, Vec<Value>)>,
    rejections: Vec<(u64, usize, RejectReason, Vec<u8>)>,
    dimensions: Vec<String>,
}

fn owned(value: &ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Long(value) => Value::Long(*value),
        ValueRef::Double(value) => Value::Double(*value),
        ValueRef::String(text) => Value::String((*text).to_owned()),
        ValueRef::Multi(items) => {
            Value::Multi(items.iter().map(|item| item.map(str::to_owned)).collect())
        }
        ValueRef::Complex(bytes) => Value::Complex(bytes.to_vec()),
    }
}

impl RowSink for Collector {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        self.rows.push((timestamp_ms, values.iter().map(owned).collect()));
        Ok(())
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        let Rejection { position, offset_bytes, reason, raw } = rejection;
        self.rejections.push((position, offset_bytes, reason, raw.to_vec()));
    }

    fn new_dimension(&mut self, dimension: &DimensionSchema) {
        self.dimensions.push(format!("{}:{}", dimension.name, dimension.column_type));
    }

    fn restart(&mut self, dimensions: &[DimensionSchema]) -> Result<(), RowError> {
        *self = Self::default();
        dimensions.iter().for_each(|dimension| self.new_dimension(dimension));
        Ok(())
    }
}

impl Collector {
    /// The values of one column over all rows.
    fn column(&self, index: usize) -> Vec<Value> {
        self.rows.iter().map(|(_, values)| values[index].clone()).collect()
    }

    fn codes(&self) -> Vec<&'static str> {
        self.rejections.iter().map(|(_, _, reason, _)| reason.code()).collect()
    }
}

fn schema(json: serde_json::Value) -> Arc<DataSchema> {
    Arc::new(DataSchema::from_value_named(&json, "test").unwrap())
}

/// A schema with a timestamp `t` in milliseconds and these dimensions and metrics.
fn typed(dimensions: serde_json::Value, metrics: serde_json::Value) -> Arc<DataSchema> {
    schema(serde_json::json!({
        "timestampSpec": {"column": "t", "format": "millis"},
        "dimensionsSpec": {"dimensions": dimensions},
        "metricsSpec": metrics,
    }))
}

fn parse_with(
    schema: &Arc<DataSchema>,
    limits: ParseLimits,
    body: &[u8],
) -> (Result<BatchCounts, IngestError>, Collector) {
    let mut parser = RowParser::new(schema.clone(), limits).unwrap();
    let mut sink = Collector::default();
    let counts = parser.parse_batch(body, &mut sink);
    if let Ok(counts) = counts {
        assert_eq!(counts.received, counts.accepted + counts.rejected + counts.filtered);
        assert_eq!(counts.accepted, sink.rows.len() as u64);
        assert_eq!(counts.rejected, sink.rejections.len() as u64);
    }
    (counts, sink)
}

fn parse(schema: &Arc<DataSchema>, body: impl AsRef<[u8]>) -> Collector {
    let (counts, sink) = parse_with(schema, ParseLimits::default(), body.as_ref());
    counts.unwrap();
    sink
}

/// What parsing changed of the values, and the rows.
fn changes_of(schema: &Arc<DataSchema>, body: &str) -> (ChangeReport, Collector) {
    let mut parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut sink = Collector::default();
    parser.parse_batch(body.as_bytes(), &mut sink).unwrap();
    (parser.take_changes(), sink)
}

/// One STRING dimension `a`.
fn one_dimension() -> Arc<DataSchema> {
    typed(serde_json::json!(["a"]), serde_json::json!([]))
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}
