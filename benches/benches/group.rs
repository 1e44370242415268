//! Aggregation: timeseries, topN and groupBy over the page views, one thread, one segment.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use std::cell::LazyCell;

use criterion::Throughput;
use henge_benches::harness::{self, Runner, Table};
use henge_benches::page_views::TextField;
use henge_exec::{
    ExecContext, Extent, GroupedPartial, Partial, merge, merge_partition, partition_groups,
    run_blocks,
};
use henge_query::Query;
use henge_segment::SegmentView;
use henge_vector::Column;
use serde_json::{Value, json};

/// Enough that nearly all of the million visitors come.
const ROWS: usize = 4_000_000;
/// What a data node cuts groups beyond its memory into.
const PARTITIONS: usize = 32;

fn main() {
    harness::run_benchmarks(|runner| {
        let table = Table::of_rows(ROWS);
        timeseries(runner, &table);
        top_n(runner, &table);
        group_by(runner, &table);
        many_groups(runner, &table);
        groups_put_aside(runner, &table);
        exact_distinct(runner, &table);
    });
}

/// A query, and how many bytes of plain values it reads a row.
struct Case {
    name: String,
    query: Query,
    bytes_a_row: usize,
}

impl Case {
    fn new(name: &str, bytes_a_row: usize, fields: &Value) -> Self {
        Self { name: name.to_owned(), query: harness::query(fields), bytes_a_row }
    }

    /// Compares the answer, then times one node's run.
    fn measure(&self, runner: &mut Runner, table: &Table, check: impl FnOnce(&Query)) {
        self.measure_as(runner, check, || table.run(&self.query));
    }

    fn measure_as(
        &self,
        runner: &mut Runner,
        check: impl FnOnce(&Query),
        routine: impl FnMut() -> Partial,
    ) {
        let (group, name) = self.name.split_once('/').unwrap();
        let mut group = runner.benchmark_group(group);
        let bytes = (ROWS * self.bytes_a_row) as u64;
        group.throughput(Throughput::ElementsAndBytes { elements: ROWS as u64, bytes });
        harness::bench_checked(&mut group, name, || check(&self.query), routine);
        group.finish();
    }
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
    let case = |name: &str, bytes_a_row, granularity: &str, filter: Value, sums: Value| {
        let fields = json!({"queryType": "timeseries", "granularity": granularity,
            "filter": filter, "aggregations": sums});
        Case::new(&format!("timeseries/{name}"), bytes_a_row, &fields)
    };
    let one = json!([sum("doubleSum", "revenue", "revenue")]);
    case("sum_double", 8, "all", Value::Null, one).measure(runner, table, |query| {
        let answer = table.answer(query);
        assert_close(&answer[0]["result"]["revenue"], columns.revenue.iter().sum());
    });
    let one = json!([sum("longSum", "bytes", "bytes")]);
    case("sum_long", 8, "all", Value::Null, one).measure(runner, table, |query| {
        assert_eq!(table.answer(query)[0]["result"]["bytes"], columns.bytes.iter().sum::<i64>());
    });
    case("four_sums", 24, "all", Value::Null, four_sums()).measure(runner, table, |query| {
        let result = &table.answer(query)[0]["result"];
        let bytes: i64 = columns.bytes.iter().sum();
        assert_close(&result["revenue"], columns.revenue.iter().sum());
        assert_close(&result["bytes_as_double"], bytes as f64);
        assert_eq!(result["bytes"], bytes);
    });
    for (name, field, value) in [
        ("four_sums_of_a_quarter", TextField::Country, "US"),
        ("four_sums_of_a_percent", TextField::EventType, "purchase"),
    ] {
        let filter = json!({"type": "selector", "dimension": field.name(), "value": value});
        case(name, 28, "all", filter, four_sums()).measure(runner, table, |query| {
            let expected = filtered_bytes(table, field, value);
            assert_eq!(table.answer(query)[0]["result"]["bytes"], expected, "{name}");
        });
    }
    let shifted: Vec<Value> = (0..90)
        .map(|by| {
            let text = format!("bytes + {by}");
            json!({"type": "longSum", "name": format!("s{by}"), "expression": text})
        })
        .collect();
    case("ninety_shifted_sums", 8, "all", Value::Null, json!(shifted)).measure(
        runner,
        table,
        |query| {
            let result = &table.answer(query)[0]["result"];
            let bytes: i64 = columns.bytes.iter().sum();
            assert_eq!(result["s89"], bytes + 89 * ROWS as i64);
        },
    );
    for granularity in ["hour", "minute"] {
        let name = format!("four_sums_by_{granularity}");
        case(&name, 32, granularity, Value::Null, four_sums()).measure(runner, table, |query| {
            let answer = table.answer(query);
            let sums = answer.as_array().unwrap().iter();
            let total: i64 = sums.filter_map(|row| row["result"]["bytes"].as_i64()).sum();
            assert_eq!(total, columns.bytes.iter().sum::<i64>());
        });
    }
}

