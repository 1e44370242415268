//! Comparisons with numbers that doubles do not hold: filters and `having` over one segment.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use henge_exec::{ExecContext, finalise, merge, run};
use henge_query::Query;
use henge_segment::{ColumnData, MappedSegment};
use serde_json::{Value, json};

const LONGS: [i64; 6] = [
    -9_007_199_254_740_993,
    0,
    9_007_199_254_740_992,
    9_007_199_254_740_993,
    100_000_000_000_000_000,
    i64::MAX,
];

fn segment() -> MappedSegment {
    let doubles = [f64::NEG_INFINITY, -0.0, 0.1, 9_007_199_254_740_992.0, 1e17, f64::NAN];
    let floats: Vec<f32> = [-1.5, 0.0, 0.1, 16_777_216.0, f32::INFINITY, f32::NAN].to_vec();
    let columns = [
        ("l", support::longs(&LONGS)),
        ("d", support::doubles(&doubles)),
        ("f", ColumnData::Float { values: &floats, nulls: None }),
    ];
    support::segment(LONGS.len(), columns)
}

/// The rows, by their position in time, that a filter and its negation keep.
fn kept(segment: &MappedSegment, filter: &Value) -> (Vec<i64>, Vec<i64>) {
    let rows = |filter: Value| -> Vec<i64> {
        let query = json!({
            "queryType": "scan", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
            "columns": ["__time"], "resultFormat": "compactedList", "filter": filter,
        });
        let events = answer(segment, &query)[0]["events"].clone();
        let events = events.as_array().cloned().unwrap_or_default();
        events.iter().map(|row| row[0].as_i64().unwrap()).collect()
    };
    (rows(filter.clone()), rows(json!({"type": "not", "field": filter})))
}

fn answer(segment: &MappedSegment, query: &Value) -> Value {
    let query = Query::parse(query.to_string().as_bytes()).unwrap_or_else(|e| panic!("{e}"));
    let ctx = ExecContext::default();
    let partials = vec![run(&query, segment, &ctx).unwrap()];
    let answer = finalise(&query, merge(&query, partials, &ctx).unwrap(), &ctx).unwrap();
    serde_json::from_slice(&henge_answer::to_json(&query, &answer).unwrap()).unwrap()
}

fn check(cases: &[(Value, &[i64])]) {
    let segment = segment();
    for (filter, expected) in cases {
        let (rows, others) = kept(&segment, filter);
        assert_eq!(rows, *expected, "{filter}");
        let rest: Vec<i64> = (0..6).filter(|row| !expected.contains(row)).collect();
        assert_eq!(others, rest, "not {filter}");
    }
}

fn bound(column: &str, end: &str, value: &str, strict: bool) -> Value {
    json!({
        "type": "bound", "dimension": column, "ordering": "numeric",
        end: value, format!("{end}Strict"): strict,
    })
}

#[test]
fn h_19_ends_of_ranges_over_longs_are_exact() {
    let range = |value: Value| {
        json!({
            "type": "range", "column": "l", "matchValueType": "DOUBLE", "lower": value,
            "lowerOpen": true,
        })
    };
    let equals = |value: Value| json!({"type": "equals", "column": "l", "matchValueType": "LONG", "matchValue": value});
    let listed = |values: Value| json!({"type": "in", "dimension": "l", "values": values});
    check(&[
        (range(json!(9_007_199_254_740_992.0)), &[3, 4, 5]),
        (range(json!(1e17)), &[5]),
        (bound("l", "lower", "1e17", true), &[5]),
        (bound("l", "lower", "1e17", false), &[4, 5]),
        (bound("l", "lower", "9007199254740992", true), &[3, 4, 5]),
        (bound("l", "upper", "9007199254740992.5", false), &[0, 1, 2]),
        (bound("l", "lower", "9007199254740992.5", false), &[3, 4, 5]),
        (bound("l", "upper", "-9007199254740992.9", false), &[0]),
        (bound("l", "lower", "9223372036854775807", true), &[]),
        (bound("l", "lower", "9223372036854775806.5", false), &[5]),
        (bound("l", "upper", "9223372036854775807.5", true), &[0, 1, 2, 3, 4, 5]),
        (bound("l", "lower", "9223372036854775808", false), &[]),
        (bound("l", "lower", "-1e400", false), &[0, 1, 2, 3, 4, 5]),
        (equals(json!(9_007_199_254_740_993_i64)), &[3]),
        (listed(json!(["9007199254740993.0", "1e17", "0.5", "1e400", "x"])), &[3, 4]),
    ]);
}

