//! Sums of a column that is shifted and scaled follow from its own sum: with nulls, at the limits of
//! 64 bits, and over several segments.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use henge_exec::{ExecContext, ExecError, Extent, Partial, finalise, merge, run, run_blocks};
use henge_query::Query;
use henge_segment::{ColumnData, MappedSegment, SegmentView, StringTable};
use serde_json::{Value, json};

/// Columns `key` (text `a`, `b`, null in turn), `x` (LONG, null where it says so) and `d` (a tenth of
/// it).
fn segment(values: &[i64], nulls: &[usize]) -> MappedSegment {
    let mut words = vec![0_u64; values.len().div_ceil(64).max(1)];
    nulls.iter().for_each(|row| words[row / 64] |= 1 << (row % 64));
    let words = (!nulls.is_empty()).then_some(words.as_slice());
    let dictionary: StringTable = ["a", "b"].into_iter().collect();
    let ids: Vec<u32> = (0..values.len() as u32).map(|row| (row + 1) % 3).collect();
    let key = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: true };
    let x = ColumnData::Long { values, nulls: words };
    let tenths: Vec<f64> = values.iter().map(|value| *value as f64 / 10.0).collect();
    support::segment(values.len(), [("key", key), ("x", x), ("d", support::doubles(&tenths))])
}