fn filtered_bytes(table: &Table, field: TextField, value: &str) -> i64 {
    let rows = table.columns.text_ids(field).iter().zip(&table.columns.bytes);
    let kept = rows.filter(|(id, _)| table.texts.get(field, **id) == Some(value));
    kept.map(|(_, bytes)| bytes).sum()
}

fn top_n(runner: &mut Runner, table: &Table) {
    let case = |name: &str, bytes_a_row, field: TextField, sums: Value| {
        let fields = json!({"queryType": "topN", "dimension": field.name(), "metric": "bytes",
            "threshold": 100, "aggregations": sums});
        Case::new(&format!("top_n/{name}"), bytes_a_row, &fields)
    };
    let bytes = || json!([sum("longSum", "bytes", "bytes")]);
    let visitor = TextField::VisitorId;
    for (case, field) in [
        (case("of_60_countries", 9, TextField::Country, bytes()), TextField::Country),
        (case("of_20_thousand_uris", 10, TextField::Uri, bytes()), TextField::Uri),
        (case("of_a_million_visitors", 12, visitor, bytes()), visitor),
        (case("of_a_million_visitors_four_sums", 28, visitor, four_sums()), visitor),
    ] {
        case.measure(runner, table, |query| check_top(table, field, table.run(query), query));
    }
    // Where no other segment has rows, only groups that can win are kept.
    for (name, bytes_a_row, sums) in [
        ("of_a_million_visitors_only_segment", 12, bytes()),
        ("of_a_million_visitors_four_sums_only_segment", 28, four_sums()),
    ] {
        let case = case(name, bytes_a_row, visitor, sums);
        let run = |query: &Query| {
            let blocks = 0..table.segment.block_count();
            let ctx = ExecContext::default();
            run_blocks(query, &*table.segment, blocks, Extent::Whole, &ctx).unwrap()
        };
        let check = |query: &Query| check_top(table, visitor, run(query), query);
        case.measure_as(runner, check, || run(&case.query));
    }
}

fn check_top(table: &Table, field: TextField, partial: Partial, query: &Query) {
    let answer = harness::finish(query, partial);
    let rows = answer[0]["result"].as_array().unwrap();
    let top: Vec<i64> = rows.iter().map(|row| row["bytes"].as_i64().unwrap()).collect();
    assert_eq!(top, largest_sums(table, field, 100), "{}", field.name());
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
    length_by_country(runner, table);
    least_visitor_by_country(runner, table);
    section_of_uri(runner, table);
    for (name, fields, bytes_a_row) in [
        ("group_by/country_and_browser", [TextField::Country, TextField::Browser], 10),
        ("group_by/uri_and_country", [TextField::Uri, TextField::Country], 11),
        ("group_by/visitor_and_device", [TextField::VisitorId, TextField::Device], 13),
    ] {
        let case = Case::new(
            name,
            bytes_a_row,
            &json!({
                "queryType": "groupBy",
                "dimensions": fields.map(TextField::name),
                "aggregations": [sum("longSum", "bytes", "bytes"), {"type": "count", "name": "rows"}],
            }),
        );
        case.measure(runner, table, |query| {
            let Partial::Grouped(groups) = table.run(query) else { panic!("{name}: no groups") };
            assert_eq!(groups.group_count(), distinct_pairs(table, fields), "{name}");
            let [bytes, rows] = [0, 1].map(|state| long_states(&groups, state));
            assert_eq!(rows.iter().sum::<i64>(), ROWS as i64);
            assert_eq!(bytes.iter().sum::<i64>(), table.columns.bytes.iter().sum::<i64>());
            check_one_group(table, fields, &groups);
            harness::note(&format!("{name}: {} groups", groups.group_count()));
        });
    }
}

