//! Aggregators by expressions, means, variances and quantiles: of one segment and of several, as they travel.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use henge_exec::{ExecContext, ExecError, Partial, finalise, merge, run};
use henge_query::Query;
use henge_segment::{ColumnData, MappedSegment, StringTable};
use serde_json::{Value, json};

/// Columns `key` (text `a`, `b`, null in turn), `x` (LONG, null where it says so) and `d` (a tenth of it).
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

fn folded(name: &str, fields: Value) -> Value {
    let mut aggregator = json!({"type": "expression", "name": name});
    if let (Value::Object(aggregator), Value::Object(fields)) = (&mut aggregator, fields) {
        aggregator.extend(fields);
    }
    aggregator
}

fn aggregations() -> Value {
    json!([
        folded("texts", json!({
            "fields": ["key"], "initialValue": "ARRAY<STRING>[]",
            "fold": "array_set_add(__acc, key)", "combine": "array_set_add_all(__acc, texts)",
        })),
        folded("joined", json!({
            "fields": ["key"], "initialValue": "ARRAY<STRING>[]",
            "fold": "array_set_add(__acc, key)", "combine": "array_set_add_all(__acc, joined)",
            "finalize": "array_to_string(o, '|')",
        })),
        folded("bits", json!({
            "fields": ["x"], "initialValue": "0",
            "fold": "bitwiseOr(__acc, nvl(x, 0))", "combine": "bitwiseOr(__acc, bits)",
        })),
        folded("largest", json!({
            "fields": ["d"], "initialValue": "0.0",
            "fold": "greatest(__acc, d)", "combine": "greatest(__acc, largest)",
        })),
        {"type": "doubleMean", "name": "mean", "fieldName": "x"},
        {"type": "variance", "name": "sample", "fieldName": "x"},
        {"type": "variance", "name": "population", "fieldName": "x", "estimator": "population"},
        {"type": "quantilesDoublesSketch", "name": "sketch", "fieldName": "x"},
    ])
}

fn answer(segments: &[&MappedSegment]) -> Result<Value, ExecError> {
    answer_to(aggregations(), segments)
}

#[expect(clippy::needless_pass_by_value, reason = "made in place by `json!`")]
fn answer_to(aggregations: Value, segments: &[&MappedSegment]) -> Result<Value, ExecError> {
    let access = json!({"type": "fieldAccess", "fieldName": "sketch"});
    let has_sketch = aggregations.as_array().is_some_and(|all| all.len() > 1);
    let posts = json!([
        {"type": "stddev", "name": "deviation", "fieldName": "population"},
        {"type": "quantilesDoublesSketchToQuantile", "name": "median", "field": access, "fraction": 0.5},
        {"type": "quantilesDoublesSketchToQuantiles", "name": "ends", "field": access, "fractions": [0, 1]},
        {"type": "quantilesDoublesSketchToHistogram", "name": "parts", "field": access, "splitPoints": [3]},
    ]);
    let query = json!({
        "queryType": "timeseries", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "all", "aggregations": aggregations,
        "postAggregations": if has_sketch { posts } else { json!([]) },
    });
    let query =
        Query::parse(query.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let ctx = ExecContext::default();
    let partials = segments.iter().map(|segment| {
        let partial = run(&query, *segment, &ctx)?;
        Ok(Partial::decode(&partial.encode().unwrap()).unwrap())
    });
    let merged = merge(&query, partials.collect::<Result<_, ExecError>>()?, &ctx)?;
    let answer = finalise(&query, merged, &ctx)?;
    let rows: Value = serde_json::from_slice(&henge_answer::to_json(&query, &answer)?).unwrap();
    Ok(rows[0]["result"].clone())
}

#[test]
fn states_of_segments_are_those_of_all_rows() {
    let whole = segment(&[1, 2, 3, 4, 5, 6], &[1]);
    let (first, second) = (segment(&[1, 2, 3], &[1]), segment(&[4, 5, 6], &[]));
    let nothing = segment(&[0], &[0]);
    for segments in [vec![&whole], vec![&first, &second], vec![&second, &nothing, &first]] {
        let result = answer(&segments).unwrap();
        assert_eq!(result["texts"], json!([null, "a", "b"]));
        assert_eq!(result["joined"], json!("null|a|b"));
        assert_eq!(result["bits"], json!(7));
        let near = |name: &str, expected: f64| {
            let value = result[name].as_f64().unwrap();
            assert!((value - expected).abs() < 1e-9, "{name} is {value}");
        };
        near("largest", 0.6);
        near("mean", 3.8);
        near("sample", 3.7);
        near("population", 2.96);
        near("deviation", 2.96_f64.sqrt());
        near("median", 4.0);
        assert_eq!(result["ends"], json!([1.0, 6.0]));
        let parts = result["parts"].as_array().unwrap();
        assert!((parts[0].as_f64().unwrap() + parts[1].as_f64().unwrap() - 5.0).abs() < 1e-9);
    }
}

#[test]
fn nothing_is_null_unless_it_is_to_be_the_initial_value() {
    let fields = json!({
        "fields": ["x"], "initialValue": "5", "fold": "__acc + x", "combine": "__acc + sum",
        "isNullUnlessAggregated": false,
    });
    let with_initial = answer_to(json!([folded("sum", fields.clone())]), &[]).unwrap();
    assert!(with_initial.is_null() || with_initial["sum"] == json!(5));
    let large = json!({
        "fields": ["x"], "initialValue": "ARRAY<LONG>[]", "fold": "array_append(__acc, x)",
        "combine": "array_concat(__acc, list)", "maxSizeBytes": 40,
    });
    let values: Vec<i64> = (0..10).collect();
    let error = answer_to(json!([folded("list", large)]), &[&segment(&values, &[])]).unwrap_err();
    assert!(matches!(error, ExecError::ResourceLimit(_)), "{error}");
}
