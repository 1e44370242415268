//! The timestamp of an event, by the timestampSpec.

mod auto;

use henge_expr::joda::JodaPattern;
use henge_query::ingest::{TimestampFormat, TimestampSpec};
use henge_types::parse_timestamp_ms;
use jiff::tz::TimeZone;

pub use auto::{auto_long_ms, units_of_a_ms};

use crate::coerce::{describe, excerpt};
use crate::error::IngestError;
use crate::raw::{EventBuffer, Raw};
use crate::rejection::RejectReason;

/// Reads timestamps of one format.
#[derive(Debug)]
pub(crate) struct TimestampReader {
    spec: TimestampSpec,
    pattern: Option<JodaPattern>,
}

impl TimestampReader {
    pub(crate) fn new(spec: &TimestampSpec) -> Result<Self, IngestError> {
        let schema_error = |message: String| IngestError::Schema {
            field: "timestampSpec.format".to_owned(),
            message,
        };
        let pattern = match &spec.format {
            TimestampFormat::Joda(text) => {
                let pattern = JodaPattern::parse(text).map_err(schema_error)?;
                if !pattern.is_readable() {
                    let message = format!("'{text}' has week-based fields, which cannot be read");
                    return Err(schema_error(message));
                }
                Some(pattern)
            }
            _ => None,
        };
        Ok(Self { spec: spec.clone(), pattern })
    }

    /// Milliseconds since 1970.
    pub(crate) fn read(
        &self,
        raw: Raw,
        body: &str,
        buffer: &EventBuffer,
    ) -> Result<i64, RejectReason> {
        let read = match raw.nearest_double(body, &buffer.arena) {
            Raw::Missing | Raw::Null => return self.missing(),
            Raw::Text(span) => {
                let text = span.text(body, &buffer.arena);
                if text.is_empty() {
                    return self.missing();
                }
                self.of_text(text)
            }
            Raw::Long(number) => self.of_long(number),
            Raw::Double(number) => self.of_double(number),
            Raw::HugeNumber(_)
            | Raw::LongDecimal(_)
            | Raw::Bool(_)
            | Raw::List { .. }
            | Raw::Json(_) => None,
        };
        read.ok_or_else(|| RejectReason::BadTimestamp {
            column: self.spec.column.clone(),
            format: self.spec.format.name().to_owned(),
            text: excerpt(&describe(raw, body, buffer)),
        })
    }

    /// Whether a timestamp, which was read, has more than whole milliseconds.
    #[inline]
    pub(crate) fn is_cut(&self, raw: Raw, body: &str, buffer: &EventBuffer) -> bool {
        match raw.nearest_double(body, &buffer.arena) {
            Raw::Long(number) => self.is_long_cut(number),
            Raw::Double(number) => match self.spec.format {
                TimestampFormat::Auto => auto::is_double_cut(number),
                TimestampFormat::Ruby => false,
                _ => number.fract() != 0.0,
            },
            Raw::Text(span) => {
                let text = span.text(body, &buffer.arena);
                may_be_cut(text.as_bytes()) && self.is_text_cut(text)
            }
            _ => false,
        }
    }

    fn is_long_cut(&self, number: i64) -> bool {
        let unit = match self.spec.format {
            TimestampFormat::Auto => auto::units_of_a_ms(number),
            TimestampFormat::Micro => 1_000,
            TimestampFormat::Nano => 1_000_000,
            _ => 1,
        };
        number % unit != 0
    }

    #[cold]
    fn is_text_cut(&self, text: &str) -> bool {
        if is_whole_number(text) {
            return text.parse().is_ok_and(|number| self.is_long_cut(number));
        }
        // A time of day ends in seconds with a fraction; numbers have no colon.
        let Some(point) = text.bytes().position(|byte| matches!(byte, b'.' | b',')) else {
            return false;
        };
        let is_time = text.as_bytes()[..point].contains(&b':');
        let digits = text.bytes().skip(point + 1).take_while(u8::is_ascii_digit);
        is_time && digits.skip(3).any(|digit| digit != b'0')
    }

    fn missing(&self) -> Result<i64, RejectReason> {
        self.spec
            .missing_value_ms
            .ok_or_else(|| RejectReason::MissingTimestamp { column: self.spec.column.clone() })
    }

    fn of_long(&self, number: i64) -> Option<i64> {
        match self.spec.format {
            TimestampFormat::Auto => Some(auto_long_ms(number)),
            TimestampFormat::AutoV1 | TimestampFormat::Millis => Some(number),
            TimestampFormat::Posix | TimestampFormat::Ruby => number.checked_mul(1000),
            TimestampFormat::Micro => Some(number.div_euclid(1000)),
            TimestampFormat::Nano => Some(number.div_euclid(1_000_000)),
            TimestampFormat::Joda(_) => self.of_pattern(&number.to_string()),
            TimestampFormat::Iso => None,
        }
    }

    fn of_double(&self, number: f64) -> Option<i64> {
        match self.spec.format {
            TimestampFormat::Auto => auto::auto_double_ms(number),
            TimestampFormat::Ruby => henge_expr::number::double_to_long((number * 1000.0).round()),
            TimestampFormat::Iso | TimestampFormat::Joda(_) => None,
            _ => henge_expr::number::double_to_long(number).and_then(|whole| self.of_long(whole)),
        }
    }

    fn of_text(&self, text: &str) -> Option<i64> {
        match self.spec.format {
            TimestampFormat::Iso => parse_timestamp_ms(text).ok(),
            TimestampFormat::Joda(_) => self.of_pattern(text),
            TimestampFormat::Auto if !is_whole_number(text) => match parse_timestamp_ms(text) {
                Ok(ms) => Some(ms),
                Err(_) if is_number(text) => {
                    let number = henge_expr::number::parse_double(text);
                    number.and_then(auto::auto_double_ms)
                }
                Err(_) => None,
            },
            TimestampFormat::AutoV1 if !is_whole_number(text) => parse_timestamp_ms(text).ok(),
            TimestampFormat::Ruby => {
                henge_expr::number::parse_double(text).and_then(|number| self.of_double(number))
            }
            _ => text.parse().ok().and_then(|number| self.of_long(number)),
        }
    }

    fn of_pattern(&self, text: &str) -> Option<i64> {
        self.pattern.as_ref().and_then(|pattern| pattern.read(text, &TimeZone::UTC))
    }
}

/// False for texts that tell milliseconds at most: with less than sixteen characters, or with no more
/// than `2024-01-01T00:00:00.123Z` has and a zone at the end.
#[inline]
fn may_be_cut(text: &[u8]) -> bool {
    const DIGITS_OF_MICROS: usize = 16;
    const WITH_MILLIS_AND_ZONE: usize = 24;
    text.len() >= DIGITS_OF_MICROS
        && (text.len() > WITH_MILLIS_AND_ZONE || text.last().is_some_and(u8::is_ascii_digit))
}

/// Digits with a fraction or an exponent: no `NaN`, no `Infinity`, no blanks.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
}

fn is_whole_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
