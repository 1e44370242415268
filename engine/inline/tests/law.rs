//! The law over rows at hand: a query over the answer of another one, over joins and over unnested values answers what
//! the oracle does over the rows that these are, made in the plainest way, whatever segments the left ones are in.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use henge_exec::{ExecContext, Extent, MemoryPool, QueryMemory, finalise, merge, run};
use henge_inline::{
    Derivation, InlineSegment, rows_of_answer, rows_of_batches, rows_of_inline, run_over,
};
use henge_oracle::OracleRow;
use henge_query::{DataSource, Query};
use henge_types::Value as Stored;
use serde_json::{Value, json};

const COLUMNS: [&str; 4] = ["__time", "page", "tags", "n"];

struct Draw(u64);

impl Draw {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

fn rows(seed: u64, count: usize) -> Vec<Vec<Value>> {
    let mut draw = Draw(seed);
    let row = |_| {
        let page = match draw.below(5) {
            0 => Value::Null,
            page => format!("p{page}").into(),
        };
        let tags: Vec<String> =
            (0..1 + draw.below(3)).map(|_| format!("t{}", draw.below(4))).collect();
        let n = if draw.below(6) == 0 { Value::Null } else { draw.below(9).into() };
        vec![(draw.below(1_000) * 60_000).into(), page, json!(tags), n]
    };
    (0..count).map(row).collect()
}

fn inline(names: &[&str], types: &[&str], rows: &[Vec<Value>]) -> Value {
    json!({"type": "inline", "columnNames": names, "columnTypes": types, "rows": rows})
}

fn facts(rows: &[Vec<Value>]) -> Value {
    inline(&COLUMNS, &["LONG", "STRING", "STRING", "LONG"], rows)
}

fn at_hand(source: &Value) -> InlineSegment {
    let query = json!({"queryType": "scan", "dataSource": source, "intervals": ["2000/2001"]});
    let query = Query::from_value(&query).unwrap();
    let DataSource::Inline(rows) = &query.base().data_source else { panic!("{source}") };
    rows_of_inline(rows, None).unwrap()
}

/// The same rows for the oracle.
fn oracle_rows(names: &[&str], rows: &[Vec<Value>]) -> Vec<OracleRow> {
    let stored = |value: &Value| match value {
        Value::Null => Stored::Null,
        Value::String(text) => Stored::String(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(long) => Stored::Long(long),
            None => Stored::Double(number.as_f64().unwrap()),
        },
        Value::Array(items) => {
            Stored::Multi(items.iter().map(|item| item.as_str().map(str::to_owned)).collect())
        }
        other => panic!("{other}"),
    };
    let row = |row: &Vec<Value>| {
        let values: BTreeMap<String, Stored> = names
            .iter()
            .zip(row)
            .map(|(name, value)| ((*name).to_owned(), stored(value)))
            .collect();
        let time_ms = match values.get("__time") {
            Some(Stored::Long(ms)) => *ms,
            _ => 0,
        };
        OracleRow { time_ms, values }
    };
    rows.iter().map(row).collect()
}

/// The answer over rows at hand.
fn answer(query: &Query) -> Value {
    let context = ExecContext::default();
    let partial = run_over(query, &context).unwrap();
    json_of(query, partial, &context)
}

fn json_of(query: &Query, partial: henge_exec::Partial, context: &ExecContext) -> Value {
    let answer = finalise(query, partial, context).unwrap();
    serde_json::from_slice(&henge_answer::to_json(query, &answer).unwrap()).unwrap()
}

/// A query with its inner ones resolved, as a broker does it.
fn resolved(query: &Value) -> Query {
    let mut query = Query::from_value(query).unwrap();
    let source = source_of(query.base().data_source.clone());
    query.base_mut().data_source = source;
    query
}

fn source_of(source: DataSource) -> DataSource {
    match source {
        DataSource::Inline(rows) => rows_of_inline(&rows, None).unwrap().into_data_source(),
        DataSource::Query(mut inner) => {
            let source = source_of(inner.base().data_source.clone());
            inner.base_mut().data_source = source;
            let context = ExecContext::default();
            let partial = run_over(&inner, &context).unwrap();
            let answer = finalise(&inner, partial, &context).unwrap();
            rows_of_answer(&inner, &answer, &context).unwrap().into_data_source()
        }
        DataSource::Join(mut join) => {
            join.left = source_of(join.left);
            join.right = source_of(join.right);
            DataSource::Join(join)
        }
        DataSource::Unnest(mut unnest) => {
            unnest.base = source_of(unnest.base);
            DataSource::Unnest(unnest)
        }
        DataSource::Filtered(mut filtered) => {
            filtered.base = source_of(filtered.base);
            DataSource::Filtered(filtered)
        }
        other => other,
    }
}

fn group_by(source: &Value, dimensions: &Value, filter: &Value) -> Value {
    json!({
        "queryType": "groupBy", "dataSource": source, "intervals": ["1970/1971"], "granularity": "all",
        "dimensions": dimensions, "filter": filter,
        "aggregations": [
            {"type": "count", "name": "rows"},
            {"type": "longSum", "name": "sum", "fieldName": "n"},
            {"type": "longMax", "name": "max", "fieldName": "n"},
        ],
    })
}

fn filters() -> Vec<Value> {
    vec![
        Value::Null,
        json!({"type": "selector", "dimension": "page", "value": "p1"}),
        json!({"type": "not", "field": {"type": "in", "dimension": "page", "values": ["p1", "p2"]}}),
        json!({"type": "bound", "dimension": "n", "lower": "3", "ordering": "numeric"}),
        json!({"type": "and", "fields": [
            {"type": "null", "column": "page"},
            {"type": "expression", "expression": "n > 2"},
        ]}),
    ]
}

#[test]
fn rows_at_hand_answer_as_the_oracle_does() {
    for seed in 0..8 {
        let rows = rows(seed, 200);
        for filter in filters() {
            let query = group_by(&facts(&rows), &json!(["page", "tags"]), &filter);
            let query = resolved(&query);
            let wanted = henge_oracle::answer(&query, &oracle_rows(&COLUMNS, &rows));
            assert_eq!(answer(&query), wanted, "seed {seed}, {filter}");
        }
    }
}

#[test]
fn a_query_over_a_query_answers_as_the_oracle_does() {
    for seed in 0..8 {
        let rows = rows(seed, 300);
        let inner =
            group_by(&facts(&rows), &json!(["page", "tags"]), &filters()[(seed % 5) as usize]);
        let mut outer = group_by(
            &json!({"type": "query", "query": inner}),
            &json!(["page"]),
            &json!({"type": "expression", "expression": "rows > 1"}),
        );
        outer["aggregations"] = json!([
            {"type": "count", "name": "groups"},
            {"type": "longSum", "name": "all", "fieldName": "rows"},
            {"type": "longMax", "name": "most", "fieldName": "sum"},
        ]);
        let of_inner = henge_oracle::answer(
            &Query::from_value(&inner_of(&outer)).unwrap(),
            &oracle_rows(&COLUMNS, &rows),
        );
        let names = ["page", "tags", "rows", "sum", "max"];
        let groups = of_inner.as_array().unwrap().iter();
        let groups: Vec<Vec<Value>> = groups
            .map(|row| names.iter().map(|name| row["event"][name].clone()).collect())
            .collect();
        let query = resolved(&outer);
        let wanted = henge_oracle::answer(&query, &oracle_rows(&names, &groups));
        assert_eq!(answer(&query), wanted, "seed {seed}");
    }
}

fn inner_of(outer: &Value) -> Value {
    outer["dataSource"]["query"].clone()
}

/// The rows of a join, in the plainest way.
fn joined(left: &[Vec<Value>], right: &[Vec<Value>], join_type: &str) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    let mut seen = vec![false; right.len()];
    for one in left {
        let mut is_alone = true;
        for (at, other) in right.iter().enumerate() {
            if !one[1].is_null() && one[1] == other[0] {
                is_alone = false;
                seen[at] = true;
                rows.push([one.as_slice(), other].concat());
            }
        }
        if is_alone && matches!(join_type, "LEFT" | "FULL") {
            rows.push([one.as_slice(), &[Value::Null, Value::Null]].concat());
        }
    }
    for (other, _) in right.iter().zip(&seen).filter(|(_, seen)| !**seen) {
        if matches!(join_type, "RIGHT" | "FULL") {
            rows.push(
                [&[0.into(), Value::Null, Value::Null, Value::Null], other.as_slice()].concat(),
            );
        }
    }
    rows
}

