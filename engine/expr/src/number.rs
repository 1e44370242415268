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

/// The integer that decimal text stands for: whole numbers exactly, others truncated. Numbers out of
/// range are none, even where the nearest double is in range.
#[must_use]
pub fn text_to_long(text: &str, as_double: f64) -> Option<i64> {
    if text.bytes().any(|byte| matches!(byte, b'e' | b'E')) {
        return double_to_long(as_double);
    }
    match text.split('.').next() {
        // Nothing, or a sign alone, stands before the point.
        Some("" | "-" | "+") if text.len() > 1 => Some(0),
        Some(whole) => parse_long(whole),
        None => None,
    }
}

/// Digits that any double keeps when it is written and read again.
pub const DIGITS_OF_A_DOUBLE: usize = 17;

/// True when a double written with as many digits as a decimal has is that decimal. Decimals of up
/// to 17 digits are as exact as the text of a double is, and count as kept.
#[must_use]
pub fn keeps_digits(text: &str, nearest: f64) -> bool {
    /// No double has more digits that are not zero.
    const MOST_DIGITS: usize = 767;
    let digits = significant_digits(text);
    match digits.len() {
        0..=DIGITS_OF_A_DOUBLE => true,
        count if count > MOST_DIGITS => false,
        count => significant_digits(&format!("{:.*e}", count - 1, nearest)) == digits,
    }
}

/// Whether the double next to a decimal is another number to its readers: it has more digits than a
/// double, or is so large that doubles are no longer as close as whole numbers.
#[cold]
#[must_use]
pub fn loses_digits(text: &str, nearest: f64) -> bool {
    const FIRST_WITHOUT_FRACTION: f64 = (1_u64 << 53) as f64;
    if text.len() > DIGITS_OF_A_DOUBLE && !keeps_digits(text, nearest) {
        return true;
    }
    if nearest.abs() < FIRST_WITHOUT_FRACTION || text.bytes().any(|b| matches!(b, b'e' | b'E')) {
        return false;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_same = whole.parse::<i128>().map_or(true, |whole| nearest as i128 == whole);
    !is_same || fraction.bytes().any(|digit| digit != b'0')
}

/// The digits of a decimal from its first to its last that is not zero.
fn significant_digits(text: &str) -> Vec<u8> {
    let mantissa = text.bytes().take_while(|byte| !matches!(byte, b'e' | b'E'));
    let digits = mantissa.filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0');
    let mut digits: Vec<u8> = digits.collect();
    while digits.last() == Some(&b'0') {
        digits.pop();
    }
    digits
}

/// True when a number keeps its value as a FLOAT: the shortest text of the FLOAT is the number's own.
#[must_use]
pub fn is_kept_by_float(value: f64) -> bool {
    let float = value as f32;
    if f64::from(float) == value {
        return true;
    }
    // Decimals of up to six digits are kept by any FLOAT.
    let is_short = [1e1, 1e2, 1e3, 1e4].iter().any(|scale| {
        let scaled = (value * scale).round();
        scaled.abs() < 1e6 && scaled / scale == value
    });
    is_short || float.to_string().parse() == Ok(value)
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
    fn digits_that_a_double_does_not_keep() {
        for (text, is_kept) in [
            ("0.1", true),
            ("0.30000000000000004", true),
            ("0.1234567890123456789", false),
            ("1234567890.1234567890", false),
            ("0.1000000000000000055511151231257827", true),
            ("123456789012345678900000000000e-5", false),
            ("1.00000000000000000000000", true),
            ("-0.000000000000000000000000000000125", true),
            ("", true),
        ] {
            assert_eq!(keeps_digits(text, text.parse().unwrap_or(0.0)), is_kept, "{text}");
        }
        assert!(!keeps_digits(&format!("0.{}1", "3".repeat(1_000_000)), 1.0 / 3.0));
    }

    #[test]
    fn decimals_that_are_another_number_as_a_double() {
        for (text, is_other) in [
            ("9007199254740993.0", true),
            ("9007199254740992.0", false),
            ("9007199254740992.5", true),
            ("1234567.125", false),
            ("1.2345678901234567e300", false),
            ("-9223372036854775809.0", true),
            ("0.1234567890123456789", true),
        ] {
            assert_eq!(loses_digits(text, text.parse().unwrap()), is_other, "{text}");
        }
    }

    #[test]
    fn numbers_that_a_float_keeps() {
        for value in [0.1, -3.25, 1e-3, 123.456, 16_777_216.0, 0.333_333_34, 1.5e30] {
            assert!(is_kept_by_float(value), "{value}");
        }
        for value in [16_777_217.0, 2.341_592_653_589_793, 0.123_456_789, 1.234_567_89e20] {
            assert!(!is_kept_by_float(value), "{value}");
        }
    }

    #[test]
    fn text_is_truncated_exactly() {
        for (text, long) in [
            ("9007199254740993.0", Some(9_007_199_254_740_993)),
            ("9223372036854775807.9", Some(i64::MAX)),
            ("-9223372036854775808.5", Some(i64::MIN)),
            ("9223372036854775808.0", None),
            (".5", Some(0)),
            ("-.5", Some(0)),
            ("-0.5", Some(0)),
            ("1e3", Some(1000)),
            ("1.", Some(1)),
        ] {
            assert_eq!(text_to_long(text, text.parse().unwrap()), long, "{text}");
        }
    }

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
