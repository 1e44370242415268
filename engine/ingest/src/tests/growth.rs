//! Types of discovered columns come from all values of a batch, and only grow.

use std::sync::Arc;

use henge_query::ingest::DataSchema;
use henge_types::Value;
use proptest::prelude::*;
use serde_json::json;

use super::{Collector, parse, schema, text, typed};
use crate::{DiscoveredColumn, DiscoveredType, ParseLimits, RowParser};

fn discovering() -> Arc<DataSchema> {
    schema(json!({
        "timestampSpec": {"column": "t"},
        "dimensionsSpec": {"useSchemaDiscovery": true},
    }))
}

/// The type of `v` and its values, for one batch.
fn one_batch(values: &[&str]) -> (String, Vec<Value>) {
    let body: Vec<String> = values.iter().map(|v| format!("{{\"t\":1,\"v\":{v}}}")).collect();
    let sink = parse(&discovering(), body.join("\n"));
    assert_eq!(sink.rows.len(), values.len(), "{values:?}: {:?}", sink.rejections);
    let [dimension] = sink.dimensions.as_slice() else { panic!("{:?}", sink.dimensions) };
    (dimension.clone(), sink.column(0))
}

#[test]
fn a_12_the_type_of_a_batch_holds_all_its_values() {
    let (long, double, string) = ("v:LONG", "v:DOUBLE", "v:STRING");
    let multi = Value::Multi(vec![Some("1".into()), None, Some("x".into())]);
    let cases: &[(&[&str], &str, Vec<Value>)] = &[
        (&["1", "2"], long, vec![Value::Long(1), Value::Long(2)]),
        (&["1", "1.5"], double, vec![Value::Double(1.0), Value::Double(1.5)]),
        (&["1", "1.5", "\"abc\""], string, vec![text("1"), text("1.5"), text("abc")]),
        (&["\"abc\"", "1"], string, vec![text("abc"), text("1")]),
        (&["true", "7"], long, vec![Value::Long(1), Value::Long(7)]),
        (&["true", "\"no\""], string, vec![text("true"), text("no")]),
        (&["1", "{\"k\": [1]}"], string, vec![text("1"), text("{\"k\": [1]}")]),
        (&["1", "[1,null,\"x\"]"], string, vec![text("1"), multi]),
        (&["1", "\"2\""], string, vec![text("1"), text("2")]),
        // Beyond 64 bits, and beyond what a double holds beside decimals: the digits as text.
        (&["1", "18446744073709551615"], string, vec![text("1"), text("18446744073709551615")]),
        (
            &["9007199254740993", "1"],
            long,
            vec![Value::Long(9_007_199_254_740_993), Value::Long(1)],
        ),
        (&["9007199254740993", "0.5"], string, vec![text("9007199254740993"), text("0.5")]),
        (&["0.5", "1e400"], string, vec![text("0.5"), text("1e400")]),
    ];
    for (values, column, expected) in cases {
        assert_eq!(one_batch(values), ((*column).to_owned(), expected.clone()), "{values:?}");
    }
}