const JOINED: [&str; 6] = ["__time", "page", "tags", "n", "r.k", "r.v"];

#[test]
fn joins_answer_as_the_oracle_does_whatever_segments_the_left_is_in() {
    let right: Vec<Vec<Value>> = [("p1", "x"), ("p1", "y"), ("p2", "x"), ("p9", "z")]
        .iter()
        .map(|(key, value)| vec![json!(key), json!(value)])
        .chain([vec![Value::Null, json!("null")]])
        .collect();
    for (seed, join_type) in ["INNER", "LEFT", "RIGHT", "FULL"].into_iter().enumerate() {
        let left = rows(seed as u64, 120);
        let source = json!({
            "type": "join", "left": facts(&left), "right": inline(&["k", "v"], &["STRING", "STRING"], &right),
            "rightPrefix": "r.", "condition": "page == \"r.k\"", "joinType": join_type,
        });
        let mut filters = filters();
        filters.push(json!({"type": "selector", "dimension": "r.v", "value": "x"}));
        for filter in filters {
            let query = resolved(&group_by(&source, &json!(["r.v", "page"]), &filter));
            let rows = oracle_rows(&JOINED, &joined(&left, &right, join_type));
            let wanted = henge_oracle::answer(&query, &rows);
            assert_eq!(answer(&query), wanted, "{join_type}, {filter}");
            if matches!(join_type, "INNER" | "LEFT") {
                assert_eq!(in_segments(&query, &left), wanted, "{join_type} in segments, {filter}");
            }
        }
    }
}

