//! Times of an answer: bucket starts in the granularity's time zone, and times of no bucket.

use henge_query::QueryBase;
use henge_types::Granularity;
use henge_types::json::{write_long, write_timestamp};

/// How the times of an answer are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeForm {
    /// ISO text.
    Text,
    /// Milliseconds, as the context's `serializeDateTimeAsLong` asks for.
    Number,
}

impl TimeForm {
    /// As a query's context wants it.
    pub(super) fn of(base: &QueryBase) -> Self {
        if base.context.times_as_numbers { Self::Number } else { Self::Text }
    }

    /// A time that belongs to no bucket.
    pub(super) fn write(self, out: &mut Vec<u8>, ms: i64) {
        match self {
            Self::Text => write_timestamp(out, ms),
            Self::Number => write_long(out, ms),
        }
    }
}

/// Writes bucket starts, remembering the last one: rows come in runs of the same bucket.
#[derive(Debug)]
pub(super) struct StampWriter<'a> {
    granularity: &'a Granularity,
    form: TimeForm,
    last_ms: Option<i64>,
    last: Vec<u8>,
}

impl<'a> StampWriter<'a> {
    /// A writer in the granularity's time zone.
    pub(super) fn new(granularity: &'a Granularity, form: TimeForm) -> Self {
        Self { granularity, form, last_ms: None, last: Vec::new() }
    }

    /// The start of a bucket: quoted text, or a number.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, ms: i64) {
        if self.form == TimeForm::Number {
            return write_long(out, ms);
        }
        if self.last_ms != Some(ms) {
            self.last.clear();
            self.last.push(b'"');
            self.last.extend_from_slice(self.granularity.format_bucket(ms).as_bytes());
            self.last.push(b'"');
            self.last_ms = Some(ms);
        }
        out.extend_from_slice(&self.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_the_form_that_was_asked_for() {
        let hour = Granularity::parse_name("hour").unwrap();
        for (form, expected) in [
            (TimeForm::Text, r#""1970-01-01T01:00:00.000Z" "1970-01-01T00:00:00.005Z""#),
            (TimeForm::Number, "3600000 5"),
        ] {
            let mut out = Vec::new();
            StampWriter::new(&hour, form).write(&mut out, 3_600_000);
            out.push(b' ');
            form.write(&mut out, 5);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
