//! The law over many groups whose keys are numbers: tables that are handed on, packed keys, partitions,
//! with spilling and without.

use std::collections::BTreeMap;

use henge_oracle::OracleRow;
use henge_types::Value;
use serde_json::{Value as Json, json};

use crate::data::{Part, SPAN_MS, START_MS, Storage};
use crate::{Merging, check};

const SEGMENTS: usize = 3;
const ROWS: usize = 900;

/// Numbers of all sizes, many of them in several segments.
pub(crate) fn row(number: usize) -> OracleRow {
    // A multiplication by an odd constant scatters the numbers.
    let scattered = number.wrapping_mul(2_654_435_761) % 1_000_003;
    let long = match scattered % 11 {
        0 => Value::Null,
        1 => Value::Long(i64::MIN),
        2 => Value::Long(i64::MAX),
        3 => Value::Long(-1),
        n if n < 7 => Value::Long((scattered as i64 % 701).wrapping_mul(0x1234_5678_9ABC_DEF1)),
        _ => Value::Long(scattered as i64 % 50 - 25),
    };
    let double = match scattered % 13 {
        0 => Value::Null,
        1 => Value::Double(f64::NAN),
        2 => Value::Double(-0.0),
        3 => Value::Double(0.0),
        4 => Value::Double(f64::NEG_INFINITY),
        _ => Value::Double((scattered % 307) as f64 / 8.0 - 9.0),
    };
    let float = match scattered % 17 {
        0 => Value::Null,
        1 => Value::Float(f32::NAN),
        2 => Value::Float(-0.0),
        _ => Value::Float((scattered % 97) as f32 / 8.0),
    };
    let text = match scattered % 5 {
        0 => Value::Null,
        n => Value::String(format!("v{}", n * scattered % 211)),
    };
    let named = [
        ("s", text),
        ("m", Value::String(format!("m{}", scattered % 3))),
        ("l", long),
        ("d", double),
        ("lm", Value::Long(scattered as i64 % 1_000 - 300)),
        ("fm", float),
        ("dm", Value::Double((scattered % 64) as f64 / 8.0)),
        ("hm", Value::Null),
    ];
    let values: BTreeMap<String, Value> =
        named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    OracleRow { time_ms: START_MS + (scattered as i64 * 7_919) % SPAN_MS, values }
}

pub(crate) fn parts(storage: Storage) -> Vec<Part> {
    let rows = |segment: usize| (0..ROWS).map(|number| row(number + segment * 400)).collect();
    (0..SEGMENTS)
        .map(|segment| Part { rows: rows(segment), storage, before_time: Vec::new() })
        .collect()
}

fn as_type(name: &str, output: &str) -> Json {
    json!({"type": "default", "dimension": name, "outputName": name, "outputType": output})
}

fn group_by(dimensions: &[Json], granularity: &str, more: &Json) -> Json {
    let mut query = json!({
        "queryType": "groupBy", "dataSource": "t", "intervals": ["2000/2100"],
        "granularity": granularity, "dimensions": dimensions,
        "virtualColumns": [
            {"type": "expression", "name": "minute", "outputType": "LONG",
                "expression": "timestamp_extract(__time, 'MINUTE', 'UTC')"},
            {"type": "expression", "name": "before", "expression": "l - 1", "outputType": "LONG"},
        ],
        "aggregations": [
            {"type": "count", "name": "n"},
            {"type": "longSum", "name": "a", "fieldName": "lm"},
            {"type": "doubleMax", "name": "b", "fieldName": "dm"},
        ],
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        query[name] = value.clone();
    }
    query
}

fn queries() -> Vec<Json> {
    let (l, d, f) = (as_type("l", "LONG"), as_type("d", "DOUBLE"), as_type("fm", "FLOAT"));
    let first = |column: &str, limit: usize| {
        json!({"limitSpec": {"type": "default", "limit": limit,
            "columns": [{"dimension": column, "direction": "descending"}]}})
    };
    let none = json!({});
    let top = |dimension: &Json, metric: &str| {
        json!({
            "queryType": "topN", "dataSource": "t", "intervals": ["2000/2100"],
            "granularity": "all", "dimension": dimension, "metric": metric, "threshold": 7,
            "aggregations": [
                {"type": "count", "name": "n"},
                {"type": "longSum", "name": "a", "fieldName": "lm"},
            ],
        })
    };
    vec![
        group_by(&[l.clone(), json!("s")], "all", &none),
        group_by(&[l.clone(), json!("s")], "all", &first("n", 10)),
        group_by(&[l.clone(), as_type("minute", "LONG"), json!("s")], "all", &first("a", 12)),
        group_by(&[l.clone(), d.clone()], "all", &first("n", 9)),
        group_by(
            &[d.clone(), f.clone()],
            "all",
            &json!({"limitSpec": {"type": "default", "limit": 20}}),
        ),
        group_by(&[f.clone(), l.clone()], "day", &none),
        group_by(&[l.clone(), as_type("before", "LONG")], "all", &first("n", 5)),
        group_by(&[json!("l"), json!("d")], "all", &first("n", 30)),
        group_by(
            &[l.clone(), as_type("lm", "LONG"), d],
            "all",
            &json!({"having": {"type": "greaterThan", "aggregation": "n", "value": 1}}),
        ),
        group_by(&[as_type("l", "DOUBLE"), f], "hour", &first("n", 4)),
        top(&l, "n"),
        top(&json!("l"), "a"),
        top(&as_type("d", "DOUBLE"), "n"),
        top(&json!("d"), "n"),
    ]
}

fn hold(storage: Storage) {
    let parts = parts(storage);
    for query in queries() {
        for merging in [
            Merging::Workers { dictionary_bytes: 1 << 20 },
            Merging::Workers { dictionary_bytes: 200 },
            Merging::Spilling,
            Merging::Together,
        ] {
            check(&parts, &query, (merging, Vec::new())).unwrap();
        }
    }
}

#[test]
fn f_63_many_numbers_of_files_answer_as_the_oracle() {
    hold(Storage::File);
}

#[test]
fn f_63_many_numbers_of_indexes_answer_as_the_oracle() {
    hold(Storage::Index);
}
