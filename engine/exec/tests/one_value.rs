//! First, last and any: stored as metrics, rolled up, merged, mixed with buffered rows, filtered, and
//! as they travel; late events, events without a value and events of one time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use henge_exec::{ExecContext, Partial, finalise, merge, run};
use henge_index::{DimensionSchema, IndexLimits, IndexSchema, IndexSnapshot, WriteIndex};
use henge_query::Query;
use henge_query::ingest::DataSchema;
use henge_segment::{MappedSegment, MergeOptions, SegmentView, combine_schemas};
use henge_types::{Granularity, Interval, SegmentId, ValueRef, Version};
use serde_json::{Value, json};

/// Minutes after midnight, user, state, level.
type Event = (i64, &'static str, Option<&'static str>, Option<f64>);

const EARLY: &[Event] = &[
    (10, "ann", Some("shopping"), Some(2.0)),
    (50, "ann", Some("paying"), Some(4.0)),
    // Late: in the same hour, but before what is known.
    (5, "ann", Some("arriving"), None),
    (20, "bob", Some("shopping"), Some(1.5)),
    // At one time: the greater one is last, the lesser one first, and null is neither.
    (40, "bob", Some("b"), Some(8.0)),
    (40, "bob", Some("a"), Some(7.0)),
    (40, "bob", None, None),
];
const LATER: &[Event] = &[
    (30, "ann", Some("browsing"), Some(3.0)),
    // The last of all has no value.
    (70, "ann", None, Some(9.0)),
    (2, "bob", Some("waking"), Some(0.5)),
    (1, "cy", None, None),
];

fn schema() -> DataSchema {
    DataSchema::from_value(&json!({
        "dataSource": "t",
        "timestampSpec": {"column": "time", "format": "millis"},
        "dimensionsSpec": {"dimensions": ["user"]},
        "metricsSpec": [
            {"type": "stringLast", "name": "last_state", "fieldName": "state", "maxStringBytes": 8},
            {"type": "stringFirst", "name": "first_state", "fieldName": "state"},
            {"type": "doubleFirst", "name": "first_level", "fieldName": "level"},
            {"type": "floatLast", "name": "last_level", "fieldName": "level"},
            {"type": "longAny", "name": "any_level", "fieldName": "level"},
        ],
    }))
    .unwrap()
}

fn id(partition: u32) -> SegmentId {
    let interval = Interval { start_ms: 0, end_ms: 86_400_000 };
    SegmentId { datasource: Arc::from("t"), interval, version: Version(1), partition }
}

fn buffered(events: &[Event], partition: u32) -> Arc<IndexSnapshot> {
    let limits = IndexLimits { max_rows: 1_000, max_bytes: 1 << 30 };
    let schema = IndexSchema {
        dimensions: vec![DimensionSchema::string("user")],
        metrics: schema().metrics_spec,
        query_granularity: Granularity::parse_name("hour").unwrap(),
        rollup: true,
    };
    let mut index = WriteIndex::new(schema, limits).unwrap();
    for (minute, user, state, level) in events {
        let state = state.map_or(ValueRef::Null, ValueRef::String);
        let level = level.map_or(ValueRef::Null, ValueRef::Double);
        let values = [ValueRef::String(user), state, state, level, level, level];
        index.add(minute * 60_000, &values).unwrap();
    }
    index.snapshot(id(partition))
}

fn merged(views: &[&dyn SegmentView]) -> MappedSegment {
    let schemas: Vec<_> = views.iter().map(|view| view.schema()).collect();
    let options = MergeOptions::new(combine_schemas(&schemas).unwrap());
    let mut bytes = Vec::new();
    henge_segment::merge(views, id(9), &options, &mut bytes).unwrap();
    MappedSegment::open(Arc::new(bytes)).unwrap()
}

fn aggregations() -> Value {
    json!([
        {"type": "stringLastFold", "name": "last_state", "fieldName": "last_state"},
        {"type": "stringFirst", "name": "first_state", "fieldName": "first_state", "maxStringBytes": 4},
        {"type": "doubleFirst", "name": "first_level", "fieldName": "first_level"},
        {"type": "floatLast", "name": "last_level", "fieldName": "last_level"},
        {"type": "longAny", "name": "any_level", "fieldName": "any_level"},
    ])
}

