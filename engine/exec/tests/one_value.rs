//! First, last and any, least and greatest text: stored as metrics, rolled up, merged, mixed with buffered rows, filtered, and
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
        before_time: Vec::new(),
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

/// A metric that was added or removed by a change of the schema.
#[test]
fn segments_without_the_column_hide_no_value_of_others() {
    let early = buffered(EARLY, 0);
    let schema = IndexSchema {
        dimensions: vec![DimensionSchema::string("user")],
        metrics: Vec::new(),
        before_time: Vec::new(),
        query_granularity: Granularity::None,
        rollup: false,
    };
    let limits = IndexLimits { max_rows: 1_000, max_bytes: 1 << 30 };
    let mut index = WriteIndex::new(schema, limits).unwrap();
    for (minute, user) in [(0, "ann"), (1_000, "ann"), (0, "bob"), (1_000, "bob")] {
        index.add(minute * 60_000, &[ValueRef::String(user)]).unwrap();
    }
    let lacking = index.snapshot(id(1));
    let expected = answer(&query(true), &[&*early]);
    assert_eq!(expected[1]["last_state"], "b");
    let file = merged(&[&*lacking]);
    let views: [&[&dyn SegmentView]; 3] =
        [&[&*early, &*lacking], &[&*lacking, &*early], &[&file, &*early]];
    for views in views {
        assert_eq!(answer(&query(true), views), expected);
    }
}

/// The least and the greatest text of a group, of a dictionary in order and of one that is not.
#[test]
fn ends_of_texts_do_not_depend_on_where_rows_lie() {
    let all: Vec<Event> = [EARLY, LATER].concat();
    let (early, later) = (buffered(EARLY, 0), buffered(LATER, 1));
    let (one, file) = (merged(&[&*early, &*later]), merged(&[&*early]));
    let bound = |kind: &str, field: &str| json!({"type": kind, "name": format!("{kind} {field}"), "fieldName": field, "maxStringBytes": 3});
    let nobody = json!({
        "type": "filtered", "name": "nobody", "aggregator": bound("stringMin", "user"),
        "filter": {"type": "selector", "dimension": "user", "value": "nobody"},
    });
    let query = json!({
        "queryType": "groupBy", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "all", "dimensions": [],
        "virtualColumns": [{
            "type": "expression", "name": "turned", "outputType": "STRING",
            "expression": "concat(if(user == 'cy', 'a', 'z'), user, 'é')",
        }],
        "aggregations": [
            bound("stringMin", "user"), bound("stringMax", "user"), bound("stringMin", "turned"),
            bound("stringMax", "turned"), bound("stringMin", "first_state"),
            bound("stringMax", "absent"), nobody,
        ],
    });
    let query = Query::parse(query.to_string().as_bytes()).unwrap();
    let expected = json!([{
        "stringMin user": "ann", "stringMax user": "cy", "stringMin turned": "acy",
        "stringMax turned": "zbo", "stringMin first_state": "arr", "stringMax absent": null,
        "nobody": null,
    }]);
    let views: [&[&dyn SegmentView]; 4] =
        [&[&*buffered(&all, 2)], &[&*later, &*early], &[&one], &[&file, &*later]];
    for views in views {
        assert_eq!(answer(&query, views), expected);
    }
}

/// The error of a timeseries with one aggregator.
fn refused(aggregator: &Value, view: &dyn SegmentView) -> String {
    let query = json!({
        "queryType": "timeseries", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "all", "aggregations": [aggregator],
    });
    let query = Query::parse(query.to_string().as_bytes()).unwrap();
    run(&query, view, &ExecContext::default()).unwrap_err().to_string()
}

#[test]
fn pairs_are_read_by_aggregators_of_their_type_and_by_their_own_times() {
    let view = buffered(EARLY, 0);
    let of = |aggregator: &str, field: &str| {
        refused(&json!({"type": aggregator, "name": "x", "fieldName": field}), &*view)
    };
    let held = "holds serializablePairLongString in the segment of \
                1970-01-01T00:00:00.000Z/1970-01-02T00:00:00.000Z: \
                read it with stringFirst or stringLast";
    assert_eq!(of("longLast", "last_state"), format!("aggregator 'x': column 'last_state' {held}"));
    let held = "holds serializablePairLongDouble";
    for aggregator in ["doubleSum", "longMax", "quantilesDoublesSketch", "stringFirst"] {
        let told = of(aggregator, "first_level");
        assert!(
            told.starts_with(&format!("aggregator 'x': column 'first_level' {held}")),
            "{told}"
        );
        assert!(told.ends_with("read it with doubleFirst or doubleLast"), "{told}");
    }
    let timed = json!({"type": "doubleFirst", "name": "x", "fieldName": "first_level",
                       "timeColumn": "user"});
    let told = refused(&timed, &*view);
    assert!(
        told.starts_with("aggregator 'x': timeColumn 'user' has no effect on column 'first_level'")
    );
    assert!(told.ends_with("leave timeColumn out"), "{told}");
    let by_pairs = json!({"type": "stringLast", "name": "x", "fieldName": "user",
                          "timeColumn": "first_level"});
    let told = refused(&by_pairs, &*view);
    assert!(told.starts_with("aggregator 'x': timeColumn 'first_level' holds serializablePair"));
}

