//! Extraction functions and filtered dimensions, value by value.

use henge_expr::{ExprValue, Lookups};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{assert_refused, parse, with};
use crate::{Filter, Having, Query};

fn grouped(dimension: &Value) -> Value {
    with("groupBy", json!({"granularity": "all", "dimensions": [dimension]}))
}

fn over(column: &str, function: &Value) -> Value {
    grouped(&json!({"type": "extraction", "dimension": column, "extractionFn": function}))
}

/// The value of the query's first virtual column, where its column has this one.
fn computed(query: &Value, column: &str, value: &ExprValue) -> ExprValue {
    let query = parse(query);
    let [made] = query.base().virtual_columns.as_slice() else { panic!("one virtual column") };
    let bindings =
        |name: &str| if name == column { value.clone() } else { panic!("no column {name}") };
    made.expression.eval(&bindings).expect("a value")
}

/// What a function makes of a value, as text.
fn of(function: &Value, value: impl Into<ExprValue>) -> Option<String> {
    let made = computed(&over("it's \"a\"", function), "it's \"a\"", &value.into());
    made.as_text().map(std::borrow::Cow::into_owned)
}

#[track_caller]
fn assert_made(function: &Value, expected: &[(ExprValue, Option<&str>)]) {
    for (value, expected) in expected {
        assert_eq!(of(function, value.clone()).as_deref(), *expected, "{function} of {value:?}");
    }
}

#[test]
fn patterns_give_a_group_or_what_stands_for_a_missing_one() {
    let regex = json!({"type": "regex", "expr": "(x)?(\\d)'"});
    // The group is null in a match: the value is not missing.
    assert_made(
        &regex,
        &[
            ("ax5'b".into(), Some("x")),
            ("5'".into(), None),
            ("none".into(), Some("none")),
            (ExprValue::Null, None),
        ],
    );
    let with_field = |name: &str, value: Value| {
        let mut function = json!({"type": "regex", "expr": "(x)?(\\d)'", "index": 2});
        function["replaceMissingValue"] = json!(true);
        function[name] = value;
        function
    };
    let replaced = with_field("replaceMissingValueWith", json!("\\no"));
    assert_made(
        &replaced,
        &[("5'".into(), Some("5")), ("n".into(), Some("\\no")), (ExprValue::Null, Some("\\no"))],
    );
    let null = with_field("replaceMissingValueWith", Value::Null);
    assert_made(&null, &[("5'".into(), Some("5")), ("n".into(), None)]);
    let whole = json!({"type": "regex", "expr": "[a-c]+", "index": 0});
    assert_made(&whole, &[("xabd".into(), Some("ab")), ("x".into(), Some("x"))]);
    let partial = json!({"type": "partial", "expr": "^a"});
    assert_made(
        &partial,
        &[("ab".into(), Some("ab")), ("ba".into(), None), (ExprValue::Null, None)],
    );
    let found = json!({"type": "searchQuery", "query": {"type": "fragment", "values": ["A", "b"]}});
    assert_made(&found, &[("b-a".into(), Some("b-a")), ("b".into(), None)]);
}

#[test]
fn texts_are_cut_and_written_otherwise() {
    let cut = json!({"type": "substring", "index": 1, "length": 2});
    assert_made(&cut, &[("aéöx".into(), Some("éö")), ("ab".into(), Some("b")), ("a".into(), None)]);
    assert_made(&json!({"type": "substring", "index": 1}), &[(12345_i64.into(), Some("2345"))]);
    assert_made(&json!({"type": "strlen"}), &[("héé".into(), Some("3")), (ExprValue::Null, None)]);
    assert_made(&json!({"type": "upper", "locale": "en"}), &[("aß".into(), Some("ASS"))]);
    assert_made(&json!({"type": "lower"}), &[("ÀB".into(), Some("àb"))]);
    assert_made(&json!({"type": "identity"}), &[]);
    let format = |handling: Value| json!({"type": "stringFormat", "format": "['%s']", "nullHandling": handling});
    for (handling, of_null) in [
        (Value::Null, Some("['null']")),
        (json!("nullString"), Some("['null']")),
        (json!("emptyString"), Some("['']")),
        (json!("RETURNNULL"), None),
    ] {
        assert_made(&format(handling), &[("a".into(), Some("['a']")), (ExprValue::Null, of_null)]);
    }
}

