//! Every filter, and what is refused.

use henge_expr::ExprValue;
use henge_types::{ErrorClass, ValueType};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{assert_refused, parse, refused, with};
use crate::{Filter, Literal, Ordering, Query};

fn scan(filter: &Value) -> Value {
    with("scan", json!({"filter": filter}))
}

fn filter(filter: &Value) -> Filter {
    match parse(&scan(filter)) {
        Query::Scan(query) => query.base.filter.expect("a filter"),
        other => panic!("wrong type {other:?}"),
    }
}

#[test]
fn every_supported_filter_survives_the_round_trip() {
    let day = "2015-09-12T00:00:00.000Z/2015-09-13T00:00:00.000Z";
    let filters = [
        json!({"type": "true"}),
        json!({"type": "false"}),
        json!({"type": "selector", "dimension": "a", "value": "x"}),
        json!({"type": "selector", "dimension": "a", "value": null}),
        json!({"type": "equals", "column": "a", "matchValueType": "LONG", "matchValue": 3}),
        json!({"type": "equals", "column": "a", "matchValueType": "STRING", "matchValue": "x"}),
        json!({"type": "equals", "column": "a", "matchValueType": "FLOAT", "matchValue": 0.5}),
        json!({"type": "null", "column": "a"}),
        json!({"type": "in", "dimension": "a", "values": [null, "", "x"]}),
        json!({"type": "in", "dimension": "a", "values": []}),
        json!({"type": "bound", "dimension": "a", "lower": "1", "lowerStrict": true, "upper": null,
               "upperStrict": false, "ordering": "numeric"}),
        json!({"type": "range", "column": "a", "matchValueType": "DOUBLE", "lower": null,
               "lowerOpen": false, "upper": 2.0, "upperOpen": true}),
        json!({"type": "like", "dimension": "a", "pattern": "50!%%", "escape": "!"}),
        json!({"type": "like", "dimension": "a", "pattern": "x%", "escape": null}),
        json!({"type": "regex", "dimension": "a", "pattern": "^x.*"}),
        json!({"type": "interval", "dimension": "__time", "intervals": [day]}),
        json!({"type": "istrue", "field": {"type": "not", "field": {"type": "true"}}}),
        json!({"type": "expression", "expression": "a + b > 3"}),
        json!({"type": "and", "fields": [{"type": "true"}, {"type": "or", "fields": [
            {"type": "not", "field": {"type": "null", "column": "a"}}]}]}),
    ];
    for value in filters {
        assert_eq!(filter(&value).to_value(), value);
    }
}

#[test]
fn scalars_are_read_leniently() {
    let selector =
        |value: Value| match filter(&json!({"type": "selector", "dimension": "a", "value": value}))
        {
            Filter::Selector { value, .. } => value,
            other => panic!("wrong filter {other:?}"),
        };
    assert_eq!(selector(json!(5)).as_deref(), Some("5"));
    assert_eq!(selector(json!(true)).as_deref(), Some("true"));
    assert_eq!(selector(json!("")).as_deref(), Some(""), "the empty string is not null");
    assert_eq!(selector(json!(9_007_199_254_740_993i64)).as_deref(), Some("9007199254740993"));
    let number_as_text =
        json!({"type": "equals", "column": "a", "matchValueType": "long", "matchValue": "7"});
    assert!(matches!(
        filter(&number_as_text),
        Filter::Equals { match_type: ValueType::Long, value: Literal::Long(7), .. }
    ));
    // What pydruid sends.
    let bound = json!({"type": "bound", "dimension": "a", "lower": 1, "lowerStrict": "false",
                       "upper": 5, "upperStrict": false, "alphaNumeric": true});
    assert!(matches!(filter(&bound), Filter::Bound { ordering: Ordering::Alphanumeric, .. }));
}

#[test]
fn in_values_become_a_sorted_set() {
    let values = match filter(&json!({"type": "in", "dimension": "a",
                                     "values": ["b", null, "a", 10, "b", null, "", false]}))
    {
        Filter::In { values, .. } => values,
        other => panic!("wrong filter {other:?}"),
    };
    let texts: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
    assert_eq!(texts, [None, Some(""), Some("10"), Some("a"), Some("b"), Some("false")]);
}