#[test]
fn h_17_doubles_and_floats_compare_as_they_were_stored() {
    let equals = |column: &str, match_type: &str, value: Value| {
        json!({
            "type": "equals", "column": column, "matchValueType": match_type, "matchValue": value,
        })
    };
    let selector = |column: &str, value: &str| json!({"type": "selector", "dimension": column, "value": value});
    check(&[
        (equals("d", "LONG", json!(9_007_199_254_740_993_i64)), &[]),
        (bound("d", "lower", "9007199254740993", false), &[4, 5]),
        (bound("d", "upper", "9007199254740993", true), &[0, 1, 2, 3]),
        (selector("d", "0.1"), &[2]),
        (selector("d", "-0.0"), &[1]),
        (selector("d", "0"), &[1]),
        (selector("d", "NaN"), &[5]),
        (bound("d", "lower", "0", true), &[2, 3, 4, 5]),
        (bound("d", "upper", "NaN", true), &[0, 1, 2, 3, 4]),
        (bound("d", "lower", "Infinity", true), &[5]),
        (bound("d", "upper", "-1e400", false), &[0]),
        (equals("f", "DOUBLE", json!(0.1)), &[2]),
        (bound("f", "lower", "0.1", true), &[3, 4, 5]),
        (bound("f", "lower", "1e300", false), &[4, 5]),
        (bound("f", "upper", "Infinity", true), &[0, 1, 2, 3]),
        (json!({"type": "in", "dimension": "f", "values": ["NaN", "0.1"]}), &[2, 5]),
    ]);
}

/// The LONGs of the groups that a `having` keeps.
fn groups(having: &Value) -> Vec<i64> {
    let query = json!({
        "queryType": "groupBy", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "all", "having": having,
        "dimensions": [{"type": "default", "dimension": "l", "outputName": "l", "outputType": "LONG"}],
        "aggregations": [
            {"type": "longSum", "name": "v", "fieldName": "l"},
            {"type": "doubleSum", "name": "w", "fieldName": "d"},
        ],
        "postAggregations": [{"type": "expression", "name": "p", "expression": "v"}],
    });
    let rows = answer(&segment(), &query);
    rows.as_array().unwrap().iter().map(|row| row["event"]["l"].as_i64().unwrap()).collect()
}

#[test]
fn h_19_having_compares_longs_as_longs() {
    let clause = |kind: &str, field: &str, value: Value| json!({"type": kind, "aggregation": field, "value": value});
    for field in ["v", "l", "p"] {
        for (kind, value, expected) in [
            ("equalTo", json!(9_007_199_254_740_993_i64), &LONGS[3..4]),
            ("equalTo", json!("9007199254740993"), &LONGS[3..4]),
            ("equalTo", json!("9007199254740992.5"), &[]),
            ("equalTo", json!(9_223_372_036_854_775_808_u64), &[]),
            ("greaterThan", json!(9_007_199_254_740_992_i64), &LONGS[3..]),
            ("greaterThan", json!("9007199254740992.5"), &LONGS[3..]),
            ("greaterThan", json!(1e17), &LONGS[5..]),
            ("lessThan", json!(9_007_199_254_740_993_i64), &LONGS[..3]),
            ("lessThan", json!(9_223_372_036_854_775_808_u64), &LONGS[..]),
        ] {
            let having = clause(kind, field, value);
            assert_eq!(groups(&having), expected, "{having}");
        }
    }
    let equal = clause("equalTo", "w", json!(9_007_199_254_740_993_i64));
    assert_eq!(groups(&equal), [] as [i64; 0]);
    assert_eq!(groups(&clause("greaterThan", "w", json!(1e17))), [i64::MAX], "NaN comes last");
}

#[test]
fn having_sees_the_time_of_its_rows() {
    let lower =
        |value: &str| json!({"type": "filter", "filter": bound("__time", "lower", value, false)});
    assert_eq!(groups(&lower("0")), LONGS);
    assert_eq!(groups(&lower("1")), [] as [i64; 0]);
    let clause = json!({"type": "lessThan", "aggregation": "__time", "value": 1});
    assert_eq!(groups(&clause), LONGS);
}