fn query(finalize: bool) -> Query {
    let query = json!({
        "queryType": "groupBy", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "all", "dimensions": ["user"], "aggregations": aggregations(),
        "context": {"finalize": finalize},
    });
    Query::parse(query.to_string().as_bytes()).unwrap()
}

fn answer(query: &Query, views: &[&dyn SegmentView]) -> Value {
    let ctx = ExecContext::default();
    let travelled = |view: &&dyn SegmentView| -> Partial {
        let partial = run(query, *view, &ctx).unwrap();
        Partial::decode(&partial.encode().unwrap()).unwrap()
    };
    let partials = views.iter().map(travelled).collect();
    let answer = finalise(query, merge(query, partials, &ctx).unwrap(), &ctx).unwrap();
    let json = henge_answer::to_json(query, &answer).unwrap();
    let rows: Value = serde_json::from_slice(&json).unwrap();
    rows.as_array().unwrap().iter().map(|row| row["event"].clone()).collect()
}

fn expected() -> Value {
    json!([
        {"user": "ann", "last_state": null, "first_state": "arri", "first_level": null,
         "last_level": 9.0, "any_level": 2},
        {"user": "bob", "last_state": "b", "first_state": "waki", "first_level": 0.5,
         "last_level": 8.0, "any_level": 0},
        {"user": "cy", "last_state": null, "first_state": null, "first_level": null,
         "last_level": null, "any_level": null},
    ])
}

#[test]
fn rows_that_roll_up_segments_that_merge_and_mixes_answer_alike() {
    let all: Vec<Event> = [EARLY, LATER].concat();
    let backwards: Vec<Event> = all.iter().rev().copied().collect();
    let (early, later) = (buffered(EARLY, 0), buffered(LATER, 1));
    assert_eq!(early.row_count(), 2, "events of an hour and a user roll up");
    let (one, other) = (merged(&[&*early, &*later]), merged(&[&*later, &*early]));
    assert_eq!(one.row_count(), 4);
    let file = merged(&[&*early]);
    let views: [&[&dyn SegmentView]; 7] = [
        &[&*buffered(&all, 2)],
        &[&*buffered(&backwards, 2)],
        &[&*early, &*later],
        &[&*later, &*early],
        &[&one],
        &[&other],
        &[&file, &*later],
    ];
    for views in views {
        assert_eq!(answer(&query(true), views), expected());
    }
}

#[test]
fn states_show_their_times_when_they_are_not_finalised() {
    let (early, later) = (buffered(EARLY, 0), buffered(LATER, 1));
    let rows = answer(&query(false), &[&*early, &*later]);
    assert_eq!(rows[0]["last_state"], json!({"lhs": 4_200_000, "rhs": null}));
    assert_eq!(rows[1]["last_state"], json!({"lhs": 2_400_000, "rhs": "b"}));
    assert_eq!(rows[1]["first_level"], json!({"lhs": 120_000, "rhs": 0.5}));
    assert_eq!(rows[1]["any_level"], json!(0));
}

#[test]
fn texts_that_are_stored_are_no_longer_than_they_may_be() {
    let view = buffered(&[(1, "ann", Some("0123456é"), None)], 0);
    let rows = answer(&query(true), &[&*view]);
    assert_eq!(rows[0]["last_state"], "0123456", "no character is cut in two");
}

#[test]
fn pairs_of_another_type_are_refused() {
    let view = buffered(EARLY, 0);
    let query = json!({
        "queryType": "timeseries", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "all",
        "aggregations": [{"type": "longLast", "name": "x", "fieldName": "last_state"}],
    });
    let query = Query::parse(query.to_string().as_bytes()).unwrap();
    let refused = run(&query, &*view, &ExecContext::default()).unwrap_err();
    assert!(refused.to_string().contains("which holds serializablePairLongString"), "{refused}");
}