/// Sums of expressions named by their text, beside those fields.
fn query(query_type: &str, expressions: &[&str], fields: Value) -> Query {
    let sums: Vec<Value> = expressions
        .iter()
        .map(|text| json!({"type": "longSum", "name": text, "expression": text}))
        .collect();
    let mut query = json!({
        "queryType": query_type, "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "all", "aggregations": sums,
    });
    if let (Value::Object(query), Value::Object(fields)) = (&mut query, fields) {
        query.extend(fields);
    }
    Query::parse(query.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn answer(query: &Query, segments: &[&MappedSegment]) -> Result<Value, ExecError> {
    let ctx = ExecContext::default();
    let partials = segments.iter().map(|segment| run(query, *segment, &ctx));
    let merged = merge(query, partials.collect::<Result<_, _>>()?, &ctx)?;
    let answer = finalise(query, merged, &ctx)?;
    Ok(serde_json::from_slice(&henge_answer::to_json(query, &answer)?).unwrap())
}

fn sums(expressions: &[&str], segments: &[&MappedSegment]) -> Value {
    let query = query("timeseries", expressions, json!({}));
    answer(&query, segments).unwrap()[0]["result"].clone()
}

#[test]
fn nulls_are_neither_summed_nor_counted() {
    let some = segment(&[1, 2, 3, 4], &[1]);
    let none = segment(&[5, 6], &[0, 1]);
    let expected = json!({"x + 10": 38, "3 - x": 1, "2 * x": 16, "x": 8});
    let asked = ["x + 10", "3 - x", "2 * x", "x"];
    assert_eq!(sums(&asked, &[&some]), expected);
    assert_eq!(sums(&asked, &[&some, &none]), expected);
    assert_eq!(sums(&["x + 1", "x + 2"], &[&none]), json!({"x + 1": null, "x + 2": null}));
}

#[test]
fn no_rows_sum_to_null() {
    let rows = segment(&[1, 2], &[]);
    let nothing = json!({"filter": {"type": "selector", "dimension": "key", "value": "z"}});
    let query = query("timeseries", &["x + 1", "x + 2"], nothing);
    let answer = answer(&query, &[&rows]).unwrap();
    assert_eq!(answer[0]["result"], json!({"x + 1": null, "x + 2": null}));
}

/// A row whose own result overflows is null, so the sum does not follow from the column's.
#[test]
fn h_21_rows_that_overflow_are_null() {
    let rows = segment(&[i64::MAX, 1, i64::MIN], &[]);
    let expected = json!({"x + 1": i64::MIN + 3, "x - 1": i64::MAX - 1, "-x": -i64::MAX - 1});
    assert_eq!(sums(&["x + 1", "x - 1", "-x"], &[&rows]), expected);
    // In one segment they follow, in the other they do not.
    let others = segment(&[7, 8], &[]);
    let expected = json!({"x + 1": i64::MIN + 20, "x + 2": i64::MIN + 24});
    assert_eq!(sums(&["x + 1", "x + 2"], &[&rows, &others]), expected);
}

#[test]
fn h_21_sums_are_wide_until_they_are_finished() {
    let high = segment(&[i64::MAX - 5, i64::MAX - 5], &[]);
    let low = segment(&[i64::MIN + 5, i64::MIN + 5], &[]);
    let expected = json!({"x + 1": 2, "x + 2": 6});
    assert_eq!(sums(&["x + 1", "x + 2"], &[&high, &low]), expected);
    // The column's own sum has no place in 64 bits, and is not asked for.
    let beyond = segment(&[i64::MAX, 10], &[]);
    assert_eq!(sums(&["x - 5"], &[&beyond]), json!({"x - 5": i64::MAX}));
    let query = query("timeseries", &["x", "x + 1"], json!({}));
    let error = answer(&query, &[&high]).unwrap_err();
    assert!(matches!(error, ExecError::Invalid(_)), "{error}");
    assert!(error.to_string().contains("doubleSum"), "{error}");
}

#[test]
fn groups_and_filters_have_sums_of_their_own() {
    let rows = segment(&[1, 2, 3, 4, 5, 6], &[3]);
    let shifted = |name: &str, by: i64| {
        json!({"type": "filtered", "name": name,
            "filter": {"type": "range", "column": "x", "matchValueType": "LONG", "lower": 2},
            "aggregator": {"type": "longSum", "name": name, "expression": format!("x + {by}")}})
    };
    let aggregations = json!([
        shifted("a", 1), shifted("b", 2), {"type": "count", "name": "n"},
        {"type": "longSum", "name": "c", "expression": "x + 1"},
        {"type": "longSum", "name": "d", "fieldName": "x"},
    ]);
    let fields = json!({"dimensions": ["key"], "aggregations": aggregations});
    let answer = answer(&query("groupBy", &[], fields), &[&rows, &rows]).unwrap();
    let groups = answer.as_array().unwrap().iter().map(|row| row["event"].clone());
    // Rows 0 and 3 are of `a`, 1 and 4 of `b`, 2 and 5 of null; row 3 is null.
    let expected = [
        json!({"key": null, "a": 2 * (4 + 7), "b": 2 * (5 + 8), "n": 4, "c": 22, "d": 18}),
        json!({"key": "a", "a": null, "b": null, "n": 4, "c": 4, "d": 2}),
        json!({"key": "b", "a": 2 * (3 + 6), "b": 2 * (4 + 7), "n": 4, "c": 18, "d": 14}),
    ];
    assert_eq!(groups.collect::<Vec<_>>(), expected);
}

/// Adding 2^60 to a double rounds, so the sum of the doubles says nothing of these.
#[test]
fn h_22_doubles_are_summed_as_they_are() {
    let rows = segment(&[1, 2, 3], &[]);
    let expression = "d + 1152921504606846976";
    let expected = 3 * (1_i64 << 60);
    assert_eq!(sums(&[expression, "x + 1"], &[&rows]), json!({expression: expected, "x + 1": 9}));
}

/// The cut to the best groups goes by a state that is made afterwards, or by one that is asked for.
#[test]
fn the_best_groups_are_found_by_shifted_sums() {
    let rows = segment(&[1, 50, 3, 4, 60, 6, -9], &[]);
    for (metric, expected) in [("x - 1", json!(["b", null])), ("x", json!(["b", null]))] {
        let fields = json!({"dimension": "key", "metric": metric, "threshold": 2});
        let query = query("topN", &["x - 1", "x", "x - 2"], fields);
        let ctx = ExecContext::default();
        let blocks = 0..rows.block_count();
        let partial = run_blocks(&query, &rows, blocks, Extent::Whole, &ctx).unwrap();
        let Partial::Grouped(_) = &partial else { panic!("{partial:?}") };
        let merged = merge(&query, vec![partial], &ctx).unwrap();
        let answer = finalise(&query, merged, &ctx).unwrap();
        let answer: Value =
            serde_json::from_slice(&henge_answer::to_json(&query, &answer).unwrap()).unwrap();
        let keys: Vec<&Value> =
            answer[0]["result"].as_array().unwrap().iter().map(|row| &row["key"]).collect();
        assert_eq!(json!(keys), expected, "{metric}");
    }
}

#[test]
fn virtual_columns_shadow_what_is_stored() {
    let rows = segment(&[1, 2, 3], &[]);
    let fields = json!({
        "virtualColumns": [
            {"type": "expression", "name": "x", "expression": "__time * 10", "outputType": "LONG"},
            {"type": "expression", "name": "y", "expression": "x + 1", "outputType": "LONG"},
            {"type": "expression", "name": "z", "expression": "x + 1", "outputType": "DOUBLE"},
        ],
        "aggregations": [
            {"type": "longSum", "name": "a", "fieldName": "x"},
            {"type": "longSum", "name": "b", "fieldName": "y"},
            {"type": "longSum", "name": "c", "expression": "x + 2"},
            {"type": "longSum", "name": "d", "fieldName": "z"},
        ],
    });
    let answer = answer(&query("timeseries", &[], fields), &[&rows]).unwrap();
    assert_eq!(answer[0]["result"], json!({"a": 30, "b": 33, "c": 36, "d": 33}));
}

/// More values than are looked at before all others are, some with characters of several bytes.
#[test]
fn lengths_of_many_texts_are_those_of_their_characters() {
    let text = |n| if n % 700 == 0 { format!("é{n}") } else { format!("{n}") };
    lengths_are_those_of_characters((0..5_000).map(text).collect());
}

/// One of them has no place among lengths of two bytes.
#[test]
fn lengths_of_many_texts_and_a_long_one_are_those_of_their_characters() {
    let text = |n| if n == 7 { "x".repeat(70_000) } else { format!("{n}") };
    lengths_are_those_of_characters((0..5_000).map(text).collect());
}

fn lengths_are_those_of_characters(mut texts: Vec<String>) {
    texts.sort_unstable();
    let dictionary: StringTable = texts.iter().map(String::as_str).collect();
    let ids: Vec<u32> = (0..5_000).map(|row| if row % 10 == 0 { 0 } else { row + 1 }).collect();
    let column = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: false };
    let rows = support::segment(5_000, [("t", column)]);
    let length = |row: &usize| texts[*row].chars().count() as i64;
    let expected: i64 = (0..5_000).filter(|row| row % 10 != 0).map(|row| length(&row)).sum();
    let asked = ["strlen(t)", "strlen(t) * 2", "nvl(strlen(t), 100)"];
    let expected = json!({asked[0]: expected, asked[1]: expected * 2, asked[2]: expected + 50_000});
    assert_eq!(sums(&asked, &[&rows]), expected);
    let few = json!({"filter": {"type": "range", "column": "__time", "matchValueType": "LONG",
        "lower": 11, "upper": 13}});
    let query = query("timeseries", &asked, few);
    let expected: i64 = (11..=13).map(|row| length(&row)).sum();
    let expected = json!({asked[0]: expected, asked[1]: expected * 2, asked[2]: expected});
    assert_eq!(answer(&query, &[&rows]).unwrap()[0]["result"], expected);
}
