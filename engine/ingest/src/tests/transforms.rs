//! Transforms and the row filter.

use henge_types::Value;
use serde_json::json;

use super::{parse, parse_with, schema, text};
use crate::ParseLimits;

fn with_transforms(transforms: serde_json::Value, filter: serde_json::Value) -> serde_json::Value {
    json!({
        "timestampSpec": {"column": "t", "format": "millis"},
        "dimensionsSpec": {"dimensions": ["a", "b"]},
        "transformSpec": {"transforms": transforms, "filter": filter},
    })
}

fn transform(name: &str, expression: &str) -> serde_json::Value {
    json!({"type": "expression", "name": name, "expression": expression})
}

#[test]
fn transforms_shadow_fields_and_do_not_see_each_other() {
    let schema = schema(with_transforms(
        json!([transform("a", "concat(a, '1')"), transform("b", "concat(a, '2')")]),
        json!(null),
    ));
    let sink = parse(&schema, r#"{"t":1,"a":"x"}"#);
    assert_eq!(sink.rows, [(1, vec![text("x1"), text("x2")])]);
}

#[test]
fn a_transform_may_set_the_time() {
    let schema = schema(with_transforms(
        json!(
            [transform("__time", "timestamp_shift(__time, 'P1D', n)"), transform("b", "__time"),]
        ),
        json!(null),
    ));
    let sink = parse(&schema, r#"{"t":1000,"n":2}{"t":1000}"#);
    assert_eq!(sink.rows, [(172_801_000, vec![Value::Null, text("1000")])]);
    assert_eq!(sink.codes(), ["transform"]);
}

#[test]
fn transforms_see_lists_booleans_and_objects() {
    let schema = schema(with_transforms(
        json!([
            transform("a", "array_to_string(list, '|')"),
            transform("b", "if(flag, strlen(object), string_to_array('p q', ' '))"),
        ]),
        json!(null),
    ));
    let sink = parse(
        &schema,
        r#"{"t":1,"list":["x",2],"flag":true,"object":{"k":1}}{"t":2,"flag":false}"#,
    );
    assert_eq!(sink.rows[0].1, [text("x|2"), text("7")]);
    let multi = Value::Multi(vec![Some("p".into()), Some("q".into())]);
    assert_eq!(sink.rows[1].1, [Value::Null, multi]);
}

#[test]
fn h_89_a_transform_that_fails_refuses_its_event() {
    let schema = schema(with_transforms(json!([transform("a", "repeat('x', n)")]), json!(null)));
    let sink = parse(&schema, r#"{"t":1,"n":1000000000}{"t":2,"n":2}"#);
    assert_eq!(sink.codes(), ["transform"]);
    assert_eq!(sink.rows, [(2, vec![text("xx"), Value::Null])]);
}

#[test]
fn the_filter_keeps_only_what_is_true() {
    let kept = |filter: serde_json::Value| -> Vec<i64> {
        let schema = schema(with_transforms(json!([transform("up", "upper(a)")]), filter));
        let body = r#"{"t":0,"a":"x","n":5}
                      {"t":1,"a":null,"n":10}
                      {"t":2,"a":["x","y"],"n":2.5}
                      {"t":3,"a":"","n":"7"}"#;
        let (counts, sink) = parse_with(&schema, ParseLimits::default(), body.as_bytes());
        assert_eq!(counts.unwrap().filtered, 4 - sink.rows.len() as u64);
        sink.rows.iter().map(|row| row.0).collect()
    };
    let selector =
        |value: serde_json::Value| json!({"type": "selector", "dimension": "a", "value": value});
    let n = |extra: serde_json::Value| {
        let mut filter = extra;
        filter["dimension"] = json!("n");
        filter
    };
    for (filter, expected) in [
        (selector(json!("x")), vec![0, 2]),
        (selector(json!(null)), vec![1]),
        (selector(json!("")), vec![3]),
        (json!({"type": "not", "field": selector(json!("x"))}), vec![3]),
        (json!({"type": "null", "column": "a"}), vec![1]),
        (json!({"type": "in", "dimension": "a", "values": ["y", null]}), vec![1, 2]),
        (json!({"type": "like", "dimension": "a", "pattern": "_"}), vec![0, 2]),
        (json!({"type": "regex", "dimension": "a", "pattern": "^y"}), vec![2]),
        // A list is transformed value by value.
        (json!({"type": "selector", "dimension": "up", "value": "X"}), vec![0, 2]),
        (
            json!({"type": "expression", "expression": "a == 'y' && array_length(array(1)) == 1"}),
            vec![2],
        ),
        (n(json!({"type": "selector", "value": "5"})), vec![0]),
        (n(json!({"type": "bound", "lower": "5", "ordering": "numeric"})), vec![0, 1, 3]),
        (
            n(json!({"type": "bound", "lower": "5", "lowerStrict": true, "ordering": "numeric"})),
            vec![1, 3],
        ),
        (n(json!({"type": "bound", "upper": "5"})), vec![0, 1, 2]),
        (
            json!({"type": "range", "column": "n", "matchValueType": "LONG", "lower": 3, "upper": 7}),
            vec![0, 3],
        ),
        (
            json!({"type": "equals", "column": "n", "matchValueType": "DOUBLE", "matchValue": 2.5}),
            vec![2],
        ),
        (
            json!({"type": "interval", "dimension": "__time", "intervals": ["1970-01-01T00:00:00.001/1970-01-01T00:00:00.003"]}),
            vec![1, 2],
        ),
        (json!({"type": "expression", "expression": "n > 5"}), vec![1, 3]),
        (
            json!({"type": "and", "fields": [selector(json!("x")), {"type": "expression", "expression": "n > 3"}]}),
            vec![0],
        ),
        (json!({"type": "or", "fields": [selector(json!("")), selector(json!(null))]}), vec![1, 3]),
    ] {
        assert_eq!(kept(filter.clone()), expected, "{filter}");
    }
}

#[test]
fn h_81_an_event_whose_expressions_take_too_much_is_refused_and_the_rest_goes_on() {
    let ones = format!("array({})", vec!["1"; 1000].join(","));
    let bomb = format!("fold((x, n) -> fold((y, m) -> m + y, {ones}, n), {ones}, 0)");
    let bomb = format!("if(a == 'bomb', {bomb}, 1)");
    let transforms = with_transforms(json!([transform("cost", &bomb)]), json!(null));
    let filter = json!({"type": "expression", "expression": format!("{bomb} > 0")});
    let filters = with_transforms(json!([]), filter);
    for spec in [transforms, filters] {
        let schema = schema(spec);
        let body = r#"{"t":0,"a":"x"}{"t":1,"a":"bomb"}{"t":2,"a":"y"}"#;
        let (counts, sink) = parse_with(&schema, ParseLimits::default(), body.as_bytes());
        let counts = counts.unwrap();
        assert_eq!((counts.accepted, counts.rejected), (2, 1));
        assert_eq!(sink.codes(), ["transform"]);
    }
}
