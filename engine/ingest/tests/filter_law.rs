//! The law of filters: the events that a filter lets in are the rows that the same filter selects
//! of all events, the groups that it keeps as `having`, and what the oracle says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_exec::{ExecContext, finalise, merge, run};
use henge_index::{DimensionSchema, IndexLimits, WriteIndex};
use henge_ingest::{ParseLimits, Rejection, RowError, RowParser, RowSink, index_schema};
use henge_oracle::OracleRow;
use henge_query::Query;
use henge_query::ingest::DataSchema;
use henge_segment::SegmentView;
use henge_types::{Interval, SegmentId, Value as Stored, ValueRef, Version};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const COLUMNS: [&str; 5] = ["s", "m", "l", "f", "d"];

/// Keeps rows; a rejected event fails the test.
#[derive(Default)]
struct Rows(Vec<(i64, Vec<Stored>)>);

impl RowSink for Rows {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        let owned = |value: &ValueRef<'_>| match value {
            ValueRef::Null => Stored::Null,
            ValueRef::Long(value) => Stored::Long(*value),
            ValueRef::Double(value) => Stored::Double(*value),
            ValueRef::String(text) => Stored::String((*text).to_owned()),
            ValueRef::Multi(items) => {
                Stored::Multi(items.iter().map(|item| item.map(str::to_owned)).collect())
            }
            ValueRef::Complex(bytes) => Stored::Complex(bytes.to_vec()),
        };
        self.0.push((timestamp_ms, values.iter().map(owned).collect()));
        Ok(())
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        panic!("{:?}", rejection.reason);
    }

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}

fn schema(filter: Option<&Value>) -> Arc<DataSchema> {
    let dimension = |kind: &str, name: &str| json!({"type": kind, "name": name});
    let spec = json!({
        "timestampSpec": {"column": "t", "format": "millis"},
        "dimensionsSpec": {"dimensions": [
            "s", {"type": "string", "name": "m", "multiValueHandling": "ARRAY"},
            dimension("long", "l"), dimension("float", "f"), dimension("double", "d"),
        ]},
        "granularitySpec": {"segmentGranularity": "day", "queryGranularity": "none", "rollup": false},
        "transformSpec": {"filter": filter},
    });
    Arc::new(DataSchema::from_value_named(&spec, "t").unwrap())
}

fn parse(schema: &Arc<DataSchema>, events: &[Value]) -> Vec<(i64, Vec<Stored>)> {
    let mut parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut rows = Rows::default();
    parser.parse_batch(json!(events).to_string().as_bytes(), &mut rows).unwrap();
    rows.0
}

fn number() -> impl Strategy<Value = Value> + Clone {
    select(vec![
        json!(0),
        json!(-1.5),
        json!(2.75),
        json!("7"),
        json!("0.1"),
        json!(0.1),
        json!(true),
        json!(9_007_199_254_740_992_i64),
        json!("9007199254740993"),
        json!(1e17),
        json!("no number"),
        json!("NaN"),
        json!("Infinity"),
        json!("-Infinity"),
        json!(""),
        Value::Null,
    ])
}

fn text() -> impl Strategy<Value = Value> + Clone {
    select(vec![
        json!("x"),
        json!("z"),
        json!(""),
        json!("7"),
        json!(7),
        json!(7.0),
        json!(false),
        json!("9007199254740993"),
        json!("line\n"),
        json!({"k": 1}),
        Value::Null,
    ])
}

fn event() -> impl Strategy<Value = Value> {
    let many = prop_oneof![
        2 => text(),
        3 => prop::collection::vec(text(), 0..4).prop_map(Value::from),
    ];
    (text(), many, number(), number(), number())
        .prop_map(|(s, m, l, f, d)| json!({"s": s, "m": m, "l": l, "f": f, "d": d}))
}

fn literal() -> impl Strategy<Value = Value> + Clone {
    select(vec![
        "x",
        "z",
        "",
        "7",
        "7.0",
        "0",
        "0.1",
        "-1.5",
        "2.5",
        "false",
        "9007199254740992",
        "9007199254740993",
        "9007199254740992.5",
        "1e17",
        "1e400",
        "NaN",
        "8",
    ])
    .prop_map(|text| json!(text))
}

