//! Time buckets of results: which ones are shown though empty, and how their starts are written.

use henge_query::QueryBase;
use henge_scan::Result;
use henge_types::Granularity;

use crate::context::ExecContext;
use crate::finalise::json;
use crate::partial::GroupedPartial;

/// The starts of all buckets between the first and the last row of each of the query's intervals,
/// ascending. Granularity `none` fills nothing, as nobody wants a row for every millisecond.
pub(crate) fn filled_starts(
    granularity: &Granularity,
    partial: &GroupedPartial,
    context: &ExecContext,
) -> Result<Vec<i64>> {
    let mut starts: Vec<i64> = Vec::new();
    if matches!(granularity, Granularity::None | Granularity::All) {
        return Ok(starts);
    }
    for (min_ms, max_ms) in partial.data_range_ms.iter().flatten() {
        let mut start = granularity.bucket_start(*min_ms);
        while start <= *max_ms {
            // Neighbouring intervals may end and start in the same bucket.
            if starts.last().is_none_or(|&last| last < start) {
                starts.push(start);
            }
            context.check_buckets(starts.len())?;
            let next = granularity.next_bucket(start);
            if next <= start {
                break;
            }
            start = next;
        }
        context.cancel.check()?;
    }
    Ok(starts)
}

/// The timestamp that granularity `all` shows: the data's start within the intervals, else the
/// start of the first interval.
pub(crate) fn start_of_all(base: &QueryBase, partial: &GroupedPartial) -> i64 {
    let data_start = partial.data_range_ms.iter().flatten().map(|(min_ms, _)| *min_ms).min();
    data_start.unwrap_or_else(|| first_interval_start(base))
}

/// The start of the query's first interval.
pub(crate) fn first_interval_start(base: &QueryBase) -> i64 {
    base.intervals.first().map_or(0, |interval| interval.start_ms)
}

/// How the times of an answer are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeForm {
    /// ISO text.
    Text,
    /// Milliseconds, as the context's `serializeDateTimeAsLong` asks for.
    Number,
}

impl TimeForm {
    /// As a query's context wants it.
    pub(crate) fn of(base: &QueryBase) -> Self {
        if base.context.times_as_numbers { Self::Number } else { Self::Text }
    }

    /// A time that belongs to no bucket.
    pub(crate) fn write(self, out: &mut Vec<u8>, ms: i64) {
        match self {
            Self::Text => json::write_timestamp(out, ms),
            Self::Number => json::write_long(out, ms),
        }
    }
}

/// Writes bucket starts, remembering the last one: rows come in runs of the same bucket.
#[derive(Debug)]
pub(crate) struct StampWriter<'a> {
    granularity: &'a Granularity,
    form: TimeForm,
    last_ms: Option<i64>,
    last: Vec<u8>,
}

impl<'a> StampWriter<'a> {
    /// A writer in the granularity's time zone.
    pub(crate) fn new(granularity: &'a Granularity, form: TimeForm) -> Self {
        Self { granularity, form, last_ms: None, last: Vec::new() }
    }

    /// The start of a bucket: quoted text, or a number.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, ms: i64) {
        if self.form == TimeForm::Number {
            return json::write_long(out, ms);
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
