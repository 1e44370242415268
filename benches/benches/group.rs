//! Aggregation: timeseries, topN and groupBy over the page views, one thread, one segment.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use criterion::Throughput;
use henge_benches::harness::{self, Runner, Table};
use henge_benches::page_views::TextField;
use henge_exec::{GroupedPartial, KeyColumn, Partial, StateColumn};
use henge_query::Query;
use serde_json::{Value, json};

/// Enough that nearly all of the million visitors come.
const ROWS: usize = 4_000_000;

fn main() {
    let mut runner = harness::runner();
    let table = Table::of_rows(ROWS);
    timeseries(&mut runner, &table);
    top_n(&mut runner, &table);
    group_by(&mut runner, &table);
    runner.final_summary();
}

fn measure(runner: &mut Runner, name: &str, table: &Table, query: &Query, bytes_a_row: usize) {
    let (group, name) = name.split_once('/').unwrap();
    let mut group = runner.benchmark_group(group);
    let bytes = (ROWS * bytes_a_row) as u64;
    group.throughput(Throughput::ElementsAndBytes { elements: ROWS as u64, bytes });
    group.bench_function(name, |bencher| bencher.iter(|| table.run(query)));
    group.finish();
}

fn sum(kind: &str, name: &str, field: &str) -> Value {
    json!({"type": kind, "name": name, "fieldName": field})
}

/// The three numbers, and one of them again as doubles.
fn four_sums() -> Value {
    json!([
        sum("doubleSum", "revenue", "revenue"),
        sum("longSum", "bytes", "bytes"),
        sum("longSum", "duration_ms", "duration_ms"),
        sum("doubleSum", "bytes_as_double", "bytes"),
    ])
}

fn assert_close(actual: &Value, expected: f64) {
    let actual = actual.as_f64().unwrap();
    let tolerance = expected.abs() * 1e-9;
    assert!((actual - expected).abs() <= tolerance, "{actual} is not {expected}");
}

fn timeseries(runner: &mut Runner, table: &Table) {
    let columns = &table.columns;
    let revenue: f64 = columns.revenue.iter().sum();
    let bytes: i64 = columns.bytes.iter().sum();
    let query = |granularity: &str, filter: Value, aggregations: Value| {
        harness::query(&json!({"queryType": "timeseries", "granularity": granularity,
            "filter": filter, "aggregations": aggregations}))
    };
    let one = query("all", Value::Null, json!([sum("doubleSum", "revenue", "revenue")]));
    assert_close(&table.answer(&one)[0]["result"]["revenue"], revenue);
    measure(runner, "timeseries/sum_double", table, &one, 8);

    let long = query("all", Value::Null, json!([sum("longSum", "bytes", "bytes")]));
    assert_eq!(table.answer(&long)[0]["result"]["bytes"], bytes);
    measure(runner, "timeseries/sum_long", table, &long, 8);

    let four = query("all", Value::Null, four_sums());
    let answer = table.answer(&four);
    assert_close(&answer[0]["result"]["revenue"], revenue);
    assert_close(&answer[0]["result"]["bytes_as_double"], bytes as f64);
    assert_eq!(answer[0]["result"]["bytes"], bytes);
    measure(runner, "timeseries/four_sums", table, &four, 24);

    for (name, filter, is_in) in [
        ("timeseries/four_sums_of_a_quarter", "US", "country"),
        ("timeseries/four_sums_of_a_percent", "purchase", "event_type"),
    ] {
        let selector = json!({"type": "selector", "dimension": is_in, "value": filter});
        let filtered = query("all", selector, four_sums());
        let expected = filtered_bytes(table, is_in, filter);
        assert_eq!(table.answer(&filtered)[0]["result"]["bytes"], expected, "{name}");
        measure(runner, name, table, &filtered, 28);
    }

    for granularity in ["hour", "minute"] {
        let by_time = query(granularity, Value::Null, four_sums());
        let answer = table.answer(&by_time);
        let sums = answer.as_array().unwrap().iter();
        let total: i64 = sums.filter_map(|row| row["result"]["bytes"].as_i64()).sum();
        assert_eq!(total, bytes);
        let name = format!("timeseries/four_sums_by_{granularity}");
        measure(runner, &name, table, &by_time, 32);
    }
}

fn filtered_bytes(table: &Table, name: &str, value: &str) -> i64 {
    let fields = [TextField::Country, TextField::EventType];
    let field = fields.into_iter().find(|field| field.name() == name).unwrap();
    let rows = table.columns.text_ids(field).iter().zip(&table.columns.bytes);
    let kept = rows.filter(|(id, _)| table.texts.get(field, **id) == Some(value));
    kept.map(|(_, bytes)| bytes).sum()
}

