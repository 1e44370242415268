//! Limits and hostile inputs: what must be refused, and how.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use henge_exec::{ExecContext, ExecError, Extent, Partial, finalise, merge, run, run_blocks};
use henge_query::Query;
use henge_segment::{BLOCK_ROWS, ColumnData, MappedSegment, SegmentView, StringTable};
use henge_vector::Column;
use serde_json::{Value, json};

use support::longs;

/// A segment of `__time` (a millisecond a row), `key` (LONG), `sum` (LONG), `double`, `text`.
fn segment(rows: usize, key: impl Fn(usize) -> i64, sum: impl Fn(usize) -> i64) -> MappedSegment {
    let keys: Vec<i64> = (0..rows).map(key).collect();
    let sums: Vec<i64> = (0..rows).map(sum).collect();
    let halves: Vec<f64> = keys.iter().map(|&key| key as f64 / 2.0).collect();
    let dictionary: StringTable = ["", "10", "9", "x"].into_iter().collect();
    let ids: Vec<u32> = (0..rows as u32).map(|row| row % 5).collect();
    let text = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: true };
    let double = support::doubles(&halves);
    let columns =
        [("key", longs(&keys)), ("text", text), ("sum", longs(&sums)), ("double", double)];
    support::segment(rows, columns)
}

