//! Time buckets of results: which ones are shown though empty, and where they start.

use henge_query::QueryBase;
use henge_scan::Result;
use henge_types::Granularity;

use crate::context::ExecContext;
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
    data_start.unwrap_or_else(|| base.start_ms())
}
