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
        cut_to_ms: false,
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

#[test]
fn what_a_metric_cuts_off_texts_is_counted() {
    let last = json!({"type": "stringLast", "name": "m", "fieldName": "v", "maxStringBytes": 6});
    let schema = typed(json!([]), json!([last]));
    let values =
        ["\"123456\"", "1234567", "\"12345é\"", "[\"a\",\"b\"]", "[\"a\",null,\"c\"]", "null"];
    let body: String = values.iter().map(|v| format!("{{\"t\":1,\"v\":{v}}}\n")).collect();
    let (changes, _) = changes_of(&schema, &body);
    let [change] = changes.columns() else { panic!("{changes:?}") };
    assert_eq!((change.column.as_str(), change.count, change.nulled), ("m", 3, 0));
    assert_eq!((&*change.example, &*change.stored), ("1234567", "123456"));
    let (changes, _) = changes_of(&schema, r#"{"t":1,"v":["a",null,"c"]}"#);
    assert_eq!(&*changes.columns()[0].stored, "[a, nu");
    let (changes, _) = changes_of(&schema, "{\"t\":1,\"v\":\"12345\u{e9}\"}");
    assert_eq!(&*changes.columns()[0].stored, "12345", "no character is cut in two");
}

#[test]
fn digits_that_a_type_does_not_keep_are_counted() {
    let one = |column_type: &str, value: &str| {
        let changes = report(column_type, &[value]);
        let [change] = changes.columns() else { panic!("{column_type} {value}: {changes:?}") };
        (change.count, change.example.clone(), change.stored.clone())
    };
    let long = "0.1234567890123456789";
    for value in [long.to_owned(), format!("\"{long}\"")] {
        assert_eq!(one("double", &value), (1, long.into(), "0.12345678901234568".into()));
        assert_eq!(one("float", &value).1, long);
    }
    assert_eq!(one("float", "3.141592653589793").2, "3.1415927410125732");
    assert_eq!(one("float", "\"123456789.5\"").2, "1.23456792E8");
    // Whole numbers keep their digits on the way to LONG, whatever is behind the point.
    for value in ["9007199254740993.5", "\"9007199254740993.5\""] {
        assert_eq!(one("long", value).2, "9007199254740993", "{value}");
    }
    for value in ["9007199254740993.0", "\"9007199254740993.0\""] {
        assert!(report("string", &[value]).is_empty());
        let schema = typed(json!([{"type": "long", "name": "v"}]), json!([]));
        let (changes, sink) = changes_of(&schema, &format!("{{\"t\":1,\"v\":{value}}}"));
        assert!(changes.is_empty(), "{changes:?}");
        assert_eq!(sink.rows[0].1[0], henge_types::Value::Long(9_007_199_254_740_993));
    }
    // Text keeps all digits, and so does a column whose type the values decide.
    for column_type in ["string", "auto"] {
        let schema = typed(json!([{"type": column_type, "name": "v"}]), json!([]));
        let (changes, sink) = changes_of(&schema, &format!("{{\"t\":1,\"v\":{long}}}"));
        assert!(changes.is_empty());
        assert_eq!(sink.rows[0].1[0], super::text(long), "{column_type}");
    }
    let kept = ["0.30000000000000004", "1e300", "-1.5e-7", "0.1", "123456.789", "\"1.10\""];
    assert!(report("double", &kept).is_empty());
    assert!(report("float", &["0.1", "1.25e10", "-3.5", "\"0.001\"", "16777216"]).is_empty());
}

#[test]
fn times_that_are_cut_to_milliseconds_are_counted() {
    let cut = |format: &str, times: &[&str]| {
        let schema = super::schema(json!({"timestampSpec": {"column": "t", "format": format}}));
        let body: String = times.iter().map(|t| format!("{{\"t\":{t}}}\n")).collect();
        let changes = changes_of(&schema, &body).0;
        changes
            .columns()
            .iter()
            .map(|c| (c.cut_to_ms, c.count, c.stored.clone()))
            .collect::<Vec<_>>()
    };
    let whole = [
        "\"2024-01-01T00:00:00.123Z\"",
        "\"2024-01-01T00:00:00.123000+01:00\"",
        "1704067200123",
        "1704067200123000",
        "1704067200123000000",
        "1704067200.123",
        "\"20240101\"",
        "\"2024-01-01\"",
    ];
    assert_eq!(cut("auto", &whole), []);
    let finer = [
        "\"2024-01-01T00:00:00.1234Z\"",
        "\"2024-01-01T00:00:00.000001+01:00\"",
        "1704067200123456",
        "1704067200123456789",
        "1704067200.1234567",
        "\"1704067200123456\"",
    ];
    assert_eq!(cut("auto", &finer), [(true, 6, "2024-01-01T00:00:00.123Z".to_owned())]);
    assert_eq!(cut("micro", &["1704067200123456", "1704067200123000"])[0].1, 1);
    assert_eq!(cut("nano", &["1704067200123456789", "1704067200123000000"])[0].1, 1);
    assert_eq!(cut("iso", &["\"2024-01-01T00:00:00.1239Z\""])[0].1, 1);
    assert_eq!(cut("posix", &["1704067200.5", "1704067200"])[0].1, 1);
}
