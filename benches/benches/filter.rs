//! Filters: how many rows of the page views pass, through one data node's run of a timeseries.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use criterion::Throughput;
use henge_benches::harness::{self, Runner, Table};
use henge_benches::page_views::TextField;
use serde_json::{Value, json};

const ROWS: usize = 2_000_000;

/// What a filter means for a row of the columns.
type Passes = dyn Fn(&Table, usize) -> bool;

/// A filter.
struct Case {
    name: &'static str,
    filter: Value,
    passes: Box<Passes>,
}

fn main() {
    harness::run_benchmarks(|runner| {
        let table = Table::of_rows(ROWS);
        rows_that_pass(runner, &table);
        sums_of_rows_that_pass(runner, &table);
    });
}

fn rows_that_pass(runner: &mut Runner, table: &Table) {
    let mut group = runner.benchmark_group("filter");
    group.throughput(Throughput::Elements(ROWS as u64));
    for Case { name, filter, passes } in cases() {
        let query = harness::query(&json!({
            "queryType": "timeseries",
            "filter": filter,
            "aggregations": [{"type": "count", "name": "rows"}],
        }));
        let check = || {
            let expected = (0..ROWS).filter(|row| passes(table, *row)).count();
            assert_eq!(table.answer(&query)[0]["result"]["rows"], expected, "{name}");
            harness::note(&format!("filter/{name}: {expected} of {ROWS} rows"));
        };
        harness::bench_checked(&mut group, name, check, || table.run(&query));
    }
    group.finish();
}

/// What it costs to hand the rows on: one sum over those that pass.
fn sums_of_rows_that_pass(runner: &mut Runner, table: &Table) {
    let mut group = runner.benchmark_group("filter/then_sum");
    group.throughput(Throughput::Elements(ROWS as u64));
    for Case { name, filter, passes } in cases() {
        let query = harness::query(&json!({
            "queryType": "timeseries",
            "filter": filter,
            "aggregations": [{"type": "longSum", "name": "bytes", "fieldName": "bytes"}],
        }));
        let check = || {
            let passing = (0..ROWS).filter(|row| passes(table, *row));
            let expected: i64 = passing.map(|row| table.columns.bytes[row]).sum();
            assert_eq!(table.answer(&query)[0]["result"]["bytes"], expected, "{name}");
        };
        harness::bench_checked(&mut group, name, check, || table.run(&query));
    }
    group.finish();
}

fn case(
    name: &'static str,
    filter: Value,
    passes: impl Fn(&Table, usize) -> bool + 'static,
) -> Case {
    Case { name, filter, passes: Box::new(passes) }
}

/// The text of a row; "" for null.
fn text(table: &Table, field: TextField, row: usize) -> &str {
    table.texts.get(field, table.columns.text_ids(field)[row]).unwrap_or_default()
}

fn cases() -> Vec<Case> {
    let selector = |dimension: &str, value: &str| json!({"type": "selector", "dimension": dimension, "value": value});
    let country = |row_country: &'static str| {
        move |table: &Table, row| text(table, TextField::Country, row) == row_country
    };
    let in_us = country("US");
    let (us, mobile) = (selector("country", "US"), selector("device", "mobile"));
    let bytes = json!({"type": "range", "column": "bytes", "matchValueType": "LONG",
        "lower": 1_000, "upper": 50_000, "upperOpen": true});
    vec![
        case("one_value_of_many_rows", us.clone(), in_us),
        case("one_value_of_few_rows", selector("visitor_id", "visitor-000777"), |table, row| {
            text(table, TextField::VisitorId, row) == "visitor-000777"
        }),
        case("null", json!({"type": "null", "column": "referrer"}), |table, row| {
            table.columns.text_ids(TextField::Referrer)[row] == 0
        }),
        case(
            "in_five_values",
            json!({"type": "in", "dimension": "country", "values": ["AT", "CH", "DE", "FR", "IT"]}),
            |table, row| {
                ["AT", "CH", "DE", "FR", "IT"].contains(&text(table, TextField::Country, row))
            },
        ),
        case(
            "prefix",
            json!({"type": "like", "dimension": "uri", "pattern": "/products/%"}),
            |table, row| text(table, TextField::Uri, row).starts_with("/products/"),
        ),
        case(
            "contains",
            json!({"type": "like", "dimension": "uri", "pattern": "%page-07%"}),
            |table, row| text(table, TextField::Uri, row).contains("page-07"),
        ),
        case(
            "contains_among_many_values",
            json!({"type": "like", "dimension": "visitor_id", "pattern": "%0777%"}),
            |table, row| text(table, TextField::VisitorId, row).contains("0777"),
        ),
        case(
            "regex",
            json!({"type": "regex", "dimension": "uri", "pattern": "7$"}),
            |table, row| text(table, TextField::Uri, row).ends_with('7'),
        ),
        case("long_range", bytes.clone(), |table, row| {
            (1_000..50_000).contains(&table.columns.bytes[row])
        }),
        case(
            "in_five_longs",
            json!({"type": "in", "dimension": "bytes", "values": ["300", "301", "555", "999", "12345"]}),
            |table, row| [300, 301, 555, 999, 12_345].contains(&table.columns.bytes[row]),
        ),
        case(
            "double_range",
            json!({"type": "range", "column": "revenue", "matchValueType": "DOUBLE",
                "lower": 0.005, "upper": 0.015}),
            |table, row| (0.005..=0.015).contains(&table.columns.revenue[row]),
        ),
        case("and_of_two", json!({"type": "and", "fields": [us.clone(), mobile.clone()]}), {
            move |table, row| in_us(table, row) && text(table, TextField::Device, row) == "mobile"
        }),
        case(
            "or_with_not",
            json!({"type": "or", "fields": [us, {"type": "not", "field": mobile}]}),
            move |table, row| in_us(table, row) || text(table, TextField::Device, row) != "mobile",
        ),
        case(
            "and_with_long_range",
            json!({"type": "and", "fields": [selector("country", "DE"), bytes]}),
            move |table, row| {
                text(table, TextField::Country, row) == "DE"
                    && (1_000..50_000).contains(&table.columns.bytes[row])
            },
        ),
    ]
}
