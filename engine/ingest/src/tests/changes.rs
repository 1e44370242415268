//! What is stored otherwise than it was sent is counted by column, with the first example (P-9).

use henge_types::{ChangeReport, ColumnChange};
use serde_json::json;

use super::{changes_of, typed};

fn report(column_type: &str, values: &[&str]) -> ChangeReport {
    let schema = typed(json!([{"type": column_type, "name": "v"}]), json!([]));
    let body: String = values.iter().map(|v| format!("{{\"t\":1,\"v\":{v}}}\n")).collect();
    changes_of(&schema, &body).0
}

#[test]
fn a_declared_type_says_what_it_cuts_and_nulls() {
    let changes =
        report("long", &["1", "\"2\"", "1.5", "\"abc\"", "2.0", "\"2.5\"", "null", "[7,8]"]);
    let expected = ColumnChange {
        column: "v".into(),
        count: 4,
        nulled: 2,
        example: "1.5".into(),
        stored: "1".into(),
        position: 2,
    };
    assert_eq!(changes.columns(), [expected]);
    let changes = report("double", &["1", "0.1", "9007199254740993", "\"abc\"", "{\"k\":1}"]);
    let [change] = changes.columns() else { panic!("{changes:?}") };
    assert_eq!((change.count, change.nulled, change.position), (3, 2, 2));
    assert_eq!((&*change.example, &*change.stored), ("9007199254740993", "9.007199254740992E15"));
    let changes = report("double", &["9223372036854775807", "\"18446744073709551615\"", "1e300"]);
    assert_eq!(changes.total(), 2);
    let changes = report("float", &["16777216", "16777217", "0.1"]);
    assert_eq!(changes.total(), 1);
}

#[test]
fn what_is_stored_as_it_came_is_not_counted() {
    assert!(report("string", &["1", "1.5", "true", "[1,2]", "{\"a\":1}", "null"]).is_empty());
    assert!(
        report("long", &["1", "true", "9223372036854775807", "\" 7 \"", "\"\"", "-0.0"]).is_empty()
    );
    assert!(report("double", &["1", "1.25", "\"3\"", "9007199254740992"]).is_empty());
}

#[test]
fn metrics_count_and_refused_or_filtered_events_do_not() {
    let schema = super::schema(json!({
        "timestampSpec": {"column": "t"},
        "dimensionsSpec": {"dimensions": [{"type": "long", "name": "d"}, "keep"]},
        "metricsSpec": [{"type": "longSum", "name": "m", "fieldName": "n"}],
        "transformSpec": {"filter": {"type": "selector", "dimension": "keep", "value": "y"}},
    }));
    let body = r#"
        {"t":1,"keep":"n","d":"x"}
        {"t":1,"keep":"y","d":"x","n":"bad"}
        {"t":1,"keep":"y","d":"z","n":2.5}
        {"t":1,"keep":"y","n":0.5}"#;
    let (changes, _) = changes_of(&schema, body);
    let [d, m] = changes.columns() else { panic!("{changes:?}") };
    assert_eq!((d.column.as_str(), d.count, d.nulled, d.position), ("d", 1, 1, 2));
    assert_eq!((m.column.as_str(), m.count, m.nulled), ("m", 2, 0));
    assert_eq!((&*m.example, &*m.stored), ("2.5", "2"));
}
