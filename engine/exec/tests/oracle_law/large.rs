//! The law over segments of several blocks, for queries that stop early, cut blocks or count runs.

use std::collections::BTreeMap;

use henge_exec::{ExecContext, Extent, Partial, finalise, merge, run_blocks};
use henge_oracle::{OracleRow, answer_segments};
use henge_segment::BLOCK_ROWS;
use henge_types::Value;
use serde_json::json;

use crate::data::{self, Part, START_MS, Storage};
use crate::{TUNINGS, compare, parse};

/// Rows of a bit more than one block, their times ascending with ties, or not ascending at all.
fn rows(sorted: bool) -> Vec<OracleRow> {
    let count = BLOCK_ROWS + 2_500;
    (0..count)
        .map(|number| {
            // A multiplication by an odd constant scatters the numbers.
            let scattered = number.wrapping_mul(2_654_435_761) % 1_000_003;
            let step = if sorted { number / 3 } else { scattered % (count / 3) };
            let text = |n: usize| Value::String(format!("v{n}"));
            let long =
                if scattered % 7 == 0 { Value::Null } else { Value::Long((scattered % 50) as i64) };
            let multi =
                Value::Multi(vec![Some(format!("v{}", scattered % 3)), Some("b".to_owned())]);
            let named = [
                ("s", text(scattered % 5)),
                ("m", if scattered % 11 == 0 { multi } else { text(scattered % 4) }),
                ("l", long),
                ("d", Value::Double((scattered % 9) as f64 / 4.0)),
                ("lm", Value::Long((scattered % 100) as i64)),
                ("fm", Value::Float((scattered % 16) as f32 / 8.0)),
                ("dm", Value::Double((scattered % 64) as f64 / 8.0)),
                ("hm", Value::Null),
                ("pl", Value::Null),
                ("pd", Value::Null),
                ("ps", Value::Null),
            ];
            let values: BTreeMap<String, Value> =
                named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            OracleRow { time_ms: START_MS + step as i64 * 5_000, values }
        })
        .collect()
}

fn queries() -> Vec<serde_json::Value> {
    // Of sorted rows, these are the last of one block and the first of the next.
    let middle = "2024-03-10T05:00:00Z/2024-03-10T07:10:00Z";
    let aggregations = json!([
        {"type": "count", "name": "n"},
        {"type": "longSum", "name": "a", "fieldName": "lm"},
        {"type": "doubleSum", "name": "b", "fieldName": "dm"},
        {"type": "floatMax", "name": "c", "fieldName": "fm"},
        {"type": "longMin", "name": "e", "fieldName": "l"},
    ]);
    let filter = json!({"type": "selector", "dimension": "s", "value": "v2"});
    let scan = |order: &str, limit: u64, offset: u64| {
        json!({
            "queryType": "scan", "dataSource": "t", "intervals": [middle], "order": order,
            "columns": ["__time", "s", "m", "l"], "limit": limit, "offset": offset, "batchSize": 700,
        })
    };
    vec![
        json!({
            "queryType": "timeseries", "dataSource": "t", "intervals": [middle],
            "granularity": "fifteen_minute", "aggregations": aggregations,
        }),
        json!({
            "queryType": "timeseries", "dataSource": "t", "intervals": ["2000/2100"],
            "granularity": "all", "aggregations": aggregations,
        }),
        json!({
            "queryType": "timeseries", "dataSource": "t", "intervals": ["2000/2100"],
            "granularity": "all", "filter": filter, "aggregations": aggregations,
            "context": {"useBlockStatistics": false},
        }),
        json!({
            "queryType": "groupBy", "dataSource": "t", "intervals": [middle], "filter": filter,
            "granularity": "hour", "dimensions": ["m", {"dimension": "l", "outputType": "LONG"}],
            "aggregations": aggregations,
        }),
        json!({
            "queryType": "topN", "dataSource": "t", "intervals": [middle], "granularity": "thirty_minute",
            "dimension": "s", "metric": "a", "threshold": 3, "aggregations": aggregations,
        }),
        json!({
            "queryType": "timeseries", "dataSource": "t", "intervals": [middle],
            "granularity": "hour", "aggregations": aggregations,
            "filter": {"type": "in", "dimension": "s", "values": ["v1", "v3"]},
            "context": {"useBlockStatistics": false},
        }),
        json!({
            "queryType": "timeseries", "dataSource": "t", "intervals": ["2000/2100"],
            "granularity": "day", "context": {"useBlockStatistics": false},
            "aggregations": [
                {"type": "count", "name": "n"},
                {"type": "filtered", "filter": filter,
                    "aggregator": {"type": "doubleSum", "name": "b", "fieldName": "dm"}},
                {"type": "filtered", "filter": filter,
                    "aggregator": {"type": "doubleMin", "name": "c", "fieldName": "d"}},
                {"type": "filtered", "filter": filter,
                    "aggregator": {"type": "longSum", "name": "e", "fieldName": "l"}},
            ],
        }),
        scan("none", 4_000, 100),
        scan("ascending", 4_000, 500),
        scan("descending", 2_500, 3),
        json!({
            "queryType": "search", "dataSource": "t", "intervals": [middle], "granularity": "hour",
            "searchDimensions": ["s", "m", "l"], "query": {"type": "contains", "value": "2"},
        }),
        json!({
            "queryType": "timeBoundary", "dataSource": "t", "intervals": [middle], "filter": filter,
        }),
    ]
}

fn check(rows: Vec<OracleRow>, storage: Storage, before_time: &[&'static str]) {
    let part = Part { rows, storage, before_time: before_time.to_vec() };
    let view = data::view(&part, 0);
    assert_eq!(view.block_count(), 2);
    let by_time = storage == Storage::File && before_time.is_empty();
    assert_eq!(view.is_time_sorted(), by_time);
    assert!(view.schema().before_time().eq(before_time.iter().copied()));
    let ctx = ExecContext::default();
    for query in queries() {
        let parsed = parse(&query);
        let expected = answer_segments(&parsed, &[&part.rows]);
        // In one go, and block by block, as a pool of threads would.
        let splits = [&[(0, 2)][..], &[(1, 2), (0, 1)], &[(0, 1), (1, 2)]];
        for (split, tuning) in splits.into_iter().zip(&TUNINGS) {
            let ctx = ExecContext { tuning: *tuning, ..ctx.clone() };
            let partials: Vec<Partial> = split
                .iter()
                .map(|&(from, to)| {
                    run_blocks(&parsed, view.as_ref(), from..to, Extent::Part, &ctx).unwrap()
                })
                .collect();
            let whole = merge(&parsed, partials, &ctx).unwrap();
            let answer = finalise(&parsed, whole, &ctx).unwrap();
            let json = henge_answer::to_json(&parsed, &answer).unwrap();
            let actual = serde_json::from_slice(&json).unwrap();
            compare::same_answer(&parsed, &expected, &actual)
                .unwrap_or_else(|difference| panic!("{query}\n{difference}"));
        }
    }
}

#[test]
fn sorted_files_of_several_blocks_answer_as_the_oracle() {
    check(rows(true), Storage::File, &[]);
}

#[test]
fn files_of_several_blocks_with_columns_before_the_time_answer_as_the_oracle() {
    check(rows(true), Storage::File, &["s"]);
    check(rows(false), Storage::File, &["l", "s"]);
    check(rows(false), Storage::File, &["m", "d", "s", "l"]);
}

#[test]
fn unsorted_indexes_of_several_blocks_answer_as_the_oracle() {
    check(rows(false), Storage::Index, &[]);
}
