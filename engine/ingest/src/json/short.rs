//! Short values, which most are: a few instructions each, and no loop over bytes.

use super::digits::{POWERS, short_run};
use super::scan::{Scanner, special_bytes};
use crate::raw::{Raw, Span};

impl<'b> Scanner<'b> {
    #[inline]
    fn chunk(&self, at: usize) -> Option<&'b [u8; 8]> {
        self.bytes.get(at..)?.first_chunk()
    }

    /// Reads a string of up to seven plain bytes, with both quotes; anything else is left where it is.
    #[inline]
    pub(crate) fn short_string(&mut self) -> Option<Span> {
        let start = self.at + 1;
        let special = special_bytes(u64::from_le_bytes(*self.chunk(start)?));
        let end = start + special.trailing_zeros() as usize / 8;
        let is_end = special != 0 && self.bytes.get(end) == Some(&b'"');
        if is_end {
            self.at = end + 1;
        }
        is_end.then(|| Span::of_body(start, end))
    }

    /// Reads a number of at most seven digits before and behind the point, without an exponent; anything
    /// else is left where it is.
    #[inline]
    pub(crate) fn short_number(&mut self) -> Option<Raw> {
        let negative = self.peek() == Some(b'-');
        let start = self.at + usize::from(negative);
        let bytes = self.chunk(start)?;
        let (digits, whole) = short_run(*bytes)?;
        if digits > 1 && bytes[0] == b'0' {
            return None;
        }
        let mut end = start + digits;
        let value = match bytes[digits] {
            b'e' | b'E' => return None,
            b'.' => {
                let (places, fraction) = short_run(*self.chunk(end + 1)?)?;
                end += 1 + places;
                if matches!(self.bytes.get(end), Some(b'e' | b'E')) {
                    return None;
                }
                // Both are exact, so that their quotient is the double next to the decimal.
                let divisor = POWERS[places];
                let magnitude = whole * u64::from(divisor) + fraction;
                let value = magnitude as f64 / f64::from(divisor);
                Raw::Double(if negative { -value } else { value })
            }
            _ => {
                let value = whole as i64;
                Raw::Long(if negative { -value } else { value })
            }
        };
        self.at = end;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short_number(text: &str) -> Option<Raw> {
        let event = format!("{text},\"x\":12345678");
        let mut scanner = Scanner::new(&event, 0, event.len());
        let value = scanner.short_number();
        assert_eq!(scanner.at, if value.is_some() { text.len() } else { 0 }, "{text}");
        value
    }

    #[test]
    fn short_numbers_are_those_next_to_their_text() {
        let mut state = 7_u64;
        for round in 0..5_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (whole, places) = (state >> 40, 1 + round % 7);
            let fraction = (state >> 9) % u64::from(POWERS[places]);
            for sign in ["", "-"] {
                let long = format!("{sign}{}", whole % 10_000_000);
                assert_eq!(short_number(&long), Some(Raw::Long(long.parse().unwrap())));
                let decimal = format!("{long}.{fraction:0places$}");
                let expected: f64 = decimal.parse().unwrap();
                let Some(Raw::Double(read)) = short_number(&decimal) else { panic!("{decimal}") };
                assert_eq!(read.to_bits(), expected.to_bits(), "{decimal}");
            }
        }
    }

    #[test]
    fn what_is_not_short_is_left() {
        for text in ["", "-", "00", "-01", "12345678", "1.12345678", "1.", "1.x", "1e5", "1.5E3"] {
            assert_eq!(short_number(text), None, "{text}");
        }
        for (text, length) in [("\"\"", Some(2)), ("\"seven77\"", Some(9)), ("\"eight888\"", None)]
        {
            let event = format!("{text},         ");
            let mut scanner = Scanner::new(&event, 0, event.len());
            assert_eq!(scanner.short_string().map(|_| scanner.at), length, "{text}");
        }
        for text in ["\"a\\n\"      ", "\"a\nb\"      ", "\"ab"] {
            let mut scanner = Scanner::new(text, 0, text.len());
            assert_eq!((scanner.short_string(), scanner.at), (None, 0), "{text}");
        }
    }
}