#[test]
fn wrong_filters_name_path_and_fix() {
    let cases = [
        (
            json!({"type": "equals", "column": "a", "matchValueType": "LONG", "matchValue": 1.5}),
            "filter.matchValue: must be a whole number, not 1.5",
        ),
        (
            json!({"type": "equals", "column": "a", "matchValueType": "LONG", "matchValue": 1e19}),
            "filter.matchValue: does not fit into a LONG",
        ),
        // As -9223372036854775809 comes out of the JSON parser.
        (
            json!({"type": "equals", "column": "a", "matchValueType": "LONG",
                   "matchValue": -9_223_372_036_854_775_808.0_f64}),
            "filter.matchValue: does not fit into a LONG",
        ),
        (
            json!({"type": "equals", "column": "a", "matchValueType": "LONG", "matchValue": u64::MAX}),
            "filter.matchValue: does not fit into a LONG",
        ),
        (
            json!({"type": "equals", "column": "a", "matchValue": 1}),
            "filter.matchValueType: missing",
        ),
        (
            json!({"type": "equals", "column": "a", "matchValueType": "LONG"}),
            "filter.matchValue: missing; give the value to match; for null use",
        ),
        (
            json!({"type": "bound", "dimension": "a"}),
            "filter.lower: missing; give lower, upper or both",
        ),
        (
            json!({"type": "bound", "dimension": "a", "lower": "1", "ordering": "size"}),
            "filter.ordering: unknown ordering \"size\"; known: lexicographic",
        ),
        (
            json!({"type": "selector", "dimension": "a", "value": ["x"]}),
            "filter.value: must be a string, not a list",
        ),
        (json!({"type": "selector", "value": "x"}), "filter.dimension: missing"),
        (json!({"type": "and", "fields": []}), "filter.fields: must hold at least one filter"),
        (json!({"type": "or", "fields": [{"type": "not"}]}), "filter.fields[0].field: missing"),
        (
            json!({"type": "not", "field": {"type": "in", "dimension": "a", "values": [{}]}}),
            "filter.field.values[0]: must be a string, not an object",
        ),
        (
            json!({"type": "like", "dimension": "a", "pattern": "x", "escape": "ab"}),
            "filter.escape: must be a single character",
        ),
        (
            json!({"type": "interval", "dimension": "a", "intervals": ["2016/2015"]}),
            "filter.intervals[0]: ",
        ),
        (json!({"dimension": "a"}), "filter.type: missing; give one of selector, equals"),
        (json!({"type": "selektor"}), "filter.type: unknown filter type \"selektor\"; known: "),
        (json!("a = 1"), "filter: must be an object, not a string"),
    ];
    for (filter, beginning) in cases {
        assert_refused(&scan(&filter), beginning);
    }
}

#[test]
fn filters_of_druid_that_are_missing_say_so() {
    for name in ["javascript", "spatial", "bloom"] {
        let error = refused(&scan(&json!({"type": name, "dimension": "a"})));
        assert_eq!(error.class(), ErrorClass::Unsupported, "{name}");
        assert!(error.to_string().contains("is not supported; supported: selector"), "{error}");
    }
    // Ignoring this one would give other rows.
    let filter = json!({"type": "selector", "dimension": "a", "value": "x",
                        "extractionFn": {"type": "javascript", "function": "f"}});
    assert_refused(&scan(&filter), "filter.extractionFn: JavaScript is not run here");
}

/// The value of a filter that is an expression.
fn holds(value: &Value, row: &[(&str, ExprValue)]) -> ExprValue {
    let Filter::Expression { expression } = filter(value) else { panic!("wrong filter {value}") };
    let column =
        |name: &str| row.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    expression.eval(&|name: &str| column(name).unwrap_or_default()).expect("a value")
}

#[test]
fn searches_find_texts_and_nothing_in_null() {
    let search = |query: Value| json!({"type": "search", "dimension": "a", "query": query});
    let found = |query: Value, text: &str| holds(&search(query), &[("a", text.into())]).is_true();
    assert!(found(json!({"type": "contains", "value": "Da", "caseSensitive": true}), "Data"));
    assert!(!found(json!({"type": "contains", "value": "da", "caseSensitive": true}), "Data"));
    assert!(found(json!({"type": "contains", "value": "da"}), "Data"));
    assert!(found(json!({"type": "insensitive_contains", "value": "ÄT"}), "Daten, später"));
    let both = json!({"type": "fragment", "values": ["DA", "it's \\"]});
    assert!(found(both.clone(), "it's \\data"));
    assert!(!found(both, "data"));
    assert!(found(json!({"type": "regex", "pattern": "t.$"}), "Data"));
    let null = holds(&search(json!({"type": "contains", "value": ""})), &[]);
    assert_eq!(null, ExprValue::Null);
    let of_length = json!({"type": "search", "dimension": "a", "query": {"type": "contains", "value": "1"},
                           "extractionFn": {"type": "strlen"}});
    assert!(holds(&of_length, &[("a", "0123456789".into())]).is_true());
    assert_refused(
        &scan(&search(json!({"type": "is"}))),
        "filter.query.type: unknown search query",
    );
}

