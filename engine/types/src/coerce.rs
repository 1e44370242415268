//! What becomes of a value whose type is not that of its column: numbers become text, text that is
//! a number becomes that number, decimals lose their fraction in LONG columns; the rest is null.

use std::fmt::Write;

use crate::value::ValueRef;

/// The LONG a value stands for.
#[inline]
#[must_use]
pub fn as_long(value: &ValueRef<'_>) -> Option<i64> {
    match single(value) {
        ValueRef::Long(value) => Some(value),
        ValueRef::Double(value) => truncate(value),
        ValueRef::String(text) => text.parse().ok().or_else(|| truncate(parse_double(text)?)),
        _ => None,
    }
}

/// The DOUBLE a value stands for.
#[inline]
#[must_use]
pub fn as_double(value: &ValueRef<'_>) -> Option<f64> {
    match single(value) {
        ValueRef::Long(value) => Some(value as f64),
        ValueRef::Double(value) => Some(value),
        ValueRef::String(text) => parse_double(text),
        _ => None,
    }
}

/// The FLOAT a value stands for.
#[inline]
#[must_use]
pub fn as_float(value: &ValueRef<'_>) -> Option<f32> {
    as_double(value).map(|value| value as f32)
}

/// The text a single value stands for; numbers are written into `buffer`.
#[inline]
#[must_use]
pub fn as_text<'a>(value: &ValueRef<'a>, buffer: &'a mut String) -> Option<&'a str> {
    match single(value) {
        ValueRef::String(text) => return Some(text),
        ValueRef::Long(value) => {
            buffer.clear();
            // Writing to a string cannot fail.
            let _ = write!(buffer, "{value}");
        }
        ValueRef::Double(value) => {
            buffer.clear();
            write_double(buffer, value);
        }
        ValueRef::Null | ValueRef::Multi(_) | ValueRef::Complex(_) => return None,
    }
    Some(buffer)
}

/// A list of one value is that value; other lists are no single value.
#[inline]
fn single<'a>(value: &ValueRef<'a>) -> ValueRef<'a> {
    match value {
        ValueRef::Multi([Some(text)]) => ValueRef::String(text),
        other => *other,
    }
}

/// Nothing wraps and nothing saturates: what a LONG cannot hold is null.
fn truncate(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (-LIMIT..LIMIT).contains(&value).then_some(value as i64)
}

/// The number a text is: decimal, `NaN` or `Infinity`; not `inf`, not hexadecimal.
#[must_use]
pub fn parse_double(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let decimal =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    let known = unsigned.bytes().all(decimal) || matches!(unsigned, "NaN" | "Infinity");
    if known { text.parse().ok() } else { None }
}

/// As Java writes doubles: `1.0`, `1.0E10`, `NaN`.
fn write_double(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        let _ = write!(out, "{value:?}");
    } else {
        let start = out.len();
        let _ = write!(out, "{value:E}");
        let exponent = out[start..].find('E').map_or(out.len(), |at| start + at);
        if !out[start..exponent].contains('.') {
            out.insert_str(exponent, ".0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: ValueRef<'_>) -> Option<String> {
        let mut buffer = String::from("old");
        as_text(&value, &mut buffer).map(String::from)
    }

    #[test]
    fn h_12_numbers_become_text() {
        assert_eq!(text(ValueRef::Long(-7)).as_deref(), Some("-7"));
        assert_eq!(text(ValueRef::Double(1.0)).as_deref(), Some("1.0"));
        assert_eq!(text(ValueRef::Double(0.1)).as_deref(), Some("0.1"));
        assert_eq!(text(ValueRef::Double(1e10)).as_deref(), Some("1.0E10"));
        assert_eq!(text(ValueRef::Double(1.5e-7)).as_deref(), Some("1.5E-7"));
        assert_eq!(text(ValueRef::Double(f64::NAN)).as_deref(), Some("NaN"));
        assert_eq!(text(ValueRef::Double(f64::NEG_INFINITY)).as_deref(), Some("-Infinity"));
        assert_eq!(text(ValueRef::Multi(&[Some("a")])).as_deref(), Some("a"));
        assert_eq!(text(ValueRef::Complex(b"x")), None);
    }

    #[test]
    fn h_12_text_becomes_numbers_where_it_is_one() {
        assert_eq!(as_long(&ValueRef::String("12")), Some(12));
        assert_eq!(as_long(&ValueRef::String("12.9")), Some(12));
        assert_eq!(as_long(&ValueRef::String("twelve")), None);
        assert_eq!(as_long(&ValueRef::Multi(&[Some("3")])), Some(3));
        assert_eq!(as_long(&ValueRef::Multi(&[Some("3"), Some("4")])), None);
        assert_eq!(as_double(&ValueRef::String("1e3")), Some(1000.0));
        assert_eq!(as_double(&ValueRef::String("inf")), None);
        assert_eq!(as_double(&ValueRef::Complex(b"1")), None);
        assert_eq!(as_float(&ValueRef::String("0.5")), Some(0.5));
    }

    #[test]
    fn h_18_h_19_nothing_wraps() {
        assert_eq!(as_long(&ValueRef::Double(-2.9)), Some(-2));
        assert_eq!(as_long(&ValueRef::Double(9.3e18)), None);
        assert_eq!(as_long(&ValueRef::Double(f64::NAN)), None);
        assert_eq!(as_long(&ValueRef::String("9223372036854775808")), None);
        assert_eq!(as_long(&ValueRef::String("-9223372036854775808")), Some(i64::MIN));
    }
}
