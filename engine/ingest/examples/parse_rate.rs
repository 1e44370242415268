//! Prints how many events of twelve fields one core parses in a second, into a sink that only looks
//! at the values: `cargo run --release -p henge-ingest --example parse_rate`.
//!
//! Batches are short, and the best and the median are printed, so that other work on the machine
//! shows in their distance and not in the best.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people to run")]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use henge_index::DimensionSchema;
use henge_ingest::{ParseLimits, Rejection, RowError, RowParser, RowSink};
use henge_query::ingest::DataSchema;
use henge_types::ValueRef;

struct Discard;

impl RowSink for Discard {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        black_box((timestamp_ms, values));
        Ok(())
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        panic!("{}", rejection.reason);
    }

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}

const DIMENSIONS: &str = r#"["page", "site", "user", "country", "city", "browser", "device",
    "referrer", {"type": "long", "name": "status"}]"#;
const METRICS: &str = r#"[{"type": "count", "name": "count"},
    {"type": "longSum", "name": "bytes", "fieldName": "bytes"},
    {"type": "doubleSum", "name": "load_time", "fieldName": "load_time"}]"#;

/// Page views of twelve fields, one a line.
fn body(events: u64) -> String {
    let mut out = String::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for i in 0..events {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let r = state >> 33;
        writeln!(
            out,
            r#"{{"timestamp":"2024-05-0{}T{:02}:{:02}:{:02}.{:03}Z","page":"/articles/{}/some-title","site":"site{}.example.org","user":"u{:08x}","country":"Czech Republic","city":"Prague","browser":"Firefox 12{}","device":"desktop","referrer":"https://search.example.com/?q={}","status":{},"bytes":{},"load_time":{}.{}}}"#,
            1 + i % 7, r % 24, r % 60, i % 60, i % 1000, r % 5000, r % 20, r, r % 10, r % 997,
            if r.is_multiple_of(50) { 404 } else { 200 }, r % 100_000, r % 9, r % 1000,
        )
        .unwrap();
    }
    out
}

fn measure(name: &str, schema: &str, body: &str, events: u64) {
    let schema = Arc::new(DataSchema::parse(schema.as_bytes()).unwrap());
    let mut parser = RowParser::new(schema, ParseLimits::default()).unwrap();
    let mut seconds: Vec<f64> = (0..501)
        .map(|_| {
            let start = Instant::now();
            let counts = parser.parse_batch(body.as_bytes(), &mut Discard).unwrap();
            assert_eq!(counts.accepted, events);
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let rate = |seconds: f64| events as f64 / seconds;
    println!(
        "{name}: best {:.0} events/s ({:.0} MB/s), median {:.0} events/s, {:.0} bytes an event",
        rate(seconds[0]),
        body.len() as f64 / seconds[0] / 1e6,
        rate(seconds[seconds.len() / 2]),
        body.len() as f64 / events as f64,
    );
}

fn main() {
    let events = 2_000;
    let body = body(events);
    let declared = format!(
        r#"{{"dataSource": "views", "dimensionsSpec": {{"dimensions": {DIMENSIONS}}}, "metricsSpec": {METRICS}}}"#
    );
    measure("declared", &declared, &body, events);
    let discovered = format!(
        r#"{{"dataSource": "views", "dimensionsSpec": {{"useSchemaDiscovery": true}}, "metricsSpec": {METRICS}}}"#
    );
    measure("discovered", &discovered, &body, events);
    let transformed = declared.replace(
        "\"metricsSpec\"",
        r#""transformSpec": {"transforms": [{"type": "expression", "name": "site", "expression": "upper(substring(site, 0, 5))"}], "filter": {"type": "selector", "dimension": "device", "value": "desktop"}}, "metricsSpec""#,
    );
    measure("one transform and a filter", &transformed, &body, events);
}