#[test]
fn columns_are_compared_as_text_value_by_value() {
    let comparison = json!({"type": "columnComparison", "dimensions": [
        "a", {"type": "extraction", "dimension": "b", "extractionFn": {"type": "lower"}}]});
    let list = ExprValue::from(vec!["X".into(), "Y".into()]);
    let equal = |a: ExprValue, b: ExprValue| holds(&comparison, &[("a", a), ("b", b)]).is_true();
    assert!(equal("y".into(), list.clone()));
    assert!(!equal("z".into(), list));
    assert!(equal(ExprValue::Long(3), "3".into()));
    assert!(equal(ExprValue::Null, ExprValue::Null));
    assert!(!equal(ExprValue::Null, "x".into()));
    let of_one = json!({"type": "columnComparison", "dimensions": ["a"]});
    assert_refused(&scan(&of_one), "filter.dimensions: must hold 2 to 32 dimensions, not 1");
}

#[test]
fn arrays_contain_elements_of_a_type() {
    let contains = |value_type: &str, value: Value| {
        json!({"type": "arrayContainsElement", "column": "a",
               "elementMatchValueType": value_type, "elementMatchValue": value})
    };
    let numbers = ExprValue::from(vec![1_i64.into(), ExprValue::Null, i64::MIN.into()]);
    let held = |filter: &Value| holds(filter, &[("a", numbers.clone())]).is_true();
    assert!(held(&contains("LONG", json!(1))));
    assert!(held(&contains("LONG", json!(i64::MIN))));
    assert!(held(&contains("DOUBLE", json!(1.0))));
    assert!(held(&contains("STRING", Value::Null)));
    assert!(!held(&contains("LONG", json!(2))));
    let single = contains("STRING", json!("it's"));
    assert!(holds(&single, &[("a", "it's".into())]).is_true());
}

#[test]
fn typed_sets_are_sets_of_texts() {
    let typed = json!({"type": "inType", "column": "a", "matchValueType": "DOUBLE", "values": [2, 1.5, null]});
    let Filter::In { values, .. } = filter(&typed) else { panic!("wrong filter") };
    assert_eq!(values, [None, Some("1.5".to_owned()), Some("2.0".to_owned())]);
}

#[test]
fn h_82_like_with_an_open_escape_is_refused() {
    let like = |pattern: &str| json!({"type": "like", "dimension": "a", "pattern": pattern, "escape": "\\"});
    filter(&like("a\\\\"));
    filter(&like("\\%a\\\\\\_"));
    assert_refused(&scan(&like("a\\")), "filter.pattern: ends in the escape character");
    assert_refused(&scan(&like("a\\\\\\")), "filter.pattern: ends in the escape character");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// A number of a query is the double nearest to its digits, not one beside it.
    #[test]
    fn doubles_are_read_as_they_are_written(
        value in prop_oneof![any::<f64>(), -1e6..1e6, (0_i64..1 << 62).prop_map(|long| long as f64)],
        exponent in any::<bool>(),
    ) {
        prop_assume!(value.is_finite());
        let digits = if exponent { format!("{value:e}") } else { format!("{value:?}") };
        let query = format!(
            r#"{{"queryType": "scan", "dataSource": "w", "intervals": "2024/2025", "filter":
            {{"type": "equals", "column": "a", "matchValueType": "DOUBLE", "matchValue": {digits}}}}}"#
        );
        let query = Query::parse(query.as_bytes()).expect("valid");
        let Some(Filter::Equals { value: Literal::Double(read), .. }) = &query.base().filter else {
            panic!("another filter: {query:?}");
        };
        prop_assert_eq!(read.to_bits(), value.to_bits(), "{}", digits);
        let sent_on = query.to_value().to_string();
        let again = Query::parse(sent_on.as_bytes()).expect("valid");
        prop_assert_eq!(again.to_value().to_string(), sent_on);
    }
}

#[test]
fn numbers_keep_the_digits_that_neither_64_bits_nor_a_double_hold() {
    let query = r#"{"queryType":"timeseries","dataSource":"d","intervals":["2024/2025"],
        "filter":{"type":"and","fields":[
            {"type":"selector","dimension":"l","value":9007199254740993.0},
            {"type":"in","dimension":"l","values":[-9223372036854775809]},
            {"type":"equals","column":"l","matchValueType":"LONG","matchValue":9007199254740993.0}]},
        "postAggregations":[{"type":"constant","name":"c","value":0.1234567890123456789}]}"#;
    let Query::Timeseries(query) = Query::parse(query.as_bytes()).unwrap() else { panic!() };
    let Some(Filter::And(fields)) = &query.base.filter else { panic!("{:?}", query.base.filter) };
    let text = |text: &str| Some(text.to_owned());
    assert!(
        matches!(&fields[0], Filter::Selector { value, .. } if *value == text("9007199254740993.0"))
    );
    assert!(
        matches!(&fields[1], Filter::In { values, .. } if values[0] == text("-9223372036854775809"))
    );
    let exact = Literal::Long(9_007_199_254_740_993);
    assert!(matches!(&fields[2], Filter::Equals { value, .. } if *value == exact));
    let constant = &query.post_aggregations[0];
    let double = henge_types::Value::Double(0.123_456_789_012_345_68);
    assert!(matches!(constant, crate::PostAggregator::Constant { value, .. } if *value == double));
}
