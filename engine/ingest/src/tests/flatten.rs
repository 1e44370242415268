//! Values from within nested events as fields of their own.

use henge_query::ingest::{FlattenSpec, IndexTask, InputFormat};
use henge_types::Value;
use serde_json::json;

use super::Collector;
use crate::{FieldValue, ParseLimits, RowOrigin, RowParser, TableFields};

fn flatten_spec(spec: serde_json::Value) -> FlattenSpec {
    let task = json!({
        "type": "index_parallel",
        "spec": {
            "dataSchema": { "dataSource": "d" },
            "ioConfig": {
                "type": "index_parallel",
                "inputSource": { "type": "inline", "data": "" },
                "inputFormat": { "type": "json", "flattenSpec": spec },
            },
        },
    });
    match IndexTask::from_value(&task).unwrap().spec.io_config.input_format {
        InputFormat::Json { flatten, .. } => flatten,
        other => panic!("{other:?}"),
    }
}

/// The rows of some events under these dimensions, with what was ignored.
fn rows(
    dimensions: serde_json::Value,
    spec: serde_json::Value,
    body: &str,
) -> (Vec<Vec<Value>>, Vec<String>) {
    let schema = super::typed(dimensions, json!([]));
    let mut parser = RowParser::new(schema, ParseLimits::default()).unwrap();
    parser.set_flattening(&flatten_spec(spec));
    let mut collector = Collector::default();
    parser.parse_batch(body.as_bytes(), &mut collector).unwrap();
    assert!(collector.rejections.is_empty(), "{:?}", collector.rejections);
    let ignored = parser.take_ignored();
    let ignored = ignored.fields().iter().map(|field| field.field.clone()).collect();
    (collector.rows.into_iter().map(|(_, values)| values).collect(), ignored)
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn list(items: &[&str]) -> Value {
    Value::Multi(items.iter().map(|item| Some((*item).to_owned())).collect())
}

const EVENTS: &str = r#"{"t":1,"u":{"id":7,"name":"\u00e4nn","tags":["x","y"]},"l":[{"n":1},{"n":2}]}
    {"t":2,"u":{"id":8},"l":[]}
    {"t":3,"u":"flat","id":"own"}"#;

#[test]
fn values_from_within_become_fields() {
    let spec = json!({ "fields": [
        { "type": "path", "name": "id", "expr": "$.u.id" },
        { "type": "jq", "name": "who", "expr": ".u.name" },
        { "type": "path", "name": "ns", "expr": "$.l[*].n" },
        { "type": "path", "name": "last", "expr": "$.l[-1].n" },
        { "type": "tree", "name": "tags", "nodes": ["u", "tags"] },
    ] });
    let dimensions = json!(["id", "who", "ns", "last", "tags"]);
    let (found, ignored) = rows(dimensions, spec, EVENTS);
    assert_eq!(
        found,
        [
            vec![text("7"), text("\u{e4}nn"), list(&["1", "2"]), text("2"), list(&["x", "y"])],
            vec![text("8"), Value::Null, Value::Null, Value::Null, Value::Null],
            vec![text("own"), Value::Null, Value::Null, Value::Null, Value::Null],
        ]
    );
    assert_eq!(ignored, ["u", "l"]);
}

#[test]
fn without_discovery_only_what_is_named_is_there() {
    let spec = json!({ "useFieldDiscovery": false, "fields": [
        "t",
        { "type": "root", "name": "renamed", "expr": "id" },
        { "type": "path", "name": "u", "expr": "$.u.id" },
    ] });
    let (found, ignored) = rows(json!(["renamed", "id", "u"]), spec, EVENTS);
    assert_eq!(
        found,
        [
            vec![Value::Null, Value::Null, text("7")],
            vec![Value::Null, Value::Null, text("8")],
            vec![text("own"), Value::Null, Value::Null],
        ]
    );
    assert!(ignored.is_empty());
}

#[test]
fn fields_from_within_are_discovered_and_the_last_of_equal_keys_wins() {
    let spec = json!({ "fields": [{ "type": "path", "name": "deep", "expr": "$.a.b" }] });
    let body = r#"{"t":1,"a":{"b":1,"b":[2,3],"c":{"b":9}}}"#;
    let (found, _) = rows(json!([]), spec, body);
    assert!(found[0].contains(&list(&["2", "3"])), "{found:?}");
}

#[test]
fn rows_of_tables_are_reached_into_as_events_are() {
    let spec = json!({ "fields": [
        { "type": "path", "name": "id", "expr": "$.u.id" },
        { "type": "path", "name": "tags", "expr": "$.u.tags[*]" },
        { "type": "path", "name": "second", "expr": "$.l[1]" },
        { "type": "root", "name": "renamed", "expr": "n" },
        { "type": "path", "name": "none", "expr": "$.j.id" },
    ] });
    let schema =
        super::typed(json!(["id", "tags", "second", "renamed", "none", "j", "d"]), json!([]));
    let mut parser = RowParser::new(schema, ParseLimits::default()).unwrap();
    parser.set_flattening(&flatten_spec(spec));
    assert!(!parser.is_plain());
    let names = ["t", "u", "l", "n", "j", "d"].map(str::to_owned).to_vec();
    let mut fields = TableFields::new(names).with_json(|name| name == "u");
    let list = [FieldValue::Long(1), FieldValue::Text("a\"b\n")];
    let nested = r#"{"id":7,"tags":["x","\u00e4"]}"#;
    let rows = [
        [
            FieldValue::Long(1),
            FieldValue::Text(nested),
            FieldValue::List(&list),
            FieldValue::Bool(true),
            // Text that looks like JSON is text.
            FieldValue::Text(r#"{"id":1}"#),
            FieldValue::Double(1.5),
        ],
        [FieldValue::Null; 6],
    ];
    let mut collector = Collector::default();
    parser.begin_rows();
    for (offset, values) in rows.iter().enumerate() {
        let origin = RowOrigin { offset, raw: &|| "the row".to_owned() };
        parser.parse_row(&mut fields, values, origin, &mut collector).unwrap();
    }
    let expected = vec![
        text("7"),
        self::list(&["x", "\u{e4}"]),
        text("a\"b\n"),
        text("true"),
        Value::Null,
        text(r#"{"id":1}"#),
        text("1.5"),
    ];
    let (found, refused) = (&collector.rows, &collector.rejections);
    assert_eq!(found.iter().map(|(_, values)| values).collect::<Vec<_>>(), [&expected]);
    // The second one has no time.
    assert_eq!(refused.len(), 1, "{refused:?}");
}
