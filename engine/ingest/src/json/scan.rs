//! The tokenizer: RFC 8259 to the letter, on text that is known to be UTF-8.
//!
//! Strings without escapes are slices of the body. Eight bytes at a time are searched for what ends
//! a string, so the common short values cost a few instructions.

use henge_expr::number::loses_digits;

use crate::raw::{Raw, Span};

/// What is wrong with the text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) kind: FaultKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Something else was expected.
    Expected(&'static str),
    /// An unescaped control character in a string.
    ControlCharacter,
    /// A malformed escape, or half of a surrogate pair.
    Escape,
    /// A malformed number.
    Number,
    /// A field name with a control character.
    NameControl,
    /// A limit.
    OverLimit(&'static str, usize),
}

impl FaultKind {
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Expected(what) => format!("expected {what}"),
            Self::ControlCharacter => "a string holds an unescaped control character".to_owned(),
            Self::Escape => "a malformed escape or half of a surrogate pair".to_owned(),
            Self::Number => "a malformed number".to_owned(),
            Self::NameControl => "a field name holds a control character".to_owned(),
            Self::OverLimit(what, limit) => format!("over the limit of {limit} {what}"),
        }
    }
}

/// Faults are rare, and boxed so that results fit into registers.
pub(crate) type Scan<T> = Result<T, Box<Fault>>;

/// Reads tokens of one event. Positions are those of the whole body.
#[derive(Debug)]
pub(crate) struct Scanner<'b> {
    text: &'b str,
    /// The body up to where this event must have ended.
    pub(super) bytes: &'b [u8],
    pub(crate) at: usize,
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks (at least the first of) the bytes that end a run of plain characters.
pub(super) fn special_bytes(word: u64) -> u64 {
    let equals = |byte: u64| {
        let difference = word ^ (LOW * byte);
        difference.wrapping_sub(LOW) & !difference
    };
    let control = word.wrapping_sub(LOW * 0x20) & !word;
    (equals(0x22) | equals(0x5c) | control) & HIGH
}

impl<'b> Scanner<'b> {
    pub(crate) fn new(text: &'b str, at: usize, end: usize) -> Self {
        let bytes = text.as_bytes();
        Self { text, bytes: bytes.get(..end).unwrap_or(bytes), at }
    }

    #[cold]
    pub(crate) fn fault<T>(&self, kind: FaultKind) -> Scan<T> {
        Err(Box::new(Fault { at: self.at, kind }))
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// What is left of the event.
    #[inline]
    pub(crate) fn rest(&self) -> &'b [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, what: &'static str) -> Scan<()> {
        if self.take(byte) { Ok(()) } else { self.fault(FaultKind::Expected(what)) }
    }

