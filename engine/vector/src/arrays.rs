//! Lists that count as one value, as bytes: JSON. Columns of them are objects whose type is
//! `ARRAY<element>`.

use henge_expr::ExprValue;
use serde_json::{Number, Value};

/// What the types of such columns begin with.
pub const ARRAY_TYPE: &str = "ARRAY<";

/// The bytes of a list.
#[must_use]
pub fn write_array(value: &ExprValue) -> Vec<u8> {
    json_of(value).to_string().into_bytes()
}

/// The list of some bytes; null when they are none.
#[must_use]
pub fn read_array(bytes: &[u8]) -> ExprValue {
    serde_json::from_slice(bytes).map_or(ExprValue::Null, |value| value_of(&value))
}

/// A value as JSON. Doubles beyond what JSON has are texts.
#[must_use]
pub fn json_of(value: &ExprValue) -> Value {
    match value {
        ExprValue::Null => Value::Null,
        ExprValue::Long(value) => (*value).into(),
        ExprValue::Double(value) => match Number::from_f64(*value) {
            Some(number) => Value::Number(number),
            None => value.to_string().into(),
        },
        ExprValue::String(text) => (**text).into(),
        ExprValue::Array(items) => items.iter().map(json_of).collect(),
    }
}

/// A value of JSON. Objects are their text.
#[must_use]
pub fn value_of(value: &Value) -> ExprValue {
    match value {
        Value::Null => ExprValue::Null,
        Value::Bool(flag) => i64::from(*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(long) => long.into(),
            None => number.as_f64().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(value_of).collect::<Vec<_>>().into(),
        Value::Object(_) => value.to_string().into(),
    }
}
