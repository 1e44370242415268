//! Constants as native text.

use std::fmt::Write;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::scalar::ScalarValue;
use henge_expr::number::write_double;

use super::types;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// A constant as native text; `None` when the native language has none of its kind.
pub(super) fn native(value: &ScalarValue) -> Option<String> {
    if value.is_null() {
        return Some("null".to_owned());
    }
    Some(match value {
        ScalarValue::Utf8(Some(value))
        | ScalarValue::LargeUtf8(Some(value))
        | ScalarValue::Utf8View(Some(value)) => text(value),
        ScalarValue::Boolean(Some(value)) => i64::from(*value).to_string(),
        ScalarValue::Float64(Some(value)) => double(*value),
        ScalarValue::Float32(Some(value)) => double(f64::from(*value)),
        ScalarValue::Date32(Some(days)) => (i64::from(*days) * DAY_MS).to_string(),
        ScalarValue::List(list) => array(&list.value(0))?,
        other => milliseconds(other).or_else(|| integer(other))?.to_string(),
    })
}

/// The milliseconds of a time.
pub(super) fn milliseconds(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampMillisecond(ms, _) => *ms,
        ScalarValue::TimestampSecond(seconds, _) => seconds.and_then(|s| s.checked_mul(1000)),
        ScalarValue::TimestampMicrosecond(micros, _) => micros.map(|us| us.div_euclid(1000)),
        ScalarValue::TimestampNanosecond(nanos, _) => nanos.map(|ns| ns.div_euclid(1_000_000)),
        ScalarValue::Date32(days) => days.map(|days| i64::from(days) * DAY_MS),
        _ => None,
    }
}

/// An integer of any width.
pub(super) fn integer(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int64(value) => *value,
        ScalarValue::Int32(value) => value.map(i64::from),
        ScalarValue::Int16(value) => value.map(i64::from),
        ScalarValue::Int8(value) => value.map(i64::from),
        ScalarValue::UInt8(value) => value.map(i64::from),
        ScalarValue::UInt16(value) => value.map(i64::from),
        ScalarValue::UInt32(value) => value.map(i64::from),
        ScalarValue::UInt64(value) => value.and_then(|value| i64::try_from(value).ok()),
        _ => None,
    }
}

/// `'text'` with escapes.
pub(super) fn text(value: &str) -> String {
    quoted(value, '\'')
}

/// `"identifier"` with escapes.
pub(super) fn identifier(name: &str) -> String {
    quoted(name, '"')
}

fn quoted(value: &str, quote: char) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push(quote);
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            // Writing to a String cannot fail.
            c if c.is_control() && u32::from(c) <= 0xFFFF => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

fn double(value: f64) -> String {
    let mut out = String::new();
    write_double(&mut out, value);
    out
}

fn array(items: &ArrayRef) -> Option<String> {
    if types::is_array(items.data_type()) {
        return array_of_arrays(items);
    }
    let name = types::native_name(&types::array_of(items.data_type().clone()));
    let mut out = name.to_owned();
    if name == "ARRAY<FLOAT>" {
        "ARRAY<DOUBLE>".clone_into(&mut out);
    }
    out.push('[');
    for index in 0..items.len() {
        if index > 0 {
            out.push(',');
        }
        match items.as_string_opt::<i32>() {
            Some(texts) if texts.is_valid(index) => out.push_str(&text(texts.value(index))),
            _ => out.push_str(&native(&ScalarValue::try_from_array(items, index).ok()?)?),
        }
    }
    out.push(']');
    Some(out)
}

/// There are no literals of arrays within arrays: a call makes them.
fn array_of_arrays(items: &ArrayRef) -> Option<String> {
    let item = |index: usize| native(&ScalarValue::try_from_array(items, index).ok()?);
    let texts = (0..items.len()).map(item).collect::<Option<Vec<_>>>()?;
    Some(format!("array({})", texts.join(",")))
}