#[test]
fn numbers_are_rounded_down_to_buckets() {
    assert_made(
        &json!({"type": "bucket", "size": 5, "offset": 2}),
        &[
            (7_i64.into(), Some("7")),
            ("6.9".into(), Some("2")),
            ((-4.5).into(), Some("-8")),
            ("x".into(), None),
            (ExprValue::Null, None),
            (123_456_789_i64.into(), Some("123456787")),
        ],
    );
    let halves = json!({"type": "bucket", "size": 0.5});
    assert_made(&halves, &[(1.75.into(), Some("1.5")), (2.1.into(), Some("2"))]);
    assert_made(&json!({"type": "bucket"}), &[((-0.5).into(), Some("-1"))]);
}

#[test]
fn times_are_written_in_a_format_and_a_zone() {
    // 2016-12-31T23:30:00Z
    let instant = ExprValue::Long(1_483_227_000_000);
    let text = ExprValue::from("2016-12-31T23:30:00Z");
    for (function, expected) in [
        (json!({"type": "timeFormat"}), "2016-12-31T23:30:00.000Z"),
        (json!({"type": "timeFormat", "format": "EEEE", "locale": "en-GB"}), "Saturday"),
        (
            json!({"type": "timeFormat", "format": "yyyy-MM-dd HH", "timeZone": "Europe/Berlin"}),
            "2017-01-01 00",
        ),
        (json!({"type": "timeFormat", "format": "HH:mm'Z", "granularity": "hour"}), "23:00Z"),
        (json!({"type": "timeFormat", "asMillis": true, "granularity": "day"}), "1483142400000"),
        (
            json!({"type": "timeFormat", "granularity": {"type": "duration", "duration": 2500, "origin": 1000}}),
            "2016-12-31T23:29:58.500Z",
        ),
        (
            json!({"type": "timeFormat", "granularity": {"type": "period", "period": "P1D", "timeZone": "Asia/Tokyo"}}),
            "2016-12-31T15:00:00.000Z",
        ),
    ] {
        assert_made(
            &function,
            &[
                (instant.clone(), Some(expected)),
                (text.clone(), Some(expected)),
                (ExprValue::Null, None),
            ],
        );
        let query =
            grouped(&json!({"type": "extraction", "dimension": "__time", "outputName": "o",
                                    "extractionFn": function}));
        assert_eq!(computed(&query, "__time", &instant).as_text().as_deref(), Some(expected));
    }
    // Digits alone are milliseconds then, and no year.
    assert_made(&json!({"type": "timeFormat", "asMillis": true}), &[("2011".into(), Some("2011"))]);
    let time = json!({"type": "time", "timeFormat": "yyyy-MM-dd", "resultFormat": "MM/yyyy"});
    assert_made(&time, &[("2015-03-04".into(), Some("03/2015")), ("soon".into(), Some("soon"))]);
}

#[test]
fn cascades_apply_one_function_after_another() {
    let function = json!({"type": "cascade", "extractionFns": [
        {"type": "regex", "expr": "/([^/]+)/"},
        {"type": "cascade", "extractionFns": [{"type": "substring", "index": 0, "length": 1}]},
        {"type": "lookup", "lookup": {"type": "map", "map": {"b": "it's"}}, "retainMissingValue": true},
        {"type": "upper"},
    ]});
    assert_made(
        &function,
        &[("/bc/d".into(), Some("IT'S")), ("/cd/".into(), Some("C")), (ExprValue::Null, None)],
    );
    let query = parse(&over("a", &function));
    let again = Query::decode(query.to_value().to_string().as_bytes()).expect("what was written");
    assert_eq!(again.to_value(), query.to_value());
    assert_eq!(again.base().virtual_columns[0].expression.names().len(), 1);
}

