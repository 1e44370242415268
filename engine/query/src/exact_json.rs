//! JSON whose numbers keep all their digits: what neither 64 bits nor a double holds becomes the text
//! of the number, which every place that takes a number takes as well.

use std::borrow::Cow;

use henge_expr::number::loses_digits;
use serde_json::{Number, Value};

use crate::error::{QueryError, Result};

/// Shorter numbers are exact as doubles.
const SHORTEST: usize = 16;

/// Parses JSON bytes.
///
/// # Errors
/// When they are no JSON.
pub fn parse_json(bytes: &[u8]) -> Result<Value> {
    let error = |error: serde_json::Error| QueryError::Json(error.to_string());
    serde_json::from_slice(&quote_long_numbers(bytes)).map_err(error)
}

/// The bytes with quotes around numbers that would lose digits.
fn quote_long_numbers(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut quoted: Vec<u8> = Vec::new();
    let (mut at, mut kept) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at + 1),
            b'-' | b'0'..=b'9' => {
                let is_part = |b: &&u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let length = bytes[at..].iter().take_while(is_part).count();
                let number = &bytes[at..at + length];
                if length >= SHORTEST && loses(number) {
                    quoted.extend_from_slice(&bytes[kept..at]);
                    quoted.push(b'"');
                    quoted.extend_from_slice(number);
                    quoted.push(b'"');
                    kept = at + length;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    if kept == 0 {
        return Cow::Borrowed(bytes);
    }
    quoted.extend_from_slice(&bytes[kept..]);
    Cow::Owned(quoted)
}

/// Behind the closing quote of a string.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match bytes.get(at) {
            None => return bytes.len(),
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

/// True for a well-formed number that would lose digits. What is beyond a double stays an error.
fn loses(number: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(number) else { return false };
    match text.parse::<Number>() {
        Ok(number) if number.is_f64() => {
            let is_whole = !text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
            is_whole || number.as_f64().is_some_and(|nearest| loses_digits(text, nearest))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse_json;

    #[test]
    fn numbers_keep_their_digits() {
        let parsed = |text: &str| parse_json(text.as_bytes()).unwrap();
        let text = r#"{"a\"1":[-9223372036854775809,18446744073709551616,9007199254740993.0],
            "9223372036854775809123":"9223372036854775809123\\"}"#;
        let expected = json!({
            "a\"1": ["-9223372036854775809", "18446744073709551616", "9007199254740993.0"],
            "9223372036854775809123": "9223372036854775809123\\",
        });
        assert_eq!(parsed(text), expected);
        for same in [
            "[9223372036854775807,-9223372036854775808,18446744073709551615]",
            "[0.30000000000000004,1.5,1e300,1234567890123456.5e-3]",
            "\"\\",
            "{\"a\":12345678901234567890}",
        ] {
            let plain = serde_json::from_str::<serde_json::Value>(same);
            assert_eq!(parse_json(same.as_bytes()).ok(), plain.ok(), "{same}");
        }
        for broken in
            ["[1.2.3.4.5.6.7.8.9.10]", "[123456789012345678-]", "[1e400]", "[00000000000000000001]"]
        {
            assert!(parse_json(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