/// The answer where the left's rows are in three segments.
fn in_segments(query: &Query, left: &[Vec<Value>]) -> Value {
    let context = ExecContext::default();
    let derivation = Derivation::of(query, &context).unwrap().unwrap();
    let parts = left
        .chunks(left.len().div_ceil(3))
        .map(|rows| derivation.run(query, &at_hand(&facts(rows)), Extent::Part, &context).unwrap());
    let merged = merge(query, parts.collect(), &context).unwrap();
    json_of(query, merged, &context)
}

#[test]
fn unnested_values_answer_as_the_oracle_does() {
    for seed in 0..6 {
        let rows = rows(seed, 150);
        let source = json!({
            "type": "unnest", "base": facts(&rows),
            "virtualColumn": {"type": "expression", "name": "u", "expression": "tags", "outputType": "STRING"},
            "unnestFilter": {"type": "not", "field": {"type": "selector", "dimension": "u", "value": "t3"}},
        });
        let names = ["__time", "page", "tags", "n", "u"];
        let unnested: Vec<Vec<Value>> = rows
            .iter()
            .flat_map(|row| {
                let tags = row[2].as_array().unwrap().iter().filter(|tag| **tag != "t3");
                tags.map(|tag| [row.as_slice(), std::slice::from_ref(tag)].concat())
            })
            .collect();
        for filter in filters() {
            let query = resolved(&group_by(&source, &json!(["u", "page"]), &filter));
            let wanted = henge_oracle::answer(&query, &oracle_rows(&names, &unnested));
            assert_eq!(answer(&query), wanted, "seed {seed}, {filter}");
            assert_eq!(in_segments(&query, &rows), wanted, "seed {seed} in segments, {filter}");
        }
    }
}

#[test]
fn h_84_a_join_of_everything_with_everything_is_stopped_by_memory() {
    let many: Vec<Vec<Value>> = (0..2_000).map(|n| vec![json!(n)]).collect();
    let source = json!({
        "type": "join", "left": inline(&["l"], &["LONG"], &many), "right": inline(&["k"], &["LONG"], &many),
        "rightPrefix": "r.", "condition": "1", "joinType": "INNER",
    });
    let query = resolved(&group_by(&source, &json!([]), &Value::Null));
    let memory = QueryMemory::new(Arc::new(MemoryPool::new(1 << 22)), 1 << 22);
    let context = ExecContext { memory, ..ExecContext::default() };
    let refused = run_over(&query, &context).unwrap_err();
    assert!(refused.to_string().contains("query.memory_budget_bytes"), "{refused}");
}

#[test]
fn conditions_that_are_no_equality_are_asked_of_each_pair() {
    let numbers = |most: i64| (0..most).map(|n| vec![json!(n)]).collect::<Vec<_>>();
    let source = json!({
        "type": "join", "left": inline(&["l"], &["LONG"], &numbers(6)),
        "right": inline(&["k"], &["LONG"], &numbers(6)), "rightPrefix": "r.",
        "condition": "l > \"r.k\" && l % 2 == \"r.k\"", "joinType": "INNER",
    });
    let query = resolved(&group_by(&source, &json!(["l", "r.k"]), &Value::Null));
    let pairs = answer(&query);
    let pairs: Vec<(Value, Value)> = pairs
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["event"]["l"].clone(), row["event"]["r.k"].clone()))
        .collect();
    let wanted = [("2", "0"), ("3", "1"), ("4", "0"), ("5", "1")];
    assert_eq!(pairs, wanted.map(|(l, k)| (json!(l), json!(k))));
}

