//! JSON documents as values, and paths into them (`$`, `.name`, `['name']`, `[1]`).

mod path;

pub use path::JsonPath;

use serde_json::{Map, Number, Value};

use crate::types::unify_array;
use crate::value::ExprValue;

/// The document that a value is: a text that begins as an object or an array is read as one.
#[must_use]
pub fn document(value: &ExprValue) -> Value {
    match value {
        ExprValue::String(text) => {
            parse_container(text).unwrap_or_else(|| Value::String(text.to_string()))
        }
        other => plain(other),
    }
}

/// The document of a value whose texts are texts.
#[must_use]
pub fn plain(value: &ExprValue) -> Value {
    match value {
        ExprValue::Null => Value::Null,
        ExprValue::Long(value) => Value::from(*value),
        ExprValue::Double(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
        ExprValue::String(text) => Value::String(text.to_string()),
        ExprValue::Array(items) => Value::Array(items.iter().map(plain).collect()),
    }
}

fn parse_container(text: &str) -> Option<Value> {
    let begins = text.trim_start().starts_with(['{', '[']);
    if begins { serde_json::from_str(text).ok() } else { None }
}

/// A document as it is held: a scalar by itself, an object or an array as its text.
#[must_use]
pub fn held(document: &Value) -> ExprValue {
    match document {
        Value::Array(_) | Value::Object(_) => document.to_string().into(),
        other => scalar(other),
    }
}

/// What is read of a document: an array of scalars as an array, objects and other arrays as their text.
#[must_use]
pub fn value(document: &Value) -> ExprValue {
    match document {
        Value::Array(items) if items.iter().all(is_scalar) => {
            unify_array(items.iter().map(scalar).collect())
        }
        Value::Array(_) | Value::Object(_) => document.to_string().into(),
        other => scalar(other),
    }
}

fn is_scalar(document: &Value) -> bool {
    !matches!(document, Value::Array(_) | Value::Object(_))
}

/// A number, text, boolean (1 or 0) or null; nothing of an array or object.
fn scalar(document: &Value) -> ExprValue {
    match document {
        Value::Bool(value) => ExprValue::of_bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(long) => ExprValue::Long(long),
            None => number.as_f64().into(),
        },
        Value::String(text) => ExprValue::from(text.as_str()),
        _ => ExprValue::Null,
    }
}

/// A scalar or an array of scalars with texts `true` and `false` for booleans, as JSON writes them; null for an
/// object.
pub(crate) fn texts(document: &Value) -> ExprValue {
    match document {
        Value::Bool(value) => value.to_string().into(),
        Value::Array(items) if items.iter().all(is_scalar) => {
            items.iter().map(texts).collect::<Vec<_>>().into()
        }
        other => scalar(other),
    }
}

/// What lies below and above of a document, the later winning: objects are joined, arrays are put one after the
/// other.
pub(crate) fn merge(below: Value, above: Value) -> Value {
    match (below, above) {
        (Value::Object(mut below), Value::Object(above)) => {
            for (name, value) in above {
                let merged = match below.remove(&name) {
                    Some(old) => merge(old, value),
                    None => value,
                };
                below.insert(name, merged);
            }
            Value::Object(below)
        }
        (Value::Array(mut below), Value::Array(above)) => {
            below.extend(above);
            Value::Array(below)
        }
        (_, above) => above,
    }
}

/// The paths of all leaves: scalars, and arrays of scalars as a whole.
pub(crate) fn leaf_paths(document: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    collect_paths(document, &mut "$".to_owned(), &mut paths);
    paths
}

fn collect_paths(document: &Value, at: &mut String, paths: &mut Vec<String>) {
    let length = at.len();
    match document {
        Value::Object(fields) => {
            for (name, value) in fields {
                path::write_name(at, name);
                collect_paths(value, at, paths);
                at.truncate(length);
            }
        }
        Value::Array(items) if !items.iter().all(is_scalar) => {
            for (index, value) in items.iter().enumerate() {
                at.push_str(&format!("[{index}]"));
                collect_paths(value, at, paths);
                at.truncate(length);
            }
        }
        _ => paths.push(at.clone()),
    }
}

/// An object of names and values in order.
pub(crate) fn object(fields: impl Iterator<Item = (String, Value)>) -> Value {
    Value::Object(fields.collect::<Map<_, _>>())
}
