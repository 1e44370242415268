//! What is known of a segment without reading it.

use std::sync::Arc;

use henge_types::{ColumnRole, Granularity, SegmentId, SegmentSchema, ShardSpec};
use rustc_hash::FxHashMap;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// Where the fingerprint stands in a segment's recorded schema.
const FINGERPRINT: &str = "compaction";

/// A used segment.
#[derive(Debug, Clone)]
pub struct SegmentFacts {
    /// Identity.
    pub id: SegmentId,
    /// Its place in its chunk.
    pub shard_spec: ShardSpec,
    /// Rows.
    pub rows: u64,
    /// Bytes of its object.
    pub size_bytes: u64,
    /// How its rows lie; `None` when what is recorded of it cannot be read.
    pub form: Option<Arc<SegmentForm>>,
}

/// How the rows of segments lie. Many segments share one.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentForm {
    /// Whether rows of equal times and dimensions were combined.
    pub rollup: bool,
    /// What times were truncated to.
    pub query_granularity: Granularity,
    /// The time and the dimensions, in the order that rows are sorted by.
    pub order: Vec<String>,
    /// Of the state that a compaction wrote it for.
    pub fingerprint: Option<String>,
}

impl SegmentForm {
    /// Reads what is recorded of a segment.
    #[must_use]
    pub fn read(schema_json: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(schema_json).ok()?;
        let fingerprint = value.get(FINGERPRINT).and_then(Value::as_str).map(str::to_owned);
        let schema: SegmentSchema = serde_json::from_value(value).ok()?;
        let sorted = schema.columns.into_iter().filter(|column| column.role != ColumnRole::Metric);
        Some(Self {
            rollup: schema.rollup,
            query_granularity: schema.query_granularity,
            order: sorted.map(|column| column.name).collect(),
            fingerprint,
        })
    }
}

/// The recorded schema of a segment with the fingerprint of the state that it was written for. Who does not
/// know of it reads the schema as before.
#[must_use]
pub fn with_fingerprint(schema_json: &str, fingerprint: &str) -> String {
    match serde_json::from_str::<Value>(schema_json) {
        Ok(Value::Object(mut fields)) => {
            fields.insert(FINGERPRINT.to_owned(), fingerprint.into());
            Value::Object(fields).to_string()
        }
        _ => schema_json.to_owned(),
    }
}

/// The forms that were read, so that many segments of one form are read once.
#[derive(Debug, Default)]
pub struct Forms(FxHashMap<u64, Option<Arc<SegmentForm>>>);

impl Forms {
    /// The form of a segment by its recorded schema.
    pub fn of(&mut self, schema_json: &str) -> Option<Arc<SegmentForm>> {
        let read = || SegmentForm::read(schema_json).map(Arc::new);
        self.0.entry(xxh3_64(schema_json.as_bytes())).or_insert_with(read).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"columns":[
        {"name":"tenant","column_type":"STRING","role":"dimension","multi_value":false,"has_nulls":true},
        {"name":"__time","column_type":"LONG","role":"time","multi_value":false,"has_nulls":false},
        {"name":"n","column_type":"LONG","role":"metric","multi_value":false,"has_nulls":false}],
        "metrics":[{"name":"n","field":null,"kind":"count"}],
        "rollup":true,"query_granularity":"minute"}"#;

    #[test]
    fn the_fingerprint_is_recorded_and_whoever_reads_the_schema_does_not_mind() {
        let before = SegmentForm::read(SCHEMA).unwrap();
        assert_eq!(before.order, ["tenant", "__time"]);
        assert_eq!((before.rollup, &before.fingerprint), (true, &None));
        let marked = with_fingerprint(SCHEMA, "abc");
        let after = SegmentForm::read(&marked).unwrap();
        assert_eq!(after, SegmentForm { fingerprint: Some("abc".into()), ..before });
        let plain: SegmentSchema = serde_json::from_str(&marked).unwrap();
        assert_eq!(plain, serde_json::from_str(SCHEMA).unwrap());
        assert_eq!(
            SegmentForm::read(&with_fingerprint(&marked, "d")).unwrap().fingerprint.unwrap(),
            "d"
        );
        assert_eq!(with_fingerprint("{", "abc"), "{");
        let mut forms = Forms::default();
        assert!(Arc::ptr_eq(&forms.of(SCHEMA).unwrap(), &forms.of(SCHEMA).unwrap()));
        assert_eq!(forms.of("{}"), None);
    }
}