fn top_n(runner: &mut Runner, table: &Table) {
    for (name, field, id_bytes) in [
        ("top_n/of_60_countries", TextField::Country, 1),
        ("top_n/of_20_thousand_uris", TextField::Uri, 2),
        ("top_n/of_a_million_visitors", TextField::VisitorId, 4),
    ] {
        let query = harness::query(&json!({
            "queryType": "topN",
            "dimension": field.name(),
            "metric": "bytes",
            "threshold": 100,
            "aggregations": [sum("longSum", "bytes", "bytes")],
        }));
        let answer = table.answer(&query);
        let rows = answer[0]["result"].as_array().unwrap();
        let top: Vec<i64> = rows.iter().map(|row| row["bytes"].as_i64().unwrap()).collect();
        assert_eq!(top, largest_sums(table, field, 100), "{name}");
        measure(runner, name, table, &query, id_bytes + 8);
    }
    let query = harness::query(&json!({
        "queryType": "topN",
        "dimension": "visitor_id",
        "metric": "bytes",
        "threshold": 100,
        "aggregations": four_sums(),
    }));
    let answer = table.answer(&query);
    assert_eq!(answer[0]["result"][0]["bytes"], largest_sums(table, TextField::VisitorId, 1)[0]);
    measure(runner, "top_n/of_a_million_visitors_four_sums", table, &query, 28);
}

/// The largest sums of bytes by a field, largest first.
fn largest_sums(table: &Table, field: TextField, count: usize) -> Vec<i64> {
    let mut sums = vec![0; field.value_count() as usize + 1];
    for (id, bytes) in table.columns.text_ids(field).iter().zip(&table.columns.bytes) {
        sums[*id as usize] += bytes;
    }
    sums.retain(|sum| *sum > 0);
    sums.sort_unstable_by(|a, b| b.cmp(a));
    sums.truncate(count);
    sums
}

fn group_by(runner: &mut Runner, table: &Table) {
    for (name, fields, bytes_a_row) in [
        ("group_by/country_and_browser", [TextField::Country, TextField::Browser], 10),
        ("group_by/uri_and_country", [TextField::Uri, TextField::Country], 11),
        ("group_by/visitor_and_device", [TextField::VisitorId, TextField::Device], 13),
    ] {
        let query = harness::query(&json!({
            "queryType": "groupBy",
            "dimensions": fields.map(TextField::name),
            "aggregations": [sum("longSum", "bytes", "bytes"), {"type": "count", "name": "rows"}],
        }));
        let Partial::Grouped(groups) = table.run(&query) else { panic!("{name} has no groups") };
        assert_eq!(groups.group_count(), distinct_pairs(table, fields), "{name}");
        let [bytes, rows] = [0, 1].map(|state| long_states(&groups, state));
        assert_eq!(rows.iter().sum::<i64>(), ROWS as i64);
        assert_eq!(bytes.iter().sum::<i64>(), table.columns.bytes.iter().sum::<i64>());
        check_one_group(table, fields, &groups);
        harness::note(&format!("{name}: {} groups", groups.group_count()));
        measure(runner, name, table, &query, bytes_a_row);
    }
}

fn distinct_pairs(table: &Table, fields: [TextField; 2]) -> usize {
    let [first, second] = fields.map(|field| table.columns.text_ids(field));
    let mut pairs: Vec<u64> =
        first.iter().zip(second).map(|(a, b)| u64::from(*a) << 32 | u64::from(*b)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.len()
}

fn long_states(groups: &GroupedPartial, state: usize) -> &[i64] {
    match &groups.states[state] {
        StateColumn::Long { values, .. } => values,
        other => panic!("{other:?} is not LONG"),
    }
}

/// Compares the group of the table's first row.
fn check_one_group(table: &Table, fields: [TextField; 2], groups: &GroupedPartial) {
    let ids = fields.map(|field| table.columns.text_ids(field));
    let rows = (0..ROWS).filter(|row| ids.iter().all(|ids| ids[*row] == ids[0]));
    let expected: i64 = rows.map(|row| table.columns.bytes[row]).sum();
    let key = fields.map(|field| table.texts.get(field, table.columns.text_ids(field)[0]));
    let is_key = |group: &usize| {
        groups.keys.iter().zip(key).all(|(column, text)| match column {
            KeyColumn::String(keys) => keys.get(*group) == text,
            _ => false,
        })
    };
    let group = (0..groups.group_count()).find(is_key).unwrap();
    assert_eq!(long_states(groups, 0)[group], expected);
}