/// What null maps to is what was said of missing values, also where a key of no characters is.
#[test]
fn null_is_no_key_of_a_lookup() {
    let mut function = json!({"type": "lookup", "lookup": {"type": "map", "map": {"": "empty", "a": "b"}},
        "replaceMissingValueWith": "other"});
    let of_all = [("a", "b"), ("", "empty"), ("c", "other")];
    let mut cases: Vec<_> = of_all.map(|(key, value)| (key.into(), Some(value))).to_vec();
    cases.push((ExprValue::Null, Some("other")));
    assert_made(&function, &cases);
    function.as_object_mut().unwrap().remove("replaceMissingValueWith");
    assert_made(&function, &[("".into(), Some("empty")), (ExprValue::Null, None)]);
}

#[test]
fn cascades_cannot_grow_without_bound() {
    let functions: Vec<Value> =
        (0..40).map(|_| json!({"type": "regex", "expr": "(long pattern)"})).collect();
    assert_refused(
        &over("a", &json!({"type": "cascade", "extractionFns": functions})),
        "dimensions[0].extractionFn.extractionFns[",
    );
}

#[test]
fn errors_of_extraction_functions_name_the_field() {
    for (function, beginning) in [
        (json!({"type": "javascript"}), ": JavaScript is not run here"),
        (json!({"type": "uper"}), ".type: unknown extraction function type \"uper\""),
        (json!({"type": "regex"}), ".expr: missing; give a regular expression"),
        (json!({"type": "regex", "expr": "(a"}), ".expr: bad regular expression"),
        (json!({"type": "regex", "expr": "a"}), ".index: missing; the pattern has no group"),
        (json!({"type": "regex", "expr": "(a)", "index": 2}), ".index: must be from 0 to 1"),
        (json!({"type": "substring", "index": -1}), ".index: must be from 0 to"),
        (json!({"type": "substring", "index": 0, "length": 0}), ".length: must be from 1 to"),
        (json!({"type": "upper", "locale": "tr"}), ".locale: letters of \"tr\""),
        (json!({"type": "stringFormat", "format": ""}), ".format: must not be empty"),
        (
            json!({"type": "stringFormat", "format": "a", "nullHandling": "no"}),
            ".nullHandling: unknown way \"no\"",
        ),
        (json!({"type": "bucket", "size": 0}), ".size: must be more than 0"),
        (json!({"type": "timeFormat", "format": "Q"}), ".format: "),
        (json!({"type": "timeFormat", "timeZone": "Mars"}), ".timeZone: "),
        (json!({"type": "timeFormat", "locale": "fr"}), ".locale: months and days have English"),
        (json!({"type": "timeFormat", "granularity": "all"}), ".granularity: all of time is one"),
        (
            json!({"type": "time", "timeFormat": "YYYY", "resultFormat": "y"}),
            ".timeFormat: has one of the letters",
        ),
        (
            json!({"type": "time", "timeFormat": "xxxx-ww", "resultFormat": "y", "joda": true}),
            ".timeFormat: times cannot be read by their week",
        ),
        (json!({"type": "cascade"}), ".extractionFns: missing"),
        (
            json!({"type": "cascade", "extractionFns": [{"type": "upper"}, {"type": "no"}]}),
            ".extractionFns[1].type: unknown extraction function type",
        ),
    ] {
        let beginning = format!("dimensions[0].extractionFn{beginning}");
        assert_refused(&over("a", &function), &beginning);
    }
}

fn list(values: &[Option<&str>]) -> ExprValue {
    let values = values.iter().map(|value| value.map_or(ExprValue::Null, ExprValue::from));
    values.collect::<Vec<_>>().into()
}

