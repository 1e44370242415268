//! Ingestion: JSON lines to rows, and on into the write-optimised index.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use std::sync::Arc;

use criterion::{BatchSize, Throughput};
use henge_benches::harness;
use henge_benches::page_views::{self, PageViews, Texts};
use henge_index::{DimensionSchema, IndexLimits, WriteIndex};
use henge_ingest::{ParseLimits, Rejection, RowError, RowParser, RowSink, index_schema};
use henge_types::ValueRef;

const ROWS: usize = 50_000;

/// Takes rows and drops them.
#[derive(Default)]
struct Discard {
    rows: usize,
    values: usize,
}

impl RowSink for Discard {
    fn row(&mut self, _: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        self.rows += 1;
        self.values += values.len();
        Ok(())
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        panic!("{rejection:?}");
    }

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}

/// Adds rows to one index, whatever their time.
struct OneIndex(WriteIndex);

impl RowSink for OneIndex {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        match self.0.add(timestamp_ms, values) {
            Ok(_) => Ok(()),
            Err(error) => Err(RowError::Stop(error.to_string())),
        }
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        panic!("{rejection:?}");
    }

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}

fn main() {
    harness::run_benchmarks(|runner| {
        let body = page_views::json_lines(PageViews::standard().take(ROWS), &Texts::new());
        harness::note(&format!("ingest: {} bytes an event", body.len() / ROWS));
        let mut group = runner.benchmark_group("ingest");
        group.throughput(Throughput::ElementsAndBytes {
            elements: ROWS as u64,
            bytes: body.len() as u64,
        });

        let mut sink = Discard::default();
        let mut first = parser();
        let counts = first.parse_batch(&body, &mut sink).unwrap();
        assert_eq!((counts.accepted, first.take_changes().total()), (ROWS as u64, 0));
        assert_eq!((sink.rows, sink.values), (ROWS, ROWS * 11));
        group.bench_function("parse", |bencher| {
            let mut parser = parser();
            bencher.iter(|| parser.parse_batch(&body, &mut Discard::default()).unwrap());
        });

        let mut sink = OneIndex(index());
        parser().parse_batch(&body, &mut sink).unwrap();
        assert_eq!(sink.0.row_count(), ROWS);
        group.bench_function("parse_and_index", |bencher| {
            let mut parser = parser();
            let ingest = |mut sink: OneIndex| {
                parser.parse_batch(&body, &mut sink).unwrap();
                sink
            };
            bencher.iter_batched(|| OneIndex(index()), ingest, BatchSize::PerIteration);
        });
        group.finish();
    });
}

fn parser() -> RowParser {
    let schema = page_views::data_schema().unwrap();
    RowParser::new(Arc::new(schema), ParseLimits::default()).unwrap()
}

fn index() -> WriteIndex {
    let schema = page_views::data_schema().unwrap();
    let schema = index_schema(&schema, parser().dimensions());
    WriteIndex::new(schema, IndexLimits { max_rows: usize::MAX, max_bytes: usize::MAX }).unwrap()
}