#[test]
fn a_12_auto_dimensions_widen_and_keep_their_settings() {
    let dimensions = json!([{"type": "auto", "name": "n", "multiValueHandling": "ARRAY"}, "s"]);
    let sink = parse(&typed(dimensions, json!([])), r#"{"t":1,"n":5}{"t":2,"n":["b","a"]}"#);
    assert_eq!(sink.dimensions, ["s:STRING", "n:STRING"]);
    let multi = Value::Multi(vec![Some("b".into()), Some("a".into())]);
    assert_eq!(sink.column(1), [text("5"), multi]);
}

#[test]
fn a_later_batch_widens_for_itself_and_for_those_after_it() {
    let mut parser = RowParser::new(discovering(), ParseLimits::default()).unwrap();
    let mut values = |body: &str| {
        let mut sink = Collector::default();
        parser.parse_batch(body.as_bytes(), &mut sink).unwrap();
        let column = DiscoveredColumn { name: "v".into(), discovered_type: DiscoveredType::Long };
        assert_eq!(parser.discovered()[0].name, column.name);
        sink.column(0)
    };
    assert_eq!(values(r#"{"t":1,"v":1}"#), [Value::Long(1)]);
    assert_eq!(values(r#"{"t":1,"v":1.5}{"t":1,"v":2}"#), [Value::Double(1.5), Value::Double(2.0)]);
    assert_eq!(values(r#"{"t":1,"v":3}"#), [Value::Double(3.0)]);
    assert_eq!(values(r#"{"t":1,"v":"x"}{"t":1,"v":4}"#), [text("x"), text("4")]);
    assert_eq!(values(r#"{"t":1,"v":4}"#), [text("4")]);
}

#[test]
fn a_refused_event_widens_nothing() {
    let schema = schema(json!({
        "timestampSpec": {"column": "t"},
        "dimensionsSpec": {"useSchemaDiscovery": true},
        "metricsSpec": [{"type": "longSum", "name": "m", "fieldName": "n"}],
    }));
    let long = "x".repeat(40_000);
    let body = format!(r#"{{"t":1,"v":1}}{{"t":1,"v":"x","n":"bad"}}{{"t":1,"v":"{long}"}}"#);
    let sink = parse(&schema, body);
    assert_eq!(sink.dimensions, ["v:LONG"]);
    assert_eq!(sink.codes(), ["wrong_type", "over_limit"]);
}

#[test]
fn a_survey_learns_the_types_and_stores_nothing() {
    let mut survey = RowParser::new(discovering(), ParseLimits::default()).unwrap();
    survey.begin_survey();
    let mut sink = Collector::default();
    for body in [r#"{"t":1,"v":1,"w":2}"#, r#"{"t":1,"v":0.5}"#, r#"{"t":1,"w":"x"}"#] {
        survey.parse_batch(body.as_bytes(), &mut sink).unwrap();
    }
    assert!(sink.rows.is_empty());
    let mut parser = RowParser::new(discovering(), ParseLimits::default()).unwrap();
    parser.add_known(&survey.discovered());
    let mut sink = Collector::default();
    parser.parse_batch(br#"{"t":1,"v":1,"w":2}"#, &mut sink).unwrap();
    assert_eq!(sink.rows[0].1, [Value::Double(1.0), text("2")]);
}

fn value() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "1",
        "-3",
        "2.5",
        "1e3",
        "true",
        "\"a\"",
        "\"7\"",
        "null",
        "[]",
        "[1,2]",
        "{\"k\":1}",
        "9007199254740993",
        "18446744073709551616",
        "1e400",
    ])
}

proptest! {
    /// What a batch gives depends on what was known before it and on its bytes, on nothing else:
    /// a parser that is given the columns known before gives the same rows and columns, and so does
    /// one that is given those known afterwards.
    #[test]
    fn parsing_depends_on_the_columns_known_before(
        batches in prop::collection::vec(
            prop::collection::vec((value(), value()), 1..5),
            1..6,
        ),
    ) {
        let fresh = || RowParser::new(discovering(), ParseLimits::default()).unwrap();
        let mut live = fresh();
        for batch in batches {
            let event = |(v, w): &(&str, &str)| format!("{{\"t\":1,\"v\":{v},\"w\":{w}}}\n");
            let body: String = batch.iter().map(event).collect();
            let before = live.discovered();
            let (mut first, mut second, mut third) = <(Collector, Collector, Collector)>::default();
            live.parse_batch(body.as_bytes(), &mut first).unwrap();
            let mut replayed = fresh();
            replayed.add_known(&before);
            replayed.parse_batch(body.as_bytes(), &mut second).unwrap();
            prop_assert_eq!(&first.rows.last(), &second.rows.last());
            prop_assert_eq!(live.discovered(), replayed.discovered());
            let mut told = fresh();
            told.add_known(&live.discovered());
            told.parse_batch(body.as_bytes(), &mut third).unwrap();
            prop_assert_eq!(&first.rows.last(), &third.rows.last());
            prop_assert_eq!(live.discovered(), told.discovered());
            prop_assert!(first.rejections.is_empty() && live.take_changes().is_empty());
        }
    }
}
