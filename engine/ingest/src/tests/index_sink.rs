//! Rows into indexes by time chunk.

use std::sync::Arc;

use henge_index::{AddOutcome, DimensionSchema, IndexLimits, WriteIndex};
use henge_query::ingest::DataSchema;
use henge_types::ValueRef;
use serde_json::json;

use super::schema;
use crate::{
    ChunkRouter, IngestError, ParseLimits, RejectReason, Rejection, RowError, RowParser, RowSink,
    index_schema,
};

/// An index a time chunk, each with room for so many rows.
struct Indexes {
    schema: Arc<DataSchema>,
    max_rows: usize,
    router: ChunkRouter,
    open: Vec<WriteIndex>,
    dimensions: Vec<DimensionSchema>,
    rejected: Vec<RejectReason>,
}

impl Indexes {
    fn new(schema: &Arc<DataSchema>, max_chunks: usize) -> Self {
        let granularity = schema.granularity_spec.segment_granularity.clone();
        Self {
            schema: schema.clone(),
            max_rows: 1000,
            router: ChunkRouter::new(granularity, max_chunks),
            open: Vec::new(),
            dimensions: Vec::new(),
            rejected: Vec::new(),
        }
    }

    fn events(&self) -> u64 {
        self.open.iter().map(WriteIndex::event_count).sum()
    }
}

impl RowSink for Indexes {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        let number = self.router.route(timestamp_ms).map_err(RowError::Reject)?;
        if number == self.open.len() {
            let limits = IndexLimits { max_rows: self.max_rows, max_bytes: 1 << 30 };
            self.open.push(WriteIndex::new(index_schema(&self.schema, &[]), limits).unwrap());
        }
        let index = &mut self.open[number];
        for missing in &self.dimensions[index.dimensions().len()..] {
            index.add_dimension(missing.clone()).unwrap();
        }
        match index.add(timestamp_ms, values).unwrap() {
            AddOutcome::Full => Err(RowError::Stop("no room".into())),
            _ => Ok(()),
        }
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        self.rejected.push(rejection.reason);
    }

    fn new_dimension(&mut self, dimension: &DimensionSchema) {
        self.dimensions.push(dimension.clone());
    }
}

fn hourly() -> Arc<DataSchema> {
    schema(json!({
        "timestampSpec": {"column": "t", "format": "posix"},
        "metricsSpec": [
            {"type": "count", "name": "events"},
            {"type": "longSum", "name": "total", "fieldName": "v"},
        ],
        "granularitySpec": {"segmentGranularity": "hour", "rollup": true},
    }))
}

#[test]
fn rows_go_to_the_index_of_their_chunk_and_dimensions_follow() {
    let schema = hourly();
    let mut parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut indexes = Indexes::new(&schema, 20);
    let body = r#"{"t":0,"a":"x","v":1}{"t":3600,"b":"y","v":2}{"t":1,"a":"x","c":"z"}"#;
    let counts = parser.parse_batch(body.as_bytes(), &mut indexes).unwrap();
    assert_eq!(counts.accepted, 3);
    assert_eq!(indexes.open.len(), 2);
    let widths: Vec<usize> = indexes.open.iter().map(|i| i.dimensions().len()).collect();
    assert_eq!(widths, [3, 2]);
    parser.parse_batch(br#"{"t":7200,"d":"w"}"#, &mut indexes).unwrap();
    assert_eq!(indexes.events(), 4);
}

#[test]
fn h_26_open_chunks_are_limited() {
    let schema = hourly();
    let mut parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut indexes = Indexes::new(&schema, 20);
    let lines: Vec<String> = (0..50).map(|h| format!("{{\"t\":{}}}", h * 3600)).collect();
    let counts = parser.parse_batch(lines.join("\n").as_bytes(), &mut indexes).unwrap();
    assert_eq!((counts.accepted, counts.rejected), (20, 30));
    assert_eq!(indexes.rejected[0], RejectReason::TooManyChunks { open: 20 });
    // Chunks that are open go on.
    assert_eq!(parser.parse_batch(lines[5].as_bytes(), &mut indexes).unwrap().accepted, 1);
}

#[test]
fn a_sink_without_room_stops_at_the_event_it_did_not_take() {
    let schema = hourly();
    let mut parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut indexes = Indexes { max_rows: 4, ..Indexes::new(&schema, 20) };
    let lines: Vec<String> = (0..10).map(|i| format!("{{\"t\":{i},\"a\":\"{i}\"}}")).collect();
    let error = parser.parse_batch(lines.join("\n").as_bytes(), &mut indexes).unwrap_err();
    assert_eq!(error, IngestError::Stopped { position: 4, message: "no room".into() });
    assert_eq!(indexes.events(), 4);
}

#[test]
fn h_14_equal_events_roll_up_exactly() {
    let schema = hourly();
    let mut parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut indexes = Indexes::new(&schema, 20);
    let body = r#"{"t":5,"a":"x","v":2}"#.repeat(5_000);
    assert_eq!(parser.parse_batch(body.as_bytes(), &mut indexes).unwrap().accepted, 5_000);
    let index = indexes.open.first().unwrap();
    assert_eq!((index.row_count(), index.event_count()), (1, 5_000));
}

#[test]
fn h_21_events_whose_sum_would_overflow_are_kept_apart() {
    let schema = hourly();
    let mut parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut indexes = Indexes::new(&schema, 20);
    let event = format!("{{\"t\":5,\"a\":\"x\",\"v\":{}}}", i64::MAX);
    let counts = parser.parse_batch(event.repeat(2).as_bytes(), &mut indexes).unwrap();
    assert_eq!((counts.accepted, counts.rejected), (2, 0));
    let index = indexes.open.first().unwrap();
    assert_eq!((index.row_count(), index.event_count()), (2, 2));
}