fn filter(columns: &'static [&'static str]) -> BoxedStrategy<Value> {
    let column = || select(columns);
    let one = (column(), prop::option::weighted(0.8, literal())).prop_map(
        |(column, value)| json!({"type": "selector", "dimension": column, "value": value}),
    );
    let listed = prop::collection::vec(prop::option::weighted(0.8, literal()), 0..4);
    let listed = (column(), listed)
        .prop_map(|(column, values)| json!({"type": "in", "dimension": column, "values": values}));
    let null = column().prop_map(|column| json!({"type": "null", "column": column}));
    let orderings = select(vec!["lexicographic", "numeric", "strlen", "alphanumeric", "version"]);
    let bound = (column(), literal(), any::<(bool, bool)>(), orderings).prop_map(
        |(column, value, (lower, strict), ordering)| {
            let (end, strictness) =
                if lower { ("lower", "lowerStrict") } else { ("upper", "upperStrict") };
            json!({
                "type": "bound", "dimension": column, "ordering": ordering,
                end: value, strictness: strict,
            })
        },
    );
    let typed = prop_oneof![
        literal().prop_map(|value| ("STRING", value)),
        select(vec![0, 7, 9_007_199_254_740_993_i64]).prop_map(|value| ("LONG", json!(value))),
        select(vec![0.1, 2.75, 1e17, 7.0]).prop_map(|value| ("DOUBLE", json!(value))),
    ];
    let equals = (column(), typed.clone()).prop_map(|(column, (match_type, value))| {
        json!({
            "type": "equals", "column": column, "matchValueType": match_type, "matchValue": value,
        })
    });
    let range = (column(), typed, any::<bool>()).prop_map(|(column, (match_type, value), open)| {
        json!({
            "type": "range", "column": column, "matchValueType": match_type, "lower": value,
            "lowerOpen": open,
        })
    });
    let like = (column(), select(vec!["%", "7%", "_", "%.%"]))
        .prop_map(|(column, p)| json!({"type": "like", "dimension": column, "pattern": p}));
    let regex = (column(), select(vec!["^\\d", "^$", "x|z", "e$"]))
        .prop_map(|(column, p)| json!({"type": "regex", "dimension": column, "pattern": p}));
    let interval = column().prop_map(|column| {
        json!({
            "type": "interval", "dimension": column,
            "intervals": ["1970-01-01T00:00:00.000/1970-01-01T00:00:00.008"],
        })
    });
    let expression = select(vec!["l > 3", "d == 0.1", "s == 'x'", "strlen(s) + l", "f <= d"])
        .prop_map(|text| json!({"type": "expression", "expression": text}));
    let leaf = prop_oneof![
        3 => one, 2 => listed, 1 => null, 4 => bound, 2 => equals, 2 => range, 1 => like,
        1 => regex, 1 => interval, 1 => expression,
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        let fields = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            fields.clone().prop_map(|fields| json!({"type": "and", "fields": fields})),
            fields.prop_map(|fields| json!({"type": "or", "fields": fields})),
            inner.prop_map(|field| json!({"type": "not", "field": field})),
        ]
    })
    .boxed()
}

fn answer(query: &Value, view: &dyn SegmentView) -> Value {
    let query = Query::parse(query.to_string().as_bytes()).unwrap();
    let ctx = ExecContext::default();
    let partials = vec![run(&query, view, &ctx).unwrap()];
    let answer = finalise(&query, merge(&query, partials, &ctx).unwrap(), &ctx).unwrap();
    serde_json::from_slice(&henge_answer::to_json(&query, &answer).unwrap()).unwrap()
}

fn scan(filter: &Value) -> Value {
    json!({
        "queryType": "scan", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "columns": ["__time"], "resultFormat": "compactedList", "filter": filter,
    })
}

fn scanned_times(answer: &Value) -> Vec<i64> {
    let batches = answer.as_array().unwrap().iter();
    let events = batches.flat_map(|batch| batch["events"].as_array().unwrap());
    events.map(|event| event[0].as_i64().unwrap()).collect()
}

/// The times of the groups that `having` keeps, a group a row.
fn grouped_times(having: &Value, view: &dyn SegmentView) -> Vec<i64> {
    let dimension = |name: &str, output: &str| json!({"type": "default", "dimension": name, "outputName": name, "outputType": output});
    let query = json!({
        "queryType": "groupBy", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "none", "aggregations": [], "context": {"resultAsArray": true},
        "dimensions": [
            dimension("s", "STRING"), dimension("l", "LONG"), dimension("f", "FLOAT"),
            dimension("d", "DOUBLE"),
        ],
        "having": {"type": "filter", "filter": having},
    });
    let rows = answer(&query, view);
    rows.as_array().unwrap().iter().map(|row| row[0].as_i64().unwrap()).collect()
}