/// The lengths of a million texts, each counted once.
fn length_by_country(runner: &mut Runner, table: &Table) {
    let case = Case::new(
        "group_by/length_of_a_million_visitors_by_country",
        8,
        &json!({
            "queryType": "groupBy",
            "dimensions": ["country"],
            "aggregations": [
                {"type": "longSum", "name": "length", "expression": "strlen(visitor_id)"},
            ],
        }),
    );
    case.measure(runner, table, |query| {
        let Partial::Grouped(groups) = table.run(query) else { panic!("no groups") };
        let text = |id: &u32| table.texts.get(TextField::VisitorId, *id).unwrap_or_default();
        let ids = table.columns.text_ids(TextField::VisitorId).iter();
        let expected: i64 = ids.map(|id| text(id).len() as i64).sum();
        assert_eq!(long_states(&groups, 0).iter().sum::<i64>(), expected);
    });
}

/// The least of a million texts: by id, and read once a group.
fn least_visitor_by_country(runner: &mut Runner, table: &Table) {
    let case = Case::new(
        "group_by/least_of_a_million_visitors_by_country",
        5,
        &json!({
            "queryType": "groupBy",
            "dimensions": ["country"],
            "aggregations": [{"type": "stringMin", "name": "least", "fieldName": "visitor_id"}],
        }),
    );
    case.measure(runner, table, |query| {
        let [countries, visitors] = [TextField::Country, TextField::VisitorId]
            .map(|field| (field, table.columns.text_ids(field)));
        let country = countries.1[0];
        let of_country = countries.1.iter().zip(visitors.1).filter(|(id, _)| **id == country);
        // Ids ascend as the texts do.
        let least = of_country.map(|(_, visitor)| *visitor).min().unwrap();
        let expected = json!({
            "country": table.texts.get(countries.0, country),
            "least": table.texts.get(visitors.0, least),
        });
        let answer = table.answer(query);
        assert!(answer.as_array().unwrap().iter().any(|row| row["event"] == expected));
    });
}

/// What a pattern finds at the beginning of a text: found once a value of the dictionary.
fn section_of_uri(runner: &mut Runner, table: &Table) {
    let expression = "regexp_extract(uri, '^/([^/]+)/.*$', 1)";
    let case = Case::new(
        "group_by/section_of_20_thousand_uris",
        2,
        &json!({
            "queryType": "groupBy",
            "dimensions": ["section"],
            "virtualColumns": [{"type": "expression", "name": "section", "outputType": "STRING",
                "expression": expression}],
            "aggregations": [{"type": "count", "name": "rows"}],
        }),
    );
    case.measure(runner, table, |query| {
        let uris = table.columns.text_ids(TextField::Uri).iter();
        let section = |id: &u32| table.texts.get(TextField::Uri, *id)?.split('/').nth(1);
        let expected = uris.filter(|id| section(id) == Some("products")).count();
        let answer = table.answer(query);
        let rows = answer.as_array().unwrap().iter().map(|row| &row["event"]);
        let found: Vec<&Value> = rows.filter(|event| event["section"] == "products").collect();
        assert_eq!(found, [&json!({"section": "products", "rows": expected})]);
    });
}

/// Numbers as keys, so many that tables are handed on and merged in partitions, to the last group.
fn many_groups(runner: &mut Runner, table: &Table) {
    let long = |name: &str| json!({"type": "default", "dimension": name, "outputType": "LONG"});
    let visitor = json!(TextField::VisitorId.name());
    let before = |by: usize| long(&format!("before_{by}"));
    let shift = |by: usize| {
        json!({"type": "expression", "name": format!("before_{by}"), "outputType": "LONG",
            "expression": format!("bytes - {by}")})
    };
    for (name, bytes_a_row, dimensions) in [
        ("many_groups/of_a_number", 8, vec![long("bytes")]),
        ("many_groups/two_numbers", 16, vec![long("bytes"), long("duration_ms")]),
        ("many_groups/number_and_visitor", 12, vec![long("bytes"), visitor]),
        ("many_groups/shifted_numbers", 8, vec![long("bytes"), before(1), before(2)]),
    ] {
        let case = Case::new(
            name,
            bytes_a_row,
            &json!({
                "queryType": "groupBy", "dimensions": dimensions,
                "virtualColumns": [shift(1), shift(2)],
                "aggregations": [{"type": "count", "name": "rows"}],
                "limitSpec": {"type": "default", "limit": 10,
                    "columns": [{"dimension": "rows", "direction": "descending"}]},
            }),
        );
        let check = |query: &Query| {
            let most = harness::finish(query, table.gather(query));
            // All in one table.
            let expected = harness::finish(query, table.run(query));
            assert_eq!(most, expected, "{name}");
        };
        case.measure_as(runner, check, || table.gather(&case.query));
    }
}