#[test]
fn null_meets_null_only_where_that_is_said() {
    let rows = vec![vec![json!("a")], vec![Value::Null]];
    for (condition, wanted) in [("l == \"r.k\"", 1), ("notdistinctfrom(l, \"r.k\")", 2)] {
        let source = json!({
            "type": "join", "left": inline(&["l"], &["STRING"], &rows),
            "right": inline(&["k"], &["STRING"], &rows), "rightPrefix": "r.",
            "condition": condition, "joinType": "INNER",
        });
        let query = resolved(&group_by(&source, &json!([]), &Value::Null));
        assert_eq!(answer(&query)[0]["event"]["rows"], wanted, "{condition}");
    }
}

#[test]
fn what_travels_to_other_processes_is_the_same() {
    let rows = rows(3, 50);
    let source = json!({
        "type": "join", "left": facts(&rows), "right": inline(&["k", "v"], &["STRING", "DOUBLE"], &[
            vec![json!("p1"), json!(0.5)], vec![json!("p2"), Value::Null],
        ]),
        "rightPrefix": "r.", "condition": "page == \"r.k\"", "joinType": "LEFT",
    });
    let query = resolved(&group_by(&source, &json!(["r.v", "tags"]), &Value::Null));
    let sent = query.to_value().to_string();
    let received = Query::decode(sent.as_bytes()).unwrap();
    assert_eq!(answer(&received), answer(&query));
}

#[test]
fn a_join_that_hides_columns_of_its_left_is_refused() {
    let left = facts(&[vec![json!(0), json!("p1"), json!("t1"), json!(1)]]);
    let rows = at_hand(&left);
    let source = json!({
        "type": "join", "left": "w", "right": inline(&["age"], &["STRING"], &[vec![json!("p1")]]),
        "rightPrefix": "p", "condition": "\"page\" == 'x'", "joinType": "INNER",
    });
    let query = resolved(&group_by(&source, &json!([]), &Value::Null));
    let context = ExecContext::default();
    let derivation = Derivation::of(&query, &context).unwrap().unwrap();
    let refused = derivation.run(&query, &rows, Extent::Whole, &context).unwrap_err().to_string();
    assert!(refused.contains("rightPrefix: 'p' hides column 'page'"), "{refused}");
}

#[test]
fn values_that_a_column_of_numbers_cannot_hold_are_refused_with_their_place() {
    let read = |column_type: &str, value: Value| {
        let rows = [vec![json!(1)], vec![value]];
        let source = inline(&["n"], &[column_type], &rows);
        let query = json!({"queryType": "scan", "dataSource": source, "intervals": ["2000/2001"]});
        let query = Query::from_value(&query).unwrap();
        let DataSource::Inline(rows) = &query.base().data_source else { panic!("{source}") };
        rows_of_inline(rows, None).map(|_| ()).map_err(|error| error.to_string())
    };
    for (column_type, value) in [
        ("LONG", json!("5")),
        ("LONG", json!(1.5)),
        ("LONG", json!(true)),
        ("LONG", Value::Null),
        ("DOUBLE", json!("1e3")),
        ("ARRAY<LONG>", json!([1, null, "2"])),
        ("STRING", json!(["a", 5])),
    ] {
        assert_eq!(read(column_type, value.clone()), Ok(()), "{column_type} {value}");
    }
    for (column_type, value) in [
        ("LONG", json!("abc")),
        ("LONG", json!(1e30)),
        ("LONG", json!([5])),
        ("FLOAT", json!("x")),
        ("DOUBLE", json!([1.5, 2])),
        ("ARRAY<DOUBLE>", json!([1, "x"])),
    ] {
        let refused = read(column_type, value.clone()).unwrap_err();
        let wanted = format!("dataSource.rows[1]: {value} in column 'n' is no {column_type}");
        assert!(refused.contains(&wanted), "{refused}");
    }
}

