//! Wide events, of thirty texts and nineteen numbers: from JSON to a batch, and on into the index by
//! column and by row.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use std::fmt::Write;
use std::sync::Arc;

use criterion::{BatchSize, Throughput};
use henge_benches::harness::{self, Runner};
use henge_benches::random::Random;
use henge_index::{DimensionSchema, IndexLimits, RowBatch, WriteIndex};
use henge_ingest::{ParseLimits, Rejection, RowError, RowParser, RowSink, index_schema};
use henge_query::ingest::DataSchema;
use henge_types::ValueRef;
use serde_json::{Value, json};

/// Distinct values of the dimensions.
const CARDINALITIES: [u32; 30] = [
    5, 8, 10, 12, 20, 20, 25, 30, 40, 50, 50, 60, 80, 100, 100, 150, 200, 200, 300, 500, 500, 800,
    1_000, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000,
];
const NUMBERS: usize = 19;
const EVENTS: usize = 1_000;
const BODIES: usize = 30;
const START_MS: i64 = 1_700_000_000_000;

/// Keeps rows for an index.
struct Batch(RowBatch);

/// Adds rows to an index as they come.
struct OneIndex(WriteIndex);

impl RowSink for Batch {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        self.0.push(timestamp_ms, values);
        Ok(())
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        panic!("{rejection:?}");
    }

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}

impl RowSink for OneIndex {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        self.0.add(timestamp_ms, values).unwrap();
        Ok(())
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        panic!("{rejection:?}");
    }

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}

fn main() {
    let mut random = Random::new(7);
    let bodies: Vec<String> = (0..BODIES).map(|_| body(&mut random)).collect();
    harness::run_benchmarks(|runner| {
        measure(runner, "wide", &schema(false), &bodies);
        measure(runner, "wide_rolled_up", &schema(true), &bodies);
    });
}

fn measure(runner: &mut Runner, name: &str, schema: &Arc<DataSchema>, bodies: &[String]) {
    let mut group = runner.benchmark_group(name);
    group.throughput(Throughput::ElementsAndBytes {
        elements: (EVENTS * BODIES) as u64,
        bytes: bodies.iter().map(|body| body.len() as u64).sum(),
    });
    let parsed = batches(schema, bodies);
    let mut checked = (index(schema), OneIndex(index(schema)));
    add_by_column(&mut checked.0, &parsed);
    parse_into(&mut checked.1, schema, bodies);
    assert_eq!(checked.0.event_count(), (EVENTS * BODIES) as u64);
    assert_eq!(checked.0.row_count(), checked.1.0.row_count());
    group.bench_function("parse", |bencher| bencher.iter(|| batches(schema, bodies)));
    group.bench_function("add_by_column", |bencher| {
        let add = |mut index: WriteIndex| {
            add_by_column(&mut index, &parsed);
            index
        };
        bencher.iter_batched(|| index(schema), add, BatchSize::PerIteration);
    });
    group.bench_function("parse_and_add_by_row", |bencher| {
        let add = |mut index: OneIndex| {
            parse_into(&mut index, schema, bodies);
            index
        };
        bencher.iter_batched(|| OneIndex(index(schema)), add, BatchSize::PerIteration);
    });
    group.finish();
}

fn parser(schema: &Arc<DataSchema>) -> RowParser {
    let limits = ParseLimits { now_ms: START_MS, ..ParseLimits::default() };
    RowParser::new(Arc::clone(schema), limits).unwrap()
}

fn index(schema: &Arc<DataSchema>) -> WriteIndex {
    let schema = index_schema(schema, parser(schema).dimensions());
    WriteIndex::new(schema, IndexLimits { max_rows: usize::MAX, max_bytes: usize::MAX }).unwrap()
}

fn parse_into(sink: &mut dyn RowSink, schema: &Arc<DataSchema>, bodies: &[String]) {
    let mut parser = parser(schema);
    for body in bodies {
        parser.parse_batch(body.as_bytes(), sink).unwrap();
    }
}

/// A batch a body.
fn batches(schema: &Arc<DataSchema>, bodies: &[String]) -> Vec<RowBatch> {
    let mut parser = parser(schema);
    let parse = |body: &String| {
        let mut sink = Batch(RowBatch::new(schema.metrics_spec.len()));
        sink.0.reserve(EVENTS);
        parser.parse_batch(body.as_bytes(), &mut sink).unwrap();
        sink.0
    };
    bodies.iter().map(parse).collect()
}

fn add_by_column(index: &mut WriteIndex, batches: &[RowBatch]) {
    for batch in batches {
        let view = batch.view();
        let all: Vec<u32> = (0..batch.row_count() as u32).collect();
        let mut left = all.as_slice();
        while !left.is_empty() {
            let taken = index.add_rows(&view, left, &mut |_, error| panic!("{error}")).unwrap();
            left = &left[taken..];
        }
    }
}

/// One event a line.
fn body(random: &mut Random) -> String {
    let mut out = String::new();
    for _ in 0..EVENTS {
        write!(out, r#"{{"t":{}"#, START_MS + i64::from(random.below(600_000))).unwrap();
        for (number, cardinality) in CARDINALITIES.iter().enumerate() {
            let letter = char::from(b'a' + (number % 8) as u8);
            write!(out, r#","d{number}":"{letter}{}""#, random.skewed_below(*cardinality)).unwrap();
        }
        for number in 0..NUMBERS {
            match is_long(number) {
                true => write!(out, r#","m{number}":{}"#, random.below(1_000)).unwrap(),
                false => {
                    let value = f64::from(random.below(100_000)) / 1_000.0;
                    write!(out, r#","m{number}":{value:.3}"#).unwrap();
                }
            }
        }
        out.push_str("}\n");
    }
    out
}

fn is_long(number: usize) -> bool {
    number % 2 == 1
}

/// The numbers are dimensions, or sums by minute.
fn schema(rollup: bool) -> Arc<DataSchema> {
    let texts = (0..CARDINALITIES.len()).map(|number| json!(format!("d{number}")));
    let numbers = (0..NUMBERS).map(|number| {
        let (kind, name) = (if is_long(number) { "long" } else { "double" }, format!("m{number}"));
        match rollup {
            true => json!({"type": format!("{kind}Sum"), "name": name, "fieldName": name}),
            false => json!({"type": kind, "name": name}),
        }
    });
    let (dimensions, metrics): (Vec<Value>, Vec<Value>) = match rollup {
        true => {
            let count = json!({"type": "count", "name": "count"});
            (texts.collect(), std::iter::once(count).chain(numbers).collect())
        }
        false => (texts.chain(numbers).collect(), Vec::new()),
    };
    let granularity = if rollup { "minute" } else { "none" };
    let schema = json!({
        "dataSource": "wide",
        "timestampSpec": {"column": "t", "format": "millis"},
        "dimensionsSpec": {"dimensions": dimensions},
        "metricsSpec": metrics,
        "granularitySpec": {"queryGranularity": granularity, "rollup": rollup},
    });
    Arc::new(DataSchema::parse(schema.to_string().as_bytes()).unwrap())
}