fn query(query_type: &str, fields: Value) -> Query {
    let mut query = json!({
        "queryType": query_type, "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "all",
    });
    if let (Value::Object(query), Value::Object(fields)) = (&mut query, fields) {
        query.extend(fields);
    }
    Query::parse(query.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn long_sum() -> Value {
    json!([{"type": "longSum", "name": "s", "fieldName": "sum"}])
}

/// The long states of the only aggregator, by group.
fn states_of(partial: &Partial) -> Vec<i64> {
    match partial {
        Partial::Grouped(groups) => match &groups.states[0] {
            Column::Long(values) => values.values().to_vec(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// The answer to a query over segments, each with a partial of its own.
fn answer(query: &Query, segments: &[&MappedSegment]) -> Result<Value, ExecError> {
    let ctx = ExecContext::default();
    let partials = segments.iter().map(|segment| run(query, *segment, &ctx));
    let merged = merge(query, partials.collect::<Result<_, _>>()?, &ctx)?;
    let answer = finalise(query, merged, &ctx)?;
    Ok(serde_json::from_slice(&henge_answer::to_json(query, &answer)?).unwrap())
}

#[test]
fn h_21_long_sums_never_wrap() {
    let large = segment(10, |row| row as i64 % 2, |_| i64::MAX / 4);
    let half = segment(3, |_| 0, |_| i64::MAX / 4);
    for fields in [
        json!({"aggregations": long_sum()}),
        json!({"aggregations": long_sum(), "context": {"useBlockStatistics": false}}),
        json!({"aggregations": long_sum(), "granularity": "day"}),
        json!({"aggregations": long_sum(), "dimensions": ["key"]}),
    ] {
        let query_type = if fields["dimensions"].is_null() { "timeseries" } else { "groupBy" };
        let query = query(query_type, fields);
        // In one segment, and of two in which neither is too large.
        for segments in [vec![&large], vec![&half, &half]] {
            let error = answer(&query, &segments).unwrap_err();
            assert!(matches!(error, ExecError::Invalid(_)), "{error}");
            assert!(error.to_string().contains("aggregator 's'"), "{error}");
        }
    }
}

#[test]
fn h_21_sums_that_come_back_into_range_are_exact() {
    let all = [i64::MAX, 5, -7, i64::MIN, i64::MAX, -2, i64::MAX, 1, i64::MIN, 3];
    let total = all.iter().map(|value| i128::from(*value)).sum::<i128>();
    let total = i64::try_from(total).unwrap();
    let keyed = |key: fn(usize) -> i64| segment(all.len(), key, |row| all[row]);
    let whole = keyed(|_| 0);
    let parts: Vec<MappedSegment> =
        (0..all.len()).map(|part| segment(1, |_| 0, |_| all[part])).collect();
    let parts: Vec<&MappedSegment> = parts.iter().collect();
    let reversed: Vec<&MappedSegment> = parts.iter().rev().copied().collect();
    for fields in [
        json!({"aggregations": long_sum()}),
        json!({"aggregations": long_sum(), "context": {"useBlockStatistics": false}}),
        json!({"aggregations": [
            {"type": "filtered", "name": "s", "filter": {"type": "true"}, "aggregator": long_sum()[0]},
        ]}),
        json!({"aggregations": long_sum(), "dimensions": ["key"]}),
    ] {
        let query_type = if fields["dimensions"].is_null() { "timeseries" } else { "groupBy" };
        let query = query(query_type, fields);
        for segments in [vec![&whole], parts.clone(), reversed.clone()] {
            let answer = answer(&query, &segments).unwrap();
            let row = answer[0].get("result").unwrap_or(&answer[0]["event"]);
            assert_eq!(row["s"], json!(total), "{} segments", segments.len());
        }
    }
    // A grand total adds rows that do not fit together before others do.
    let days = query(
        "timeseries",
        json!({
            "aggregations": long_sum(), "granularity": {"type": "duration", "duration": 1},
            "context": {"grandTotal": true},
        }),
    );
    let answer = answer(&days, &[&whole]).unwrap();
    assert_eq!(answer[all.len()]["result"]["s"], json!(total));
}

#[test]
fn h_21_many_groups_carry_each_for_itself() {
    let rows = 3 * BLOCK_ROWS;
    let value =
        |row: usize| if row.is_multiple_of(2) { i64::MAX - row as i64 } else { i64::MIN + 7 };
    for key in [|row: usize| row as i64 / 2 % 10, |row: usize| row as i64 / 2 % 5_000] {
        let segment = segment(rows, key, value);
        let grouped = query(
            "groupBy",
            json!({"aggregations": long_sum(), "dimensions": [
                {"dimension": "key", "outputName": "key", "outputType": "LONG"},
            ]}),
        );
        let answer = answer(&grouped, &[&segment]).unwrap();
        let mut expected: BTreeMap<i64, i128> = BTreeMap::new();
        for row in 0..rows {
            *expected.entry(key(row)).or_default() += i128::from(value(row));
        }
        assert_eq!(answer.as_array().unwrap().len(), expected.len());
        for row in answer.as_array().unwrap() {
            let sum = expected[&row["event"]["key"].as_i64().unwrap()];
            assert_eq!(row["event"]["s"].as_i64().map(i128::from), Some(sum));
        }
    }
}

#[test]
fn h_30_too_many_buckets_are_refused() {
    let segment = segment(5_000, |_| 0, |_| 1);
    let ctx = ExecContext { max_buckets: 1_000, ..ExecContext::default() };
    for query_type in ["timeseries", "groupBy"] {
        let fields = json!({"aggregations": long_sum(), "dimensions": [], "granularity": "none"});
        let mut fields = fields;
        if query_type == "timeseries" {
            fields.as_object_mut().unwrap().remove("dimensions");
        }
        let error = run(&query(query_type, fields), &segment, &ctx).unwrap_err();
        assert!(matches!(error, ExecError::ResourceLimit(_)), "{error}");
    }
}

#[test]
fn h_83_groups_beyond_the_memory_budget_are_refused() {
    let segment = segment(200_000, |row| row as i64 * 1_000_003, |_| 1);
    let ctx = ExecContext { memory_budget_bytes: 1 << 20, ..ExecContext::default() };
    let dimensions = json!({"dimensions": ["key", "text"], "aggregations": long_sum()});
    let error = run(&query("groupBy", dimensions), &segment, &ctx).unwrap_err();
    assert!(matches!(error, ExecError::ResourceLimit(_)), "{error}");
}

#[test]
fn cancelling_stops_a_run() {
    let segment = segment(10, |_| 0, |_| 1);
    let ctx = ExecContext::default();
    ctx.cancel.time_out();
    let sum = query("timeseries", json!({"aggregations": long_sum()}));
    assert!(matches!(run(&sum, &segment, &ctx), Err(ExecError::TimedOut)));
}

#[test]
fn h_20_signed_zeros_are_one_group() {
    let segment = segment(4, |row| [0, 1, 0, -1][row], |_| 1);
    // Multiplying by -1 makes a negative zero of the first row and a positive one of the third.
    let virtual_columns = json!([{
        "type": "expression", "name": "v", "expression": "double * (if(__time == 0, -1.0, 1.0))",
        "outputType": "DOUBLE",
    }]);
    let grouped = query(
        "groupBy",
        json!({
            "virtualColumns": virtual_columns, "aggregations": long_sum(),
            "dimensions": [{"dimension": "v", "outputType": "DOUBLE"}],
        }),
    );
    let Partial::Grouped(groups) = run(&grouped, &segment, &ExecContext::default()).unwrap() else {
        panic!("groups");
    };
    let Column::Double(keys) = &groups.keys[0] else { panic!("doubles") };
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().flatten().all(|key| key.to_bits() != (-0.0f64).to_bits()));
}

#[test]
fn ranges_of_blocks_add_up() {
    let rows = 2 * BLOCK_ROWS + 17;
    let segment = segment(rows, |row| row as i64 % 300_007, |row| row as i64);
    let ctx = ExecContext::default();
    for dimensions in [json!([]), json!(["text"]), json!(["key", "text"])] {
        let fields = json!({"aggregations": long_sum(), "dimensions": dimensions});
        let grouped = query("groupBy", fields);
        let total = |partial: &Partial| states_of(partial).iter().sum::<i64>();
        let whole = run(&grouped, &segment, &ctx).unwrap();
        let parts = (0..segment.block_count())
            .map(|block| {
                let blocks = block..block + 1;
                run_blocks(&grouped, &segment, blocks, Extent::Part, &ctx).unwrap()
            })
            .collect();
        let merged = merge(&grouped, parts, &ctx).unwrap();
        assert_eq!(states_of(&merged).len(), states_of(&whole).len());
        assert_eq!(total(&merged), total(&whole));
        assert_eq!(total(&whole), (0..rows as i64).sum::<i64>());
    }
}

#[test]
fn statistics_and_scans_agree() {
    let segment =
        segment(BLOCK_ROWS + 100, |row| row as i64 % 977 - 400, |row| row as i64 * 3 - 70_000);
    let aggregations = json!([
        {"type": "longSum", "name": "a", "fieldName": "sum"},
        {"type": "longMin", "name": "b", "fieldName": "sum"},
        {"type": "longMax", "name": "c", "fieldName": "key"},
        {"type": "count", "name": "d"},
    ]);
    // The interval cuts the second block: the first is answered by its statistics, the rest not.
    let answer = |statistics: bool| {
        let fields = json!({
            "aggregations": aggregations, "intervals": "1970-01-01/1970-01-01T00:01:05.570Z",
            "context": {"useBlockStatistics": statistics},
        });
        let partial = run(&query("timeseries", fields), &segment, &ExecContext::default()).unwrap();
        format!("{partial:?}")
    };
    assert_eq!(answer(true), answer(false));
}

/// How many rows a filter keeps.
fn kept(segment: &MappedSegment, filter: &Value) -> i64 {
    let count = json!([{"type": "count", "name": "n"}]);
    let counting = query("timeseries", json!({"aggregations": count, "filter": filter}));
    states_of(&run(&counting, segment, &ExecContext::default()).unwrap())
        .first()
        .copied()
        .unwrap_or(0)
}

#[test]
fn null_is_neither_in_nor_out() {
    // Rows cycle through null, '', '10', '9', 'x'.
    let segment = segment(50, |row| row as i64, |_| 1);
    let not = |filter: &Value| json!({"type": "not", "field": filter});
    for (filter, matching, opposite) in [
        (json!({"type": "selector", "dimension": "text", "value": "x"}), 10, 30),
        (json!({"type": "selector", "dimension": "text", "value": null}), 10, 40),
        (json!({"type": "in", "dimension": "text", "values": ["x", null]}), 20, 30),
        (json!({"type": "bound", "dimension": "text", "lower": "10"}), 30, 10),
        (
            json!({"type": "bound", "dimension": "text", "lower": "10", "upper": "9", "upperStrict": true}),
            10,
            30,
        ),
        (
            json!({"type": "bound", "dimension": "text", "lower": "9", "upper": "10", "ordering": "numeric"}),
            20,
            20,
        ),
        (json!({"type": "range", "column": "text", "matchValueType": "LONG", "lower": 10}), 10, 30),
        (
            json!({"type": "equals", "column": "text", "matchValueType": "LONG", "matchValue": 9}),
            10,
            30,
        ),
        (json!({"type": "like", "dimension": "text", "pattern": "%"}), 40, 0),
        (json!({"type": "like", "dimension": "text", "pattern": "1_"}), 10, 30),
        (json!({"type": "regex", "dimension": "text", "pattern": "^[0-9]+$"}), 20, 20),
        (json!({"type": "null", "column": "absent"}), 50, 0),
        (json!({"type": "selector", "dimension": "absent", "value": "x"}), 0, 0),
        (json!({"type": "selector", "dimension": "key", "value": "7.0"}), 1, 49),
        (json!({"type": "selector", "dimension": "key", "value": "seven"}), 0, 50),
        (json!({"type": "bound", "dimension": "key", "lower": "10", "upper": "19"}), 10, 40),
        (
            json!({"type": "bound", "dimension": "key", "lower": "10.5", "ordering": "numeric"}),
            39,
            11,
        ),
        (json!({"type": "like", "dimension": "double", "pattern": "1_.%"}), 20, 30),
        (
            json!({"type": "range", "column": "double", "matchValueType": "DOUBLE", "lower": 1.0, "upper": 2.0, "lowerOpen": true}),
            2,
            48,
        ),
        (json!({"type": "expression", "expression": "key % 2 == 1"}), 25, 25),
        (json!({"type": "expression", "expression": "strlen(text) == 2"}), 10, 30),
    ] {
        assert_eq!(kept(&segment, &filter), matching, "{filter}");
        assert_eq!(kept(&segment, &not(&filter)), opposite, "not {filter}");
        assert_eq!(kept(&segment, &not(&not(&filter))), matching, "not not {filter}");
    }
}

#[test]
fn h_80_long_lists_are_cheap_and_null_keeps_not_in_empty() {
    let segment = segment(BLOCK_ROWS, |row| row as i64, |_| 1);
    let values: Vec<Value> = (0..20_000).map(|n| json!(n.to_string())).collect();
    let in_list = json!({"type": "in", "dimension": "key", "values": values});
    assert_eq!(kept(&segment, &in_list), 20_000);
    let in_list = json!({"type": "in", "dimension": "text", "values": values});
    assert_eq!(kept(&segment, &in_list), 2 * (BLOCK_ROWS as i64 / 5));
}

#[test]
fn arithmetic_agrees_with_evaluation_by_row() {
    let segment = segment(3_000, |row| row as i64 % 97 - 40, |row| row as i64 % 3 - 1);
    for expression in [
        "double * (1 - sum)",
        "key + sum * 3 - 7",
        "key / sum",
        "key % sum",
        "-key * 9223372036854775807",
        "double / (sum - sum)",
        "-double + key",
        "key / 2 + 0.5",
        "3 * 4 - sum",
        "cast(key, 'DOUBLE')",
        "cast(key, 'DOUBLE') / cast(sum, 'double')",
        "cast(double * 1e30, 'LONG')",
        "cast(cast(key, 'DOUBLE') / sum, 'LONG') + 1",
    ] {
        for column_type in ["double", "long"] {
            let aggregations = |expression: &str| {
                let spec = |op: &str| {
                    let kind = format!("{column_type}{op}");
                    json!({"type": kind, "name": op, "expression": expression})
                };
                json!([spec("Sum"), spec("Min"), spec("Max")])
            };
            let filter =
                json!({"type": "bound", "dimension": "key", "lower": "-39", "ordering": "numeric"});
            let answer = |expression: &str| {
                let fields = json!({"aggregations": aggregations(expression), "filter": filter});
                let partial = run(&query("timeseries", fields), &segment, &ExecContext::default());
                partial.map(|partial| format!("{partial:?}")).map_err(|error| error.to_string())
            };
            // `if` makes it more than arithmetic, and changes nothing.
            let by_row = format!("if(key == key, {expression}, null)");
            assert_eq!(answer(expression), answer(&by_row), "{column_type} {expression}");
            for output_type in ["LONG", "DOUBLE", "STRING"] {
                let groups = |expression: &str| {
                    let column = json!([{"type": "expression", "name": "v",
                        "expression": expression, "outputType": column_type}]);
                    let dimension = json!([{"type": "default", "dimension": "v",
                        "outputName": "v", "outputType": output_type}]);
                    let fields = json!({"virtualColumns": column, "dimensions": dimension,
                        "aggregations": [{"type": "count", "name": "n"}], "filter": filter});
                    let query = query("groupBy", fields);
                    let ctx = ExecContext::default();
                    let merged = merge(&query, vec![run(&query, &segment, &ctx).unwrap()], &ctx);
                    let answer = finalise(&query, merged.unwrap(), &ctx).unwrap();
                    String::from_utf8(henge_answer::to_json(&query, &answer).unwrap()).unwrap()
                };
                let by_row = groups(&by_row);
                assert_eq!(groups(expression), by_row, "{column_type} {expression} {output_type}");
            }
        }
    }
}