/// What groups beyond memory cost beside reading and writing: cut into partitions, merged one by one.
fn groups_put_aside(runner: &mut Runner, table: &Table) {
    let case = Case::new(
        "many_groups/put_aside_in_partitions",
        12,
        &json!({
            "queryType": "groupBy",
            "dimensions": [{"type": "default", "dimension": "bytes", "outputType": "LONG"}, "visitor_id"],
            "aggregations": [{"type": "count", "name": "rows"}],
            "limitSpec": {"type": "default", "limit": 10,
                "columns": [{"dimension": "rows", "direction": "descending"}]},
        }),
    );
    let ctx = ExecContext::default();
    let groups = LazyCell::new(|| match table.run(&case.query) {
        Partial::Grouped(groups) => groups,
        _ => panic!("no groups"),
    });
    let in_partitions = || {
        let parts = partition_groups(&groups, PARTITIONS).into_iter();
        let best = parts.map(|part| merge_partition(&case.query, vec![part], &ctx).unwrap());
        merge(&case.query, best.collect(), &ctx).unwrap()
    };
    let check = |query: &Query| {
        let expected = harness::finish(query, Partial::Grouped(groups.clone()));
        assert_eq!(harness::finish(query, in_partitions()), expected);
    };
    case.measure_as(runner, check, in_partitions);
}

/// Distinct values counted exactly: texts by their ids, numbers by their bits, alone and by group.
fn exact_distinct(runner: &mut Runner, table: &Table) {
    for (name, bytes_a_row, field, by) in [
        ("exact_distinct/of_a_text", 4, "visitor_id", None),
        ("exact_distinct/of_a_number", 8, "bytes", None),
        ("exact_distinct/of_a_text_by_country", 5, "visitor_id", Some(TextField::Country)),
        ("exact_distinct/of_a_number_by_country", 9, "bytes", Some(TextField::Country)),
        ("exact_distinct/of_a_number_by_uri", 10, "bytes", Some(TextField::Uri)),
    ] {
        let case = Case::new(
            name,
            bytes_a_row,
            &json!({
                "queryType": "groupBy", "dimensions": by.iter().map(|by| by.name()).collect::<Vec<_>>(),
                "aggregations": [{"type": "exactDistinctCount", "name": "n", "fieldName": field}],
            }),
        );
        let check = |query: &Query| {
            let answer = harness::finish(query, table.gather(query));
            let counts = answer.as_array().unwrap().iter();
            let total: u64 = counts.filter_map(|row| row["event"]["n"].as_u64()).sum();
            assert_eq!(total as usize, distinct_values(table, field, by), "{name}");
        };
        case.measure_as(runner, check, || table.gather(&case.query));
    }
}

/// Distinct pairs of a value of a field and one that it is grouped by.
fn distinct_values(table: &Table, field: &str, by: Option<TextField>) -> usize {
    let groups = by.map(|by| table.columns.text_ids(by));
    let group = |row: usize| groups.map_or(0, |ids| u64::from(ids[row]));
    let mut pairs: Vec<(u64, u64)> = match field {
        "bytes" => (0..ROWS).map(|row| (group(row), table.columns.bytes[row] as u64)).collect(),
        _ => {
            let ids = table.columns.text_ids(TextField::VisitorId);
            (0..ROWS).map(|row| (group(row), u64::from(ids[row]))).collect()
        }
    };
    pairs.sort_unstable();
    pairs.dedup();
    pairs.len()
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
        Column::Long(values) => values.values(),
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
        groups.keys.iter().zip(key).all(|(column, text)| column.text(*group).as_deref() == text)
    };
    let group = (0..groups.group_count()).find(is_key).unwrap();
    assert_eq!(long_states(groups, 0)[group], expected);
}