    /// Reads a string, after its opening quote. What has escapes is decoded into `arena`.
    #[inline]
    pub(crate) fn string(&mut self, arena: &mut String) -> Scan<Span> {
        let start = self.at;
        self.plain_run();
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(Span::of_body(start, self.at - 1))
            }
            Some(b'\\') => self.escaped_string(start, arena),
            Some(_) => self.fault(FaultKind::ControlCharacter),
            None => self.fault(FaultKind::Expected("the closing quote of a string")),
        }
    }

    /// Moves to the next quote, backslash or control character (or the end).
    #[inline]
    fn plain_run(&mut self) {
        while let Some(chunk) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let special = special_bytes(u64::from_le_bytes(*chunk));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while let Some(byte) = self.peek() {
            if byte < 0x20 || byte == b'"' || byte == b'\\' {
                return;
            }
            self.at += 1;
        }
    }

    #[cold]
    fn escaped_string(&mut self, start: usize, arena: &mut String) -> Scan<Span> {
        let decoded_start = arena.len();
        let mut run_start = start;
        loop {
            arena.push_str(self.text.get(run_start..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Span::of_arena(decoded_start, arena.len()));
                }
                Some(b'\\') => {
                    let decoded = self.escape()?;
                    arena.push(decoded);
                }
                Some(_) => return self.fault(FaultKind::ControlCharacter),
                None => return self.fault(FaultKind::Expected("the closing quote of a string")),
            }
            run_start = self.at;
            self.plain_run();
        }
    }

    fn escape(&mut self) -> Scan<char> {
        self.at += 1;
        let decoded = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return self.fault(FaultKind::Escape),
        };
        self.at += 1;
        Ok(decoded)
    }

    /// Four hexadecimal digits, and the second half when they are the first half of a pair.
    fn unicode_escape(&mut self) -> Scan<char> {
        let high = self.hex_unit()?;
        if !(0xD800..0xDC00).contains(&high) {
            return match char::from_u32(high) {
                Some(decoded) => Ok(decoded),
                None => self.fault(FaultKind::Escape),
            };
        }
        if !(self.take(b'\\') && self.take(b'u')) {
            return self.fault(FaultKind::Escape);
        }
        let low = self.hex_unit()?;
        if !(0xDC00..0xE000).contains(&low) {
            return self.fault(FaultKind::Escape);
        }
        match char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00)) {
            Some(decoded) => Ok(decoded),
            None => self.fault(FaultKind::Escape),
        }
    }

    fn hex_unit(&mut self) -> Scan<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return self.fault(FaultKind::Escape);
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    /// Reads a number. One that no `i64` or finite double can hold keeps its text, and so does a
    /// decimal with digits that its double loses.
    pub(crate) fn number(&mut self) -> Scan<Raw> {
        let start = self.at;
        let negative = self.take(b'-');
        let digits_start = self.at;
        let mut magnitude = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            magnitude = magnitude.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - digits_start;
        let leading_zero = digits > 1 && self.bytes.get(digits_start) == Some(&b'0');
        if digits == 0 || leading_zero {
            return self.fault(FaultKind::Number);
        }
        match self.peek() {
            Some(b'.') => {
                let short = self.short_decimal(magnitude, digits, negative);
                return short.map_or_else(|| self.fraction(start), |value| Ok(Raw::Double(value)));
            }
            Some(b'e' | b'E') => return self.fraction(start),
            _ => {}
        }
        if digits <= 18 {
            let value = magnitude as i64;
            return Ok(Raw::Long(if negative { -value } else { value }));
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(match text.parse() {
            Ok(value) => Raw::Long(value),
            Err(_) => Raw::HugeNumber(Span::of_body(start, self.at)),
        })
    }

    /// Reads the fraction of a decimal of few digits and no exponent; anything else is left where it is.
    /// Whole numbers below 2^53 and powers of ten up to 10^22 are exact, so that their quotient is the
    /// double next to the decimal.
    #[inline]
    fn short_decimal(&mut self, whole: u64, whole_digits: usize, negative: bool) -> Option<f64> {
        let mut magnitude = whole;
        let mut divisor = 1.0;
        let mut places = 0;
        let rest = self.bytes.get(self.at + 1..)?;
        while let Some(digit @ b'0'..=b'9') = rest.get(places) {
            if whole_digits + places >= DIGITS_OF_A_WHOLE {
                return None;
            }
            magnitude = magnitude * 10 + u64::from(digit - b'0');
            divisor *= 10.0;
            places += 1;
        }
        if places == 0 || matches!(rest.get(places), Some(b'e' | b'E')) {
            return None;
        }
        self.at += 1 + places;
        let value = magnitude as f64 / divisor;
        Some(if negative { -value } else { value })
    }

    fn fraction(&mut self, start: usize) -> Scan<Raw> {
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'-') {
                self.take(b'+');
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(match text.parse::<f64>() {
            Ok(value) if value.is_finite() => match text.len() > DIGITS_OF_A_WHOLE {
                true if loses_digits(text, value) => {
                    Raw::LongDecimal(Span::of_body(start, self.at))
                }
                _ => Raw::Double(value),
            },
            _ => Raw::HugeNumber(Span::of_body(start, self.at)),
        })
    }

    fn digits(&mut self) -> Scan<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { self.fault(FaultKind::Number) }
    }

    /// Reads `true`, `false` or `null`.
    pub(crate) fn word(&mut self) -> Scan<Raw> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        for (word, raw) in
            [("true", Raw::Bool(true)), ("false", Raw::Bool(false)), ("null", Raw::Null)]
        {
            if rest.starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(raw);
            }
        }
        self.fault(FaultKind::Expected("a JSON value"))
    }

    /// Passes over a list or an object of any content, checking it on the way, without recursion;
    /// `depth` levels are open already.
    pub(crate) fn skip_nested(
        &mut self,
        depth: usize,
        max_depth: usize,
        scratch: &mut String,
    ) -> Scan<Span> {
        let start = self.at;
        let mut open = OpenBrackets::default();
        loop {
            // A value starts here.
            let complete = match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    if !open.push(bracket == b'{', max_depth.saturating_sub(depth)) {
                        return self.fault(FaultKind::OverLimit("levels of nesting", max_depth));
                    }
                    self.at += 1;
                    self.skip_blanks();
                    let empty = self.take(open.closing());
                    if empty {
                        open.pop();
                    }
                    empty
                }
                _ => {
                    self.skip_scalar(scratch)?;
                    true
                }
            };
            if complete && self.close_complete(&mut open)? {
                return Ok(Span::of_body(start, self.at));
            }
            self.skip_blanks();
            if open.in_object() {
                self.skip_name(scratch)?;
            }
        }
    }

    /// Behind a value: closes what it completes, up to a comma. True when everything is closed.
    fn close_complete(&mut self, open: &mut OpenBrackets) -> Scan<bool> {
        while open.level > 0 {
            self.skip_blanks();
            if self.take(b',') {
                return Ok(false);
            }
            self.expect(open.closing(), "',' or the closing bracket")?;
            open.pop();
        }
        Ok(true)
    }

    fn skip_name(&mut self, scratch: &mut String) -> Scan<()> {
        let length = scratch.len();
        self.expect(b'"', "a field name in double quotes")?;
        self.string(scratch)?;
        scratch.truncate(length);
        self.skip_blanks();
        self.expect(b':', "':' after a field name")?;
        self.skip_blanks();
        Ok(())
    }

    fn skip_scalar(&mut self, scratch: &mut String) -> Scan<()> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                let length = scratch.len();
                self.string(scratch)?;
                scratch.truncate(length);
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(|_| ()),
            _ => self.word().map(|_| ()),
        }
    }
}

/// Whole numbers of so many digits are exact as doubles.
const DIGITS_OF_A_WHOLE: usize = 15;

/// The kinds of the open brackets, one bit each.
#[derive(Default)]
struct OpenBrackets {
    is_object: u128,
    level: usize,
}

impl OpenBrackets {
    /// False when one more would be over the limit.
    fn push(&mut self, is_object: bool, limit: usize) -> bool {
        self.level += 1;
        self.is_object = self.is_object << 1 | u128::from(is_object);
        self.level <= limit.min(u128::BITS as usize)
    }

    fn pop(&mut self) {
        self.level -= 1;
        self.is_object >>= 1;
    }

    fn in_object(&self) -> bool {
        self.is_object & 1 == 1
    }

    fn closing(&self) -> u8 {
        if self.in_object() { b'}' } else { b']' }
    }
}
