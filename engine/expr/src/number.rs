//! Numbers as text: the forms that are read as numbers, and Java's way of writing doubles, which is
//! what clients of Druid compare against.

use std::fmt::Write;

/// Reads an integer: decimal digits with an optional sign, nothing else.
#[must_use]
pub fn parse_long(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Reads a decimal number. `NaN` and `Infinity` count (spelled so); `inf` and hexadecimal do not.
#[must_use]
pub fn parse_double(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = unsigned
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if plain || unsigned == "NaN" || unsigned == "Infinity" { text.parse().ok() } else { None }
}

/// The integer a double truncates to; `None` when it is NaN or out of range.
#[must_use]
pub fn double_to_long(value: f64) -> Option<i64> {
    // -2^63 is exact as a double, 2^63 is the first value above the range.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (-LIMIT..LIMIT).contains(&value).then_some(value as i64)
}

/// The integer that decimal text stands for: whole numbers exactly, others truncated. Whole numbers
/// out of range are none, even where the nearest double is in range.
#[must_use]
pub fn text_to_long(text: &str, as_double: f64) -> Option<i64> {
    let is_whole = !text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    if is_whole { parse_long(text) } else { double_to_long(as_double) }
}

/// Writes a double as Java does: `1.0`, `0.001`, `1.0E7`, `1.0E-4`, `NaN`, `Infinity`.
#[must_use]
pub fn format_double(value: f64) -> String {
    let mut out = String::with_capacity(24);
    write_double(&mut out, value);
    out
}

/// Appends a double as [`format_double`] writes it.
pub fn write_double(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        // Debug formatting keeps one decimal of whole numbers. Writing to a String cannot fail.
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

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (value, text) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (3.1, "3.1"),
            (0.001, "0.001"),
            (1e-4, "1.0E-4"),
            (1e7, "1.0E7"),
            (9_999_999.5, "9999999.5"),
            (1.5e300, "1.5E300"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(format_double(value), text);
        }
    }

    #[test]
    fn h_20_only_decimal_forms_are_numbers() {
        for text in ["inf", "nan", "0x10", "", " 1", "1_0", "1f", "+"] {
            assert_eq!(parse_double(text), None, "{text:?}");
        }
        assert_eq!(parse_double("-1.5e3"), Some(-1500.0));
        assert_eq!(parse_double("Infinity"), Some(f64::INFINITY));
    }

    #[test]
    fn h_19_doubles_out_of_range_are_no_longs() {
        assert_eq!(double_to_long(9_223_372_036_854_775_808.0), None);
        assert_eq!(double_to_long(-9_223_372_036_854_775_808.0), Some(i64::MIN));
        assert_eq!(double_to_long(f64::NAN), None);
        assert_eq!(double_to_long(-1.9), Some(-1));
        let below = "-9223372036854775809";
        assert_eq!(text_to_long(below, below.parse().unwrap()), None);
        assert_eq!(text_to_long("-1e3", -1e3), Some(-1000));
    }
}
