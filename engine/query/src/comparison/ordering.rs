//! How strings compare in `bound` filters, `limitSpec` and topN: [`Ordering`] applied.

use std::cmp::Ordering as Cmp;

use super::number::Number;
use crate::filter::Ordering;

/// Compares two values; null sorts before every value.
#[must_use]
pub fn compare_nullable(ordering: Ordering, left: Option<&str>, right: Option<&str>) -> Cmp {
    match (left, right) {
        (Some(left), Some(right)) => compare(ordering, left, right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

/// Compares two values.
#[must_use]
pub fn compare(ordering: Ordering, left: &str, right: &str) -> Cmp {
    match ordering {
        Ordering::Lexicographic => left.cmp(right),
        Ordering::Numeric => compare_numeric(left, right),
        Ordering::Alphanumeric => compare_alphanumeric(left, right),
        Ordering::Strlen => {
            utf16_length(left).cmp(&utf16_length(right)).then_with(|| left.cmp(right))
        }
        Ordering::Version => compare_version(left, right),
    }
}

/// The length as clients count it: UTF-16 code units.
fn utf16_length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(char::len_utf16).sum() }
}

/// Numbers by value; what does not parse comes first, by its bytes.
fn compare_numeric(left: &str, right: &str) -> Cmp {
    match (Number::parse(left), Number::parse(right)) {
        (Some(a), Some(b)) => a.compare(b),
        (None, None) => left.cmp(right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

/// Compares chunk by chunk, where a chunk is a run of digits or a run of anything else. Runs of
/// digits compare as integers of any length.
fn compare_alphanumeric(left: &str, right: &str) -> Cmp {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while let (Some(&a), Some(&b)) = (left.first(), right.first()) {
        let order = if a.is_ascii_digit() && b.is_ascii_digit() {
            let (number_a, rest_a) = split_while(left, u8::is_ascii_digit);
            let (number_b, rest_b) = split_while(right, u8::is_ascii_digit);
            (left, right) = (rest_a, rest_b);
            compare_digits(number_a, number_b)
        } else if a.is_ascii_digit() || b.is_ascii_digit() {
            b.is_ascii_digit().cmp(&a.is_ascii_digit())
        } else {
            let (text_a, rest_a) = split_while(left, |byte| !byte.is_ascii_digit());
            let (text_b, rest_b) = split_while(right, |byte| !byte.is_ascii_digit());
            (left, right) = (rest_a, rest_b);
            text_a.cmp(text_b)
        };
        if order != Cmp::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

fn split_while(bytes: &[u8], keep: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !keep(byte)).unwrap_or(bytes.len());
    bytes.split_at(end)
}

/// Compares digits as numbers; among equal numbers fewer leading zeros come first.
fn compare_digits(left: &[u8], right: &[u8]) -> Cmp {
    let significant = |digits: &[u8]| digits.iter().take_while(|&&digit| digit == b'0').count();
    let (zeros_left, zeros_right) = (significant(left), significant(right));
    let (a, b) = (&left[zeros_left..], &right[zeros_right..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b)).then(zeros_left.cmp(&zeros_right))
}

/// Dotted versions: parts compare as integers when both are, else as text; a missing part is 0.
fn compare_version(left: &str, right: &str) -> Cmp {
    let (mut left_parts, mut right_parts) = (left.split(['.', '-']), right.split(['.', '-']));
    loop {
        let (a, b) = match (left_parts.next(), right_parts.next()) {
            (None, None) => return left.cmp(right),
            (a, b) => (a.unwrap_or("0"), b.unwrap_or("0")),
        };
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let order = match (digits(a), digits(b)) {
            (true, true) => compare_digits(
                a.trim_start_matches('0').as_bytes(),
                b.trim_start_matches('0').as_bytes(),
            ),
            // A number is newer than a qualifier such as `rc` or `SNAPSHOT`.
            (true, false) => Cmp::Greater,
            (false, true) => Cmp::Less,
            (false, false) => a.cmp(b),
        };
        if order != Cmp::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(ordering: Ordering, mut values: Vec<&str>) -> Vec<&str> {
        values.sort_by(|a, b| compare(ordering, a, b));
        values
    }

    #[test]
    fn numeric_puts_text_first() {
        let values = vec!["10", "9", "x", "-1", "9.5", "a"];
        assert_eq!(sorted(Ordering::Numeric, values), ["a", "x", "-1", "9", "9.5", "10"]);
    }

    #[test]
    fn numeric_does_not_round_large_integers() {
        let (a, b) = ("9007199254740993", "9007199254740992.0");
        assert_eq!(compare(Ordering::Numeric, a, b), Cmp::Greater);
        assert_eq!(compare(Ordering::Numeric, b, a), Cmp::Less);
        let (a, b) = ("0.10000000000000000001", "0.1");
        assert_eq!(compare(Ordering::Numeric, a, b), Cmp::Greater);
        assert_eq!(compare(Ordering::Numeric, "1e3", "1000"), Cmp::Equal);
    }

    #[test]
    fn alphanumeric_compares_digit_runs_as_numbers() {
        let values = vec!["img12", "img10", "img2", "img", "1", "img02"];
        let expected = ["1", "img", "img2", "img02", "img10", "img12"];
        assert_eq!(sorted(Ordering::Alphanumeric, values), expected);
    }

    #[test]
    fn strlen_counts_utf16_units() {
        assert_eq!(sorted(Ordering::Strlen, vec!["bbb", "é", "aa"]), ["é", "aa", "bbb"]);
    }

    #[test]
    fn version_orders_parts() {
        let values = vec!["1.10", "1.2", "1.2-rc1", "1.2.0", "2"];
        assert_eq!(sorted(Ordering::Version, values), ["1.2-rc1", "1.2", "1.2.0", "1.10", "2"]);
    }
}
