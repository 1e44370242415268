//! Rows into indexes by time chunk.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_index::{IndexLimits, WriteIndex};
use henge_query::ingest::DataSchema;
use henge_types::Interval;
use serde_json::json;

use super::schema;
use crate::{
    BatchCounts, ChunkRouter, IndexSink, IngestError, ParseLimits, RejectReason, Rejection,
    RowError, RowParser, index_schema,
};

/// All indexes of one datasource, full ones kept aside up to a number.
struct Indexes {
    schema: Arc<DataSchema>,
    max_rows: usize,
    open: BTreeMap<Interval, WriteIndex>,
    full: Vec<WriteIndex>,
    max_full: usize,
    rejected: Vec<RejectReason>,
}

impl Indexes {
    fn new(schema: &Arc<DataSchema>) -> Self {
        Self {
            schema: schema.clone(),
            max_rows: 1000,
            open: BTreeMap::new(),
            full: Vec::new(),
            max_full: 100,
            rejected: Vec::new(),
        }
    }

    fn make(&self) -> WriteIndex {
        let limits = IndexLimits { max_rows: self.max_rows, max_bytes: 1 << 30 };
        WriteIndex::new(index_schema(&self.schema, &[]), limits).unwrap()
    }

    fn events(&self) -> u64 {
        self.open.values().chain(&self.full).map(WriteIndex::event_count).sum()
    }
}

impl ChunkRouter for Indexes {
    fn is_open(&self, chunk: Interval) -> bool {
        self.open.contains_key(&chunk)
    }

    fn open_chunks(&self) -> usize {
        self.open.len()
    }

    fn index_for(&mut self, chunk: Interval) -> Result<&mut WriteIndex, RowError> {
        let fresh = self.make();
        Ok(self.open.entry(chunk).or_insert(fresh))
    }

    fn next_index_for(&mut self, chunk: Interval) -> Result<&mut WriteIndex, RowError> {
        if self.full.len() == self.max_full {
            return Err(RowError::Stop("no room".into()));
        }
        self.full.extend(self.open.remove(&chunk));
        self.index_for(chunk)
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        self.rejected.push(rejection.reason);
    }
}

fn feed(
    parser: &mut RowParser,
    indexes: &mut Indexes,
    max_chunks: usize,
    body: &str,
) -> Result<BatchCounts, IngestError> {
    let granularity = indexes.schema.granularity_spec.segment_granularity.clone();
    let known = parser.dimensions().to_vec();
    let mut sink = IndexSink::new(indexes, &known, granularity, max_chunks);
    parser.parse_batch(body.as_bytes(), &mut sink)
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
    let mut indexes = Indexes::new(&schema);
    let body = r#"{"t":0,"a":"x","v":1}{"t":3600,"b":"y","v":2}{"t":1,"a":"x","c":"z"}"#;
    let counts = feed(&mut parser, &mut indexes, 10, body).unwrap();
    assert_eq!(counts.accepted, 3);
    assert_eq!(indexes.open.len(), 2);
    let widths: Vec<usize> = indexes.open.values().map(|i| i.dimensions().len()).collect();
    assert_eq!(widths, [3, 2]);
    feed(&mut parser, &mut indexes, 10, r#"{"t":7200,"d":"w"}"#).unwrap();
    assert_eq!(indexes.events(), 4);
}

#[test]
fn h_26_open_chunks_are_limited() {
    let schema = hourly();
    let mut parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut indexes = Indexes::new(&schema);
    let lines: Vec<String> = (0..50).map(|h| format!("{{\"t\":{}}}", h * 3600)).collect();
    let counts = feed(&mut parser, &mut indexes, 20, &lines.join("\n")).unwrap();
    assert_eq!((counts.accepted, counts.rejected), (20, 30));
    assert_eq!(indexes.rejected[0], RejectReason::TooManyChunks { open: 20 });
    // Chunks that are open go on.
    assert_eq!(feed(&mut parser, &mut indexes, 20, &lines[5]).unwrap().accepted, 1);
}

#[test]
fn a_full_index_is_replaced_and_nothing_is_lost_or_doubled() {
    let schema = hourly();
    let mut parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut indexes = Indexes { max_rows: 3, ..Indexes::new(&schema) };
    let lines: Vec<String> = (0..10).map(|i| format!("{{\"t\":{i},\"a\":\"{i}\"}}")).collect();
    feed(&mut parser, &mut indexes, 20, &lines.join("\n")).unwrap();
    assert_eq!((indexes.full.len(), indexes.events()), (3, 10));
}

#[test]
fn a_sink_without_room_stops_at_the_event_it_did_not_take() {
    let schema = hourly();
    let mut parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut indexes = Indexes { max_rows: 2, max_full: 1, ..Indexes::new(&schema) };
    let lines: Vec<String> = (0..10).map(|i| format!("{{\"t\":{i},\"a\":\"{i}\"}}")).collect();
    let error = feed(&mut parser, &mut indexes, 20, &lines.join("\n")).unwrap_err();
    assert_eq!(error, IngestError::Stopped { position: 4, message: "no room".into() });
    assert_eq!(indexes.events(), 4);
}

#[test]
fn h_14_equal_events_roll_up_exactly() {
    let schema = hourly();
    let mut parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut indexes = Indexes::new(&schema);
    let body = r#"{"t":5,"a":"x","v":2}"#.repeat(5_000);
    assert_eq!(feed(&mut parser, &mut indexes, 20, &body).unwrap().accepted, 5_000);
    let index = indexes.open.values().next().unwrap();
    assert_eq!((index.row_count(), index.event_count()), (1, 5_000));
}

#[test]
fn h_21_events_whose_sum_would_overflow_are_kept_apart() {
    let schema = hourly();
    let mut parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut indexes = Indexes::new(&schema);
    let event = format!("{{\"t\":5,\"a\":\"x\",\"v\":{}}}", i64::MAX);
    let counts = feed(&mut parser, &mut indexes, 20, &event.repeat(2)).unwrap();
    assert_eq!((counts.accepted, counts.rejected), (2, 0));
    let index = indexes.open.values().next().unwrap();
    assert_eq!((index.row_count(), index.event_count()), (2, 2));
}
