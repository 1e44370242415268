//! Scans ordered by columns, with a limit: the first rows of two million, and all their columns.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use std::cmp::Reverse;

use criterion::Throughput;
use henge_benches::harness::{self, Runner, Table};
use henge_benches::page_views::TextField;
use serde_json::{Value, json};

const ROWS: usize = 2_000_000;
const LIMIT: usize = 10;

fn main() {
    harness::run_benchmarks(|runner| {
        let table = Table::of_rows(ROWS);
        first_rows(runner, &table);
    });
}

/// An order, a filter, and the first rows as the columns say.
struct Case<'t> {
    name: &'static str,
    order: Value,
    filter: Value,
    first: Box<dyn Fn() -> Vec<usize> + 't>,
}

fn first_rows(runner: &mut Runner, table: &Table) {
    let mut group = runner.benchmark_group("scan");
    group.throughput(Throughput::Elements(ROWS as u64));
    for Case { name, order, filter, first } in cases(table) {
        let query = harness::query(&json!({
            "queryType": "scan", "orderBy": order, "filter": filter, "limit": LIMIT,
            "resultFormat": "compactedList",
        }));
        let check = || {
            let answer = table.answer(&query);
            let columns = answer[0]["columns"].as_array().unwrap();
            let at = columns.iter().position(|column| column == "bytes").unwrap();
            let rows = answer[0]["events"].as_array().unwrap();
            let bytes: Vec<i64> = rows.iter().map(|row| row[at].as_i64().unwrap()).collect();
            let rows = first().into_iter().take(LIMIT);
            let expected: Vec<i64> = rows.map(|row| table.columns.bytes[row]).collect();
            assert_eq!(bytes, expected, "{name}");
        };
        harness::bench_checked(&mut group, name, check, || table.run(&query));
    }
    group.finish();
}

fn cases(table: &Table) -> Vec<Case<'_>> {
    let key = |column: &str, order: &str| json!({"columnName": column, "order": order});
    let columns = &table.columns;
    let visitors = columns.text_ids(TextField::VisitorId);
    let sorted = |by: &dyn Fn(&mut Vec<usize>)| {
        let mut rows: Vec<usize> = (0..ROWS).collect();
        by(&mut rows);
        rows
    };
    vec![
        Case {
            name: "by_a_number",
            order: json!([key("bytes", "descending")]),
            filter: Value::Null,
            first: Box::new(move || {
                sorted(&|rows| rows.sort_by_key(|row| Reverse(columns.bytes[*row])))
            }),
        },
        Case {
            name: "by_text_and_time",
            order: json!([key("visitor_id", "ascending"), key("__time", "descending")]),
            filter: Value::Null,
            first: Box::new(move || {
                let key = |row: &usize| (visitors[*row], Reverse(columns.time_ms[*row]));
                sorted(&|rows| rows.sort_by_key(key))
            }),
        },
        Case {
            name: "by_time_where_a_text_contains_a_word",
            order: json!([key("__time", "ascending")]),
            filter: json!({"type": "like", "dimension": "visitor_id", "pattern": "%77%"}),
            first: Box::new(move || {
                let text = |row: &usize| table.texts.get(TextField::VisitorId, visitors[*row]);
                (0..ROWS).filter(|row| text(row).is_some_and(|text| text.contains("77"))).collect()
            }),
        },
    ]
}
