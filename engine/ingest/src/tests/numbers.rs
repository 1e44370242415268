//! H-17 to H-20: numbers.

use std::sync::Arc;

use henge_query::ingest::DataSchema;
use henge_types::Value;
use serde_json::json;

use super::{Collector, parse, typed};

fn one_metric(kind: &str) -> Arc<DataSchema> {
    typed(json!(["d"]), json!([{"type": kind, "name": "m", "fieldName": "v"}]))
}

fn feed(schema: &Arc<DataSchema>, value: &str) -> Collector {
    parse(schema, format!("{{\"t\":1,\"v\":{value}}}"))
}

fn metric(kind: &str, value: &str) -> Result<Value, &'static str> {
    let sink = feed(&one_metric(kind), value);
    match sink.rows.first() {
        Some((_, values)) => Ok(values[1].clone()),
        None => Err(sink.codes()[0]),
    }
}

#[test]
fn h_17_infinities_and_nan_are_kept_where_they_have_a_place() {
    for (text, value) in
        [("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)]
    {
        // JSON has no token for them.
        assert_eq!(metric("doubleSum", text), Err("syntax"), "{text}");
        let quoted = format!("\"{text}\"");
        for kind in ["doubleSum", "floatSum", "doubleMin"] {
            match metric(kind, &quoted) {
                Ok(Value::Double(found)) => {
                    assert_eq!(found.to_bits(), value.to_bits(), "{kind} {text}");
                }
                other => panic!("{kind} {text}: {other:?}"),
            }
        }
        assert_eq!(metric("longSum", &quoted), Ok(Value::Null), "{text}");
    }
    for text in ["\"inf\"", "\"nan\"", "\"1e400\""] {
        assert_eq!(metric("doubleSum", text), Err("wrong_type"), "{text}");
    }
}

#[test]
fn h_18_what_does_not_fit_is_refused_and_never_wrapped() {
    let digits = "9".repeat(400);
    for value in ["1e400", "-1e400", digits.as_str()] {
        assert_eq!(metric("doubleSum", value), Err("wrong_type"), "{value}");
        assert_eq!(metric("longSum", value), Err("wrong_type"), "{value}");
    }
    assert_eq!(metric("doubleSum", "1e-400"), Ok(Value::Double(0.0)));
    assert_eq!(metric("floatSum", "1e39"), Err("wrong_type"));
    assert_eq!(metric("floatSum", "1e38"), Ok(Value::Double(1e38)));
    // Nobody reads it: nothing is wrong with it.
    assert_eq!(parse(&one_metric("longSum"), "{\"t\":1,\"other\":1e400}").rows.len(), 1);
}

#[test]
fn h_19_longs_are_exact() {
    for value in [i64::MAX, i64::MIN, (1 << 53) + 1, 999_999_999_999_999_999] {
        assert_eq!(metric("longSum", &value.to_string()), Ok(Value::Long(value)));
        assert_eq!(metric("longSum", &format!("\"{value}\"")), Ok(Value::Long(value)));
    }
    for value in ["9223372036854775808", "-9223372036854775809", "18446744073709551616"] {
        assert_eq!(metric("longSum", value), Err("wrong_type"), "{value}");
        assert_eq!(metric("longSum", &format!("\"{value}\"")), Err("wrong_type"), "{value}");
        assert!(metric("doubleSum", value).is_ok(), "{value}");
    }
}

#[test]
fn h_20_number_grammar_is_strict() {
    for value in ["01", "+1", "1.", ".5", "0x10", "-", "1e", "1e+", "--1", "1_0", "1.e5"] {
        assert_eq!(metric("doubleSum", value), Err("syntax"), "{value}");
    }
    for (value, expected) in [("0", 0.0), ("-0", 0.0), ("-0.0", 0.0), ("0.1", 0.1), ("1E+2", 100.0)]
    {
        let Ok(Value::Double(found)) = metric("doubleSum", value) else { panic!("{value}") };
        assert_eq!(found.to_bits(), f64::to_bits(expected), "{value}");
    }
}

#[test]
fn metrics_refuse_text_and_dimensions_null_it() {
    assert_eq!(metric("longSum", "\"abc\""), Err("wrong_type"));
    assert_eq!(metric("longSum", "\" 12 \""), Ok(Value::Long(12)));
    assert_eq!(metric("longSum", "\"1.9\""), Ok(Value::Long(1)));
    assert_eq!(metric("longSum", "\"\""), Ok(Value::Null));
    assert_eq!(metric("longSum", "null"), Ok(Value::Null));
    assert_eq!(metric("longSum", "true"), Ok(Value::Long(1)));
    assert_eq!(metric("doubleSum", "[1]"), Err("wrong_type"));
    assert_eq!(metric("doubleSum", "{}"), Err("wrong_type"));
}

#[test]
fn sketches_take_values_as_they_are() {
    for (value, expected) in [
        ("7", Value::Long(7)),
        ("1.5", Value::Double(1.5)),
        ("\"u\"", Value::String("u".into())),
        ("[\"u\",\"v\"]", Value::Multi(vec![Some("u".into()), Some("v".into())])),
        ("null", Value::Null),
    ] {
        assert_eq!(metric("HLLSketchBuild", value), Ok(expected), "{value}");
    }
}
