//! Discovery of dimensions.

use henge_types::Value;
use serde_json::json;

use super::{Collector, parse, parse_with, schema, text, typed};
use crate::{ParseLimits, RowParser};

#[test]
fn without_declared_dimensions_every_other_field_is_one() {
    let schema = schema(json!({
        "timestampSpec": {"column": "t"},
        "dimensionsSpec": {"dimensionExclusions": ["secret"]},
        "metricsSpec": [{"type": "longSum", "name": "total", "fieldName": "bytes"}],
    }));
    let sink = parse(
        &schema,
        r#"{"t":1,"a":"x","bytes":3,"secret":"s","n":null}
           {"t":2,"b":4,"a":"y","total":9}
           {"t":3,"n":[1,2],"a":null}"#,
    );
    assert_eq!(sink.dimensions, ["a:STRING", "b:STRING", "n:STRING"]);
    assert_eq!(sink.rows[0].1, [text("x"), Value::Long(3)]);
    assert_eq!(sink.rows[1].1, [text("y"), text("4"), Value::Null]);
    let multi = Value::Multi(vec![Some("1".into()), Some("2".into())]);
    assert_eq!(sink.rows[2].1, [Value::Null, Value::Null, multi, Value::Null]);
}

#[test]
fn auto_dimensions_get_their_type_from_their_values() {
    let schema = typed(json!(["s", {"type": "auto", "name": "n"}]), json!([]));
    let sink = parse(&schema, r#"{"t":1,"s":"x","other":1}{"t":2,"n":5}"#);
    assert_eq!(sink.dimensions, ["n:LONG"]);
    assert_eq!(sink.rows[1].1, [Value::Null, Value::Long(5)]);
}

#[test]
fn h_07_new_dimensions_are_limited_and_the_excess_is_refused() {
    let schema = typed(json!([]), json!([]));
    let limits = ParseLimits { max_discovered_dimensions: 3, ..Default::default() };
    let body: Vec<String> = (0..6).map(|i| format!("{{\"t\":1,\"k{i}\":\"v\"}}")).collect();
    let (_, sink) = parse_with(&schema, limits.clone(), body.join("\n").as_bytes());
    assert_eq!(sink.dimensions.len(), 3);
    assert_eq!(sink.rows.len(), 3);
    assert_eq!(sink.codes(), ["too_many_dimensions"; 3]);
    // All of an event's new names or none.
    let (_, sink) = parse_with(&schema, limits, br#"{"t":1,"a":1,"b":1,"c":1,"d":1}{"t":2,"e":1}"#);
    assert_eq!(sink.dimensions, ["e:STRING"]);
}

#[test]
fn a_refused_event_discovers_nothing() {
    let schema = typed(json!([]), json!([{"type": "longSum", "name": "m", "fieldName": "v"}]));
    let sink = parse(&schema, r#"{"t":1,"new":"x","v":"bad"}{"t":null,"other":"y"}{"t":2}"#);
    assert!(sink.dimensions.is_empty());
    assert_eq!(sink.rows, [(2, vec![Value::Null])]);
    let name = "n".repeat(256);
    let sink = parse(&schema, format!("{{\"t\":1,\"{name}\":\"x\"}}"));
    assert_eq!(sink.codes(), ["field_name"]);
}

#[test]
fn known_dimensions_survive_a_restart() {
    let schema = typed(json!([]), json!([]));
    let mut first = RowParser::new(schema.clone(), ParseLimits::default()).unwrap();
    let mut sink = Collector::default();
    first.parse_batch(br#"{"t":1,"a":"x","b":"y"}"#, &mut sink).unwrap();
    let mut second = RowParser::new(schema, ParseLimits::default()).unwrap();
    second.add_known(&first.discovered());
    let mut after = Collector::default();
    second.parse_batch(br#"{"t":2,"b":"z","c":1}"#, &mut after).unwrap();
    assert_eq!(after.dimensions, ["c:STRING"]);
    assert_eq!(after.rows, [(2, vec![Value::Null, text("z"), text("1")])]);
}

#[test]
fn fields_read_by_transforms_and_filters_are_still_discovered() {
    let schema = schema(json!({
        "timestampSpec": {"column": "t"},
        "transformSpec": {
            "transforms": [{"type": "expression", "name": "b", "expression": "concat(a, '!')"}],
            "filter": {"type": "not", "field": {"type": "selector", "dimension": "c", "value": "no"}},
        },
    }));
    let sink = parse(&schema, r#"{"t":1,"a":"x","b":"own","c":"yes"}{"t":2,"a":"x","c":"no"}"#);
    assert_eq!(sink.dimensions, ["a:STRING", "c:STRING", "b:STRING"]);
    assert_eq!(sink.rows, [(1, vec![text("x"), text("yes"), text("x!")])]);
}