#[test]
fn filtered_dimensions_leave_values_out() {
    let tags = list(&[Some("a"), None, Some("ab"), Some("it's")]);
    let delegate = json!({"type": "default", "dimension": "t", "outputName": "o"});
    for (dimension, kept) in [
        (json!({"type": "listFiltered", "values": ["a", "it's"]}), vec![Some("a"), Some("it's")]),
        (json!({"type": "listFiltered", "values": [null]}), vec![None]),
        (json!({"type": "listFiltered", "values": []}), vec![]),
        (
            json!({"type": "listFiltered", "values": ["a"], "isWhitelist": false}),
            vec![None, Some("ab"), Some("it's")],
        ),
        (json!({"type": "regexFiltered", "pattern": "a|b"}), vec![Some("a")]),
        (json!({"type": "regexFiltered", "pattern": "a.*"}), vec![Some("a"), Some("ab")]),
        (json!({"type": "prefixFiltered", "prefix": "it'"}), vec![Some("it's")]),
    ] {
        let mut dimension = dimension;
        dimension["delegate"] = delegate.clone();
        let query = grouped(&dimension);
        assert_eq!(computed(&query, "t", &tags), list(&kept), "{dimension}");
        let Query::GroupBy(query) = parse(&query) else { panic!("wrong type") };
        assert_eq!(query.dimensions[0].output_name, "o");
        assert!(query.base.filter.is_none());
    }
    let nested = json!({"type": "prefixFiltered", "prefix": "A", "delegate": {
        "type": "listFiltered", "values": ["A", "B"], "delegate": {
            "type": "extraction", "dimension": "t", "extractionFn": {"type": "upper"}}}});
    assert_eq!(
        computed(&grouped(&nested), "t", &list(&[Some("a"), Some("b")])),
        list(&[Some("A")])
    );
    assert_refused(
        &grouped(&json!({"type": "listFiltered", "values": []})),
        "dimensions[0].delegate",
    );
    assert_refused(
        &grouped(&json!({"type": "regexFiltered", "delegate": "a", "pattern": "["})),
        "dimensions[0].pattern: bad regular expression",
    );
}

#[test]
fn rankings_read_only_rows_that_keep_a_value() {
    let rows = |dimension: Value, value: ExprValue| -> bool {
        let query = with(
            "topN",
            json!({"granularity": "all", "dimension": dimension, "threshold": 2,
                   "metric": {"type": "dimension"}, "filter": {"type": "true"}}),
        );
        let query = parse(&query);
        let Some(Filter::And(parts)) = &query.base().filter else { panic!("two filters") };
        let truth = |filter: &Filter| match filter {
            Filter::Expression { expression } => {
                match expression.eval(&|_: &str| value.clone()).expect("a value") {
                    ExprValue::Array(found) => found.iter().any(ExprValue::is_true),
                    found => found.is_true(),
                }
            }
            other => panic!("{other:?}"),
        };
        match &parts[1] {
            Filter::Or(either) => either.iter().any(truth),
            one => truth(one),
        }
    };
    let of = |values: Value| json!({"type": "listFiltered", "delegate": "t", "values": values});
    assert!(rows(of(json!(["a"])), list(&[Some("b"), Some("a")])));
    assert!(!rows(of(json!(["a"])), list(&[Some("b")])));
    assert!(!rows(of(json!(["a"])), ExprValue::Null));
    assert!(rows(of(json!([null])), ExprValue::Null));
    let others =
        json!({"type": "listFiltered", "delegate": "t", "values": ["a"], "isWhitelist": false});
    assert!(rows(others.clone(), ExprValue::Null));
    assert!(!rows(others, "a".into()));
}