/// The answer of a query of the day, as JSON.
fn asked(mut query: Value, views: &[&dyn SegmentView]) -> Value {
    query["dataSource"] = "t".into();
    query["intervals"] = "1970-01-01/1970-01-02".into();
    let query = Query::parse(query.to_string().as_bytes()).unwrap();
    let ctx = ExecContext::default();
    let travelled = |view: &&dyn SegmentView| -> Partial {
        let partial = run(&query, *view, &ctx).unwrap();
        Partial::decode(&partial.encode().unwrap()).unwrap()
    };
    let partials = views.iter().map(travelled).collect();
    let answer = finalise(&query, merge(&query, partials, &ctx).unwrap(), &ctx).unwrap();
    serde_json::from_slice(&henge_answer::to_json(&query, &answer).unwrap()).unwrap()
}

#[test]
fn stored_pairs_group_filter_and_compute_by_their_values() {
    let (early, later) = (buffered(EARLY, 0), buffered(LATER, 1));
    let file = merged(&[&*later]);
    let views: [&dyn SegmentView; 2] = [&*early, &file];
    let grouped = |dimension: Value| {
        let rows = asked(
            json!({
                "queryType": "groupBy", "granularity": "all", "dimensions": [dimension],
                "aggregations": [{"type": "count", "name": "n"}],
            }),
            &views,
        );
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| (row["event"]["v"].clone(), row["event"]["n"].clone())).collect::<Vec<_>>()
    };
    let dimension = |name: &str, output_type: &str| json!({"type": "default", "dimension": name, "outputName": "v", "outputType": output_type});
    // Two rows of the first segment and four of the second, an hour of a user each.
    let row = |value: Value, rows: u64| (value, json!(rows));
    let states = grouped(dimension("last_state", "STRING"));
    assert_eq!(
        states,
        [
            row(Value::Null, 2),
            row(json!("b"), 1),
            row(json!("browsing"), 1),
            row(json!("paying"), 1),
            row(json!("waking"), 1),
        ]
    );
    let levels = grouped(dimension("last_level", "STRING"));
    assert!(levels.contains(&row(json!("0.5"), 1)), "{levels:?}");
    let levels = grouped(dimension("first_level", "DOUBLE"));
    assert!(levels.contains(&row(json!(0.5), 1)), "{levels:?}");
    let filtered = |filter: Value| {
        let answer = asked(
            json!({
                "queryType": "timeseries", "granularity": "all", "filter": filter,
                "aggregations": [
                    {"type": "count", "name": "n"},
                    {"type": "doubleSum", "name": "twice", "expression": "2 * last_level"},
                ],
            }),
            &views,
        );
        (answer[0]["result"]["n"].clone(), answer[0]["result"]["twice"].clone())
    };
    let by_text = json!({"type": "selector", "dimension": "last_state", "value": "browsing"});
    assert_eq!(filtered(by_text), (json!(1), json!(6.0)));
    let by_number = json!({"type": "range", "column": "last_level", "matchValueType": "DOUBLE",
                           "lower": 4, "lowerOpen": true});
    assert_eq!(filtered(by_number), (json!(2), json!(34.0)));
    let top = asked(
        json!({
            "queryType": "topN", "granularity": "all", "dimension": "last_state", "metric": "n",
            "threshold": 1, "aggregations": [{"type": "count", "name": "n"}],
        }),
        &views,
    );
    assert_eq!(top[0]["result"][0]["n"], 2);
}

#[test]
fn stored_pairs_are_scanned_as_their_times_and_values() {
    let (early, later) = (buffered(EARLY, 0), buffered(LATER, 1));
    let file = merged(&[&*later]);
    let views: [&dyn SegmentView; 2] = [&*early, &file];
    let scan = json!({
        "queryType": "scan", "columns": ["user", "last_state", "first_level"],
        "resultFormat": "compactedList",
    });
    let answer = asked(scan, &views);
    let rows: Vec<&Value> = answer
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|segment| segment["events"].as_array().unwrap())
        .collect();
    let ann = json!([
        "ann", {"lhs": 3_000_000, "rhs": "paying"}, {"lhs": 300_000, "rhs": null}
    ]);
    let bob = json!(["bob", {"lhs": 120_000, "rhs": "waking"}, {"lhs": 120_000, "rhs": 0.5}]);
    assert!(rows.contains(&&ann) && rows.contains(&&bob), "{rows:?}");
}

#[test]
fn times_may_be_text_of_iso_8601() {
    let limits = IndexLimits { max_rows: 1_000, max_bytes: 1 << 30 };
    let schema = IndexSchema {
        dimensions: vec![DimensionSchema::string("at"), DimensionSchema::string("state")],
        metrics: Vec::new(),
        before_time: Vec::new(),
        query_granularity: Granularity::None,
        rollup: false,
    };
    let mut index = WriteIndex::new(schema, limits).unwrap();
    let events = [
        ("2026-01-02", "later"),
        ("1767225600000", "first"),
        ("2026-01-03T00:00Z", "last"),
        ("no time", "never"),
    ];
    for (at, state) in events {
        index.add(0, &[ValueRef::String(at), ValueRef::String(state)]).unwrap();
    }
    let of =
        |kind: &str| json!({"type": kind, "name": kind, "fieldName": "state", "timeColumn": "at"});
    let answer = asked(
        json!({
            "queryType": "timeseries", "granularity": "all",
            "aggregations": [of("stringFirst"), of("stringLast")],
        }),
        &[&*index.snapshot(id(0))],
    );
    assert_eq!(answer[0]["result"], json!({"stringFirst": "first", "stringLast": "last"}));
}