#[test]
fn times_are_numbers_or_texts_whatever_was_declared_and_others_are_refused() {
    let asking = |value: Value| {
        let source = inline(&["__time"], &["STRING"], &[vec![value]]);
        Query::from_value(&json!({"queryType": "timeBoundary", "dataSource": source})).unwrap()
    };
    for value in [json!(1_704_067_200_000_i64), json!("1704067200000"), json!("2024-01-01")] {
        assert_eq!(answer(&asking(value))[0]["result"]["minTime"], "2024-01-01T00:00:00.000Z");
    }
    let query = asking(json!("soon"));
    let DataSource::Inline(rows) = &query.base().data_source else { panic!("not inline") };
    let refused = rows_of_inline(rows, None).unwrap_err().to_string();
    assert!(refused.contains("is no time"), "{refused}");
}

#[test]
fn arrays_are_values_by_themselves_and_several_values_are_taken_one_by_one() {
    for (column_type, wanted) in [("ARRAY<STRING>", json!("[a")), ("STRING", json!(["aa", "ab"]))] {
        let rows = [vec![json!(["a", "b"])]];
        let expression = if column_type == "STRING" { "concat('a', x)" } else { "lpad(x, 2, '*')" };
        let query = json!({
            "queryType": "scan", "dataSource": inline(&["x"], &[column_type], &rows),
            "intervals": ["1970/1971"], "columns": ["v"], "resultFormat": "compactedList",
            "virtualColumns": [{"type": "expression", "name": "v", "expression": expression}],
        });
        let query = Query::from_value(&query).unwrap();
        assert_eq!(answer(&query)[0]["events"][0][0], wanted, "{column_type}");
    }
}

#[test]
fn documents_are_values_that_functions_of_json_look_into() {
    let document = json!({"x": 2, "y": {"z": "deep"}, "list": [1, 2]});
    let read = |column_type: &str, value: Value, expression: &str| {
        let query = json!({
            "queryType": "scan", "dataSource": inline(&["d"], &[column_type], &[vec![value]]),
            "intervals": ["1970/1971"], "columns": ["v"], "resultFormat": "compactedList",
            "virtualColumns": [{"type": "expression", "name": "v", "expression": expression}],
        });
        answer(&Query::from_value(&query).unwrap())[0]["events"][0][0].clone()
    };
    for (expression, wanted) in [
        ("json_value(d, '$.y.z')", json!("deep")),
        ("json_value(d, '$.x', 'LONG')", json!(2)),
        ("json_value(d, '$.list[1]', 'LONG')", json!(2)),
        ("json_keys(d, '$.y')", json!(["z"])),
    ] {
        assert_eq!(read("COMPLEX<json>", document.clone(), expression), wanted, "{expression}");
    }
    assert_eq!(read("COMPLEX<json>", json!([7, 8]), "json_value(d, '$[1]', 'LONG')"), json!(8));
    assert_eq!(read("COMPLEX<json>", json!("text"), "concat(d, '!')"), json!("text!"));
    let several = json!([{"x": 1}, {"x": 2}]);
    let array = "ARRAY<COMPLEX<json>>";
    assert_eq!(read(array, several.clone(), "array_length(d)"), json!(2));
    let second = "json_value(array_ordinal(d, 2), '$.x', 'LONG')";
    assert_eq!(read(array, several, second), json!(2));
}

#[test]
fn texts_that_say_so_are_stored_objects() {
    let typed = |name: &str, druid_type: &str| {
        let metadata = [("druid.type".to_owned(), format!("COMPLEX<{druid_type}>"))].into();
        Field::new(name, DataType::Utf8, true).with_metadata(metadata)
    };
    let pairs =
        StringArray::from(vec![Some(r#"{"lhs":5,"rhs":70}"#), None, Some(r#"{"lhs":9,"rhs":80}"#)]);
    let schema = Schema::new(vec![typed("pair", "serializablePairLongLong")]);
    let batch =
        RecordBatch::try_new(Arc::new(schema.clone()), vec![Arc::new(pairs.clone())]).unwrap();
    let rows = rows_of_batches(&schema, &[batch], None).unwrap();
    let last = json!({"type": "longLast", "name": "last", "fieldName": "pair"});
    let query = json!({
        "queryType": "timeseries", "dataSource": "rows", "intervals": ["1970/1971"], "granularity": "all",
        "aggregations": [last],
    });
    let query = resolved(&query);
    let context = ExecContext::default();
    let partial = run(&query, &rows, &context).unwrap();
    assert_eq!(json_of(&query, partial, &context)[0]["result"]["last"], 80);
    let schema = Schema::new(vec![typed("sketch", "HLLSketch")]);
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![Arc::new(pairs)]).unwrap();
    let refused = rows_of_batches(&schema, &[batch], None).unwrap_err().to_string();
    assert!(refused.contains("column 'sketch' holds no HLLSketch"), "{refused}");
}
