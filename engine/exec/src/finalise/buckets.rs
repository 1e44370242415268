//! Time buckets of results: which ones are shown though empty, and how their starts are written.

use henge_query::QueryBase;
use henge_types::Granularity;

use crate::context::ExecContext;
use crate::error::{ExecError, Result};
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
            if starts.len() > context.max_buckets {
                return Err(ExecError::ResourceLimit(format!(
                    "the granularity makes more than {} time buckets: use a coarser granularity or \
                     a shorter interval",
                    context.max_buckets
                )));
            }
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

/// Writes bucket starts, remembering the last one: rows come in runs of the same bucket.
#[derive(Debug)]
pub(crate) struct StampWriter<'a> {
    granularity: &'a Granularity,
    last_ms: Option<i64>,
    last: Vec<u8>,
}

impl<'a> StampWriter<'a> {
    /// A writer in the granularity's time zone.
    pub(crate) fn new(granularity: &'a Granularity) -> Self {
        Self { granularity, last_ms: None, last: Vec::new() }
    }

    /// The start of a bucket, quoted.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, ms: i64) {
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