fn index(rows: &[(i64, Vec<Stored>)]) -> Arc<henge_index::IndexSnapshot> {
    let schema = schema(None);
    let parser = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let limits = IndexLimits { max_rows: 1_000, max_bytes: 1 << 26 };
    let mut index = WriteIndex::new(index_schema(&schema, parser.dimensions()), limits).unwrap();
    for (time_ms, values) in rows {
        let lists: Vec<Vec<Option<&str>>> = values
            .iter()
            .map(|value| match value {
                Stored::Multi(items) => items.iter().map(Option::as_deref).collect(),
                _ => Vec::new(),
            })
            .collect();
        let values: Vec<ValueRef<'_>> = values
            .iter()
            .zip(&lists)
            .map(|(value, list)| match value {
                Stored::Long(value) => ValueRef::Long(*value),
                Stored::Double(value) => ValueRef::Double(*value),
                Stored::String(text) => ValueRef::String(text),
                Stored::Multi(_) => ValueRef::Multi(list),
                _ => ValueRef::Null,
            })
            .collect();
        index.add(*time_ms, &values).unwrap();
    }
    let interval = Interval { start_ms: 0, end_ms: 86_400_000 };
    index.snapshot(SegmentId::new("t", interval, Version(1), 0))
}

fn oracle_rows(rows: &[(i64, Vec<Stored>)]) -> Vec<OracleRow> {
    let row = |(time_ms, values): &(i64, Vec<Stored>)| {
        let values = COLUMNS.iter().zip(values).map(|(name, value)| {
            let value = match value {
                Stored::Double(value) if *name == "f" => Stored::Float(*value as f32),
                other => other.clone(),
            };
            ((*name).to_owned(), value)
        });
        OracleRow { time_ms: *time_ms, values: values.collect::<BTreeMap<_, _>>() }
    };
    rows.iter().map(row).collect()
}

fn check(mut events: Vec<Value>, filter: &Value, with_having: bool) -> Result<(), TestCaseError> {
    for (time_ms, event) in events.iter_mut().enumerate() {
        event["t"] = json!(time_ms);
    }
    let times = |rows: &[(i64, Vec<Stored>)]| rows.iter().map(|row| row.0).collect::<Vec<_>>();
    let let_in = times(&parse(&schema(Some(filter)), &events));
    let all = parse(&schema(None), &events);
    let view = index(&all);
    let query = scan(filter);
    let expected = henge_oracle::answer(
        &Query::parse(query.to_string().as_bytes()).unwrap(),
        &oracle_rows(&all),
    );
    let say = format!("filter {filter}\nrows {all:?}");
    prop_assert_eq!(
        scanned_times(&expected),
        scanned_times(&answer(&query, &*view)),
        "query {}",
        say
    );
    prop_assert_eq!(scanned_times(&expected), let_in, "ingestion {}", say);
    if with_having {
        let groups = grouped_times(filter, &*view);
        prop_assert_eq!(scanned_times(&expected), groups, "having {}", say);
    }
    Ok(())
}

proptest! {
    #[test]
    fn h_19_ingestion_keeps_what_a_query_selects(
        events in prop::collection::vec(event(), 1..12),
        filter in filter(&["s", "m", "l", "f", "d", "__time", "absent"]),
    ) {
        check(events, &filter, false)?;
    }

    #[test]
    fn having_keeps_what_a_query_selects(
        events in prop::collection::vec(event(), 1..12),
        filter in filter(&["s", "l", "f", "d", "__time", "absent"]),
    ) {
        check(events, &filter, true)?;
    }
}

#[test]
fn lists_with_null_are_as_unknown_as_in_queries() {
    let events = || {
        vec![
            json!({"m": [null, "z"]}),
            json!({"m": null}),
            json!({"m": ["x", null]}),
            json!({"m": ["y", "z"]}),
            json!({"m": []}),
        ]
    };
    let kept = |filter: Value| {
        let mut events = events();
        for (time_ms, event) in events.iter_mut().enumerate() {
            event["t"] = json!(time_ms);
        }
        check(events.clone(), &filter, false).unwrap();
        parse(&schema(Some(&filter)), &events).iter().map(|row| row.0).collect::<Vec<_>>()
    };
    let is = |value: Value| json!({"type": "selector", "dimension": "m", "value": value});
    assert_eq!(kept(is(Value::Null)), [0, 1, 2, 4]);
    assert_eq!(kept(json!({"type": "not", "field": is(json!("x"))})), [3]);
    assert_eq!(
        kept(json!({"type": "in", "dimension": "m", "values": [null, "y"]})),
        [0, 1, 2, 3, 4]
    );
}
