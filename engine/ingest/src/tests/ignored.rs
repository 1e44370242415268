//! Fields that the schema names nowhere are counted by name, with the first value; and what makes a
//! column text, and which fields of the schema no event has, is told.

use henge_types::{ColumnType, IgnoredFields};
use serde_json::json;

use super::{Collector, schema, typed};
use crate::{FieldValue, ParseLimits, RowOrigin, RowParser, TableFields};

fn ignored(dimensions: serde_json::Value, body: &str) -> IgnoredFields {
    let mut parser = RowParser::new(typed(dimensions, json!([])), ParseLimits::default()).unwrap();
    parser.parse_batch(body.as_bytes(), &mut Collector::default()).unwrap();
    parser.take_ignored()
}

fn shown(fields: &IgnoredFields) -> Vec<(&str, u64, &str, u64)> {
    fields.fields().iter().map(|f| (&*f.field, f.count, &*f.example, f.position)).collect()
}

#[test]
fn values_without_a_place_are_counted_by_name() {
    let body = r#"{"t":1,"a":"x","b":null,"c":[1,2]}
        {"t":1,"b":7,"a":"y","d":{"e":1}}
        {"t":"bad","b":8}
        {"b":9,"t":1,"c":"z"}"#;
    assert_eq!(
        shown(&ignored(json!(["a"]), body)),
        [("b", 2, "7", 1), ("c", 2, "[1,2]", 0), ("d", 1, r#"{\"e\":1}"#, 1)]
    );
    assert!(ignored(json!([]), body).is_empty(), "discovery takes all");
    let excluded = schema(json!({
        "timestampSpec": {"column": "t"},
        "dimensionsSpec": {"dimensions": ["a"], "dimensionExclusions": ["b", "d"]},
        "metricsSpec": [{"type": "longSum", "name": "c", "fieldName": "n"}],
    }));
    let mut parser = RowParser::new(excluded, ParseLimits::default()).unwrap();
    parser.parse_batch(body.as_bytes(), &mut Collector::default()).unwrap();
    // A metric reads another field: one with its own name has no place either.
    assert_eq!(shown(&parser.take_ignored()), [("c", 2, "[1,2]", 0)]);
    assert!(parser.take_ignored().is_empty());
    assert_eq!(parser.fields_missing(), ["n"]);
}

#[test]
fn very_many_names_are_counted_as_one_and_long_lists_are_passed_over() {
    let body: String = (0..1_000).map(|i| format!("{{\"t\":1,\"f{i}\":{i}}}\n")).collect();
    let fields = ignored(json!(["a"]), &body);
    let last = fields.fields().last().unwrap();
    assert_eq!((fields.fields().len(), &*last.field, last.count), (100, "(other fields)", 901));
    let long = format!("{{\"t\":1,\"a\":\"x\",\"l\":[{}1]}}", "1,".repeat(100_000));
    assert_eq!(ignored(json!(["a"]), &long).fields()[0].count, 1);
}

#[test]
fn rows_of_tables_count_as_well() {
    let mut parser =
        RowParser::new(typed(json!(["a"]), json!([])), ParseLimits::default()).unwrap();
    let mut fields = TableFields::new(["t", "b", "a"].map(str::to_owned).to_vec());
    parser.begin_rows();
    let raw = || String::new();
    for (number, b) in
        [FieldValue::Null, FieldValue::Text("x"), FieldValue::Long(2)].iter().enumerate()
    {
        let values = [FieldValue::Long(1), *b, FieldValue::Text("y")];
        let origin = RowOrigin { offset: number, raw: &raw };
        parser.parse_row(&mut fields, &values, origin, &mut Collector::default()).unwrap();
    }
    assert_eq!(shown(&parser.take_ignored()), [("b", 2, "x", 1)]);
}

#[test]
fn the_value_that_makes_a_column_text_is_named() {
    let mut parser = RowParser::new(
        typed(json!([{"type": "auto", "name": "n"}, "s"]), json!([])),
        ParseLimits::default(),
    )
    .unwrap();
    let body = "{\"t\":1,\"n\":1}\n{\"t\":1,\"n\":2.5,\"s\":\"x\"}\n{\"t\":1,\"n\":\"N/A\"}\n{\"t\":1,\"n\":\"-\"}";
    parser.parse_batch(body.as_bytes(), &mut Collector::default()).unwrap();
    let became = parser.take_became_text();
    let [only] = &became[..] else { panic!("{became:?}") };
    assert_eq!((&*only.column, &*only.example, only.position), ("n", "N/A", 2));
    assert_eq!(only.earlier, ColumnType::Double);
}

#[test]
fn a_survey_tells_numbers_from_other_values() {
    let mut parser = RowParser::new(
        typed(json!([{"type": "auto", "name": "n"}]), json!([])),
        ParseLimits::default(),
    )
    .unwrap();
    parser.begin_survey();
    for body in [
        "{\"t\":1,\"n\":null}\n{\"t\":1,\"n\":1}",
        "{\"t\":1}\n{\"t\":1,\"n\":\"N/A\"}\n{\"t\":1,\"n\":2.5}",
    ] {
        parser.parse_batch(body.as_bytes(), &mut Collector::default()).unwrap();
    }
    let [n] = parser.column_kinds() else { panic!("one column") };
    assert_eq!((n.numbers, n.others, &*n.example), (2, 1, "N/A"));
    assert_eq!((n.piece, n.position), (2, 1));
    let mut parser = RowParser::new(
        super::schema(json!({
            "timestampSpec": {"column": "t"}, "dimensionsSpec": {"useSchemaDiscovery": true},
        })),
        ParseLimits::default(),
    )
    .unwrap();
    parser.begin_survey();
    let body = "{\"t\":1,\"a\":\"-\"}\n{\"t\":1,\"a\":1,\"b\":2}\n{\"t\":1,\"a\":3,\"b\":4}";
    parser.parse_batch(body.as_bytes(), &mut Collector::default()).unwrap();
    let seen: Vec<_> = parser.column_kinds().iter().map(|k| (k.numbers, k.others)).collect();
    assert_eq!(seen, [(2, 1), (2, 0)]);
}

#[test]
fn h_05_fields_that_no_column_can_be_are_counted_also_with_discovery() {
    let body = r#"{"t":1,"a":"x","":"lost","__time":5}"#;
    for dimensions in [json!([]), json!(["a"])] {
        assert_eq!(shown(&ignored(dimensions, body)), [("", 1, "lost", 0), ("__time", 1, "5", 0)]);
    }
    let spec = schema(json!({
        "timestampSpec": {"column": "__time"}, "dimensionsSpec": {"dimensions": []},
    }));
    let mut parser = RowParser::new(spec, ParseLimits::default()).unwrap();
    parser.parse_batch(br#"{"__time":1}"#, &mut Collector::default()).unwrap();
    assert!(parser.take_ignored().is_empty());
}