#[test]
fn filtered_virtual_columns_are_null_without_values() {
    let with_column =
        |column: Value| with("scan", json!({"columns": ["v"], "virtualColumns": [column]}));
    let column = json!({"type": "mv-filtered", "name": "v", "delegate": "t", "values": ["a"]});
    let of = |value: ExprValue| computed(&with_column(column.clone()), "t", &value);
    assert_eq!(of(list(&[Some("b"), Some("a")])), list(&[Some("a")]));
    assert_eq!(of("b".into()), ExprValue::Null);
    assert_eq!(of(ExprValue::Null), ExprValue::Null);
    let matching =
        json!({"type": "mv-regex-filtered", "name": "v", "delegate": "t", "pattern": "b.*"});
    assert_eq!(
        computed(&with_column(matching), "t", &list(&[Some("ab"), Some("bc")])),
        list(&[Some("bc")])
    );
    let beginning =
        json!({"type": "mv-prefix-filtered", "name": "v", "delegate": "t", "prefix": "b"});
    assert_eq!(computed(&with_column(beginning), "t", &"bc".into()), list(&[Some("bc")]));
}

#[test]
fn nested_fields_are_values_at_a_path() {
    let with_column = |fields: Value| {
        let mut column = json!({"type": "nested-field", "columnName": "j", "outputName": "v"});
        if let (Value::Object(column), Value::Object(fields)) = (&mut column, fields) {
            column.extend(fields);
        }
        with("scan", json!({"columns": ["v"], "virtualColumns": [column]}))
    };
    let document = ExprValue::from("{\"a b\": [1, {\"c\": \"2.5\"}]}");
    let of = |fields: Value| computed(&with_column(fields), "j", &document);
    assert_eq!(of(json!({"path": "$['a b'][0]", "expectedType": "LONG"})), ExprValue::Long(1));
    assert_eq!(of(json!({"path": "$['a b'][1].c"})), "2.5".into());
    let parts = json!([{"type": "field", "field": "a b"}, {"type": "arrayElement", "index": 1},
                       {"type": "field", "field": "c"}]);
    assert_eq!(of(json!({"pathParts": parts, "expectedType": "DOUBLE"})), ExprValue::Double(2.5));
    assert_eq!(
        of(json!({"path": "$['a b'][1]", "processFromRaw": true})),
        "{\"c\":\"2.5\"}".into()
    );
    assert_refused(&with_column(json!({"path": "a"})), "virtualColumns[0].path: 'a' is no path");
    assert_refused(&with_column(json!({})), "virtualColumns[0].path: missing");
}

#[test]
fn havings_select_what_functions_make_of_dimensions() {
    let having = |value: Value| {
        with(
            "groupBy",
            json!({"granularity": "all", "dimensions": ["page"], "having": {
                "type": "dimSelector", "dimension": "page", "value": value,
                "extractionFn": {"type": "substring", "index": 1}}}),
        )
    };
    let holds = |query: &Value, page: ExprValue| {
        let Query::GroupBy(query) = parse(query) else { panic!("wrong type") };
        let Some(Having::Filter(Filter::Expression { expression })) = query.having else {
            panic!("a filter")
        };
        expression.eval(&|_: &str| page.clone()).expect("a value").is_true()
    };
    assert!(holds(&having(json!("b'")), "ab'".into()));
    assert!(!holds(&having(json!("b'")), "b'".into()));
    assert!(holds(&having(Value::Null), "a".into()));
}

proptest! {
    /// Whatever a pattern, a template or a value of a list is, it is itself in the expression.
    #[test]
    fn texts_of_functions_are_taken_as_they_are(text in "[ -~éß\n\t]{1,12}") {
        let found = json!({"type": "searchQuery", "query":
            {"type": "contains", "value": text, "caseSensitive": true}});
        prop_assert_eq!(of(&found, format!("<{text}>")), Some(format!("<{text}>")));
        let kept = grouped(&json!({"type": "listFiltered", "delegate": "t", "values": [text]}));
        let kept = computed(&kept, "t", &list(&[Some(text.as_str()), Some("")]));
        prop_assert_eq!(kept, list(&[Some(text.as_str())]));
    }
}
