//! Numbers, texts and times as JSON, straight into a byte buffer: what answers of native queries and of SQL are
//! made of.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// `null`
pub fn write_null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

/// A whole number.
pub fn write_long(out: &mut Vec<u8>, value: i64) {
    // Digits are made from the right into a buffer that fits the longest, -9223372036854775808.
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    out.extend_from_slice(&digits[at..]);
}

/// A DOUBLE: always with a point or an exponent; NaN and the infinities, which JSON lacks, as text.
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    // Whole numbers that doubles hold exactly are written as such, but for -0.
    let whole = value as i64;
    if whole as f64 == value
        && whole.unsigned_abs() < 1 << 53
        && (whole != 0 || value.is_sign_positive())
    {
        write_long(out, whole);
        out.extend_from_slice(b".0");
    } else if value.is_finite() {
        // Writing a number to a vector cannot fail.
        let _ = serde_json::to_writer(out, &value);
    } else {
        write_not_finite(out, value);
    }
}

/// A FLOAT: the shortest text that reads back as the same 32-bit number.
pub fn write_float(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        let _ = serde_json::to_writer(out, &value);
    } else {
        write_not_finite(out, f64::from(value));
    }
}

fn write_not_finite(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(if value.is_nan() {
        b"\"NaN\""
    } else if value > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    });
}

/// `true` or `false`
pub fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Text, quoted and escaped.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[written..at]);
        written = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

/// Text or null.
pub fn write_optional_string(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => write_string(out, text),
        None => write_null(out),
    }
}

/// An ISO timestamp in UTC, quoted.
pub fn write_timestamp(out: &mut Vec<u8>, ms: i64) {
    out.push(b'"');
    crate::write_timestamp(out, ms);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn whole_numbers() {
        for value in [0, 7, -1, 10, 99, 100, i64::MAX, i64::MIN] {
            assert_eq!(text(|out| write_long(out, value)), value.to_string());
        }
    }

    #[test]
    fn doubles_keep_their_point_and_are_valid_json() {
        for (value, expected) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (-3.0, "-3.0"),
            (9_007_199_254_740_992.0, "9007199254740992.0"),
            (-9.3e18, "-9.3e+18"),
            (1e21, "1e+21"),
            (5e-324, "5e-324"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            let written = text(|out| write_double(out, value));
            assert_eq!(written, expected);
            serde_json::from_str::<serde_json::Value>(&written).unwrap();
        }
    }

    #[test]
    fn floats_print_with_their_own_precision() {
        assert_eq!(text(|out| write_float(out, 0.1)), "0.1");
        assert_eq!(text(|out| write_float(out, 1_522.043_7)), "1522.0437");
        assert_eq!(text(|out| write_float(out, 10.0)), "10.0");
        assert_eq!(text(|out| write_float(out, f32::NAN)), "\"NaN\"");
    }

    #[test]
    fn h_70_text_is_escaped() {
        for value in ["", "plain", "\"\\\n\r\t\u{1}\u{1f}", "é 🙂 \u{7f}", "\u{0}end", "a\"b\"c"]
        {
            let written = text(|out| write_string(out, value));
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), value);
        }
        assert_eq!(text(|out| write_optional_string(out, None)), "null");
    }
}
