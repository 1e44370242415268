//! `timeBoundary` and `dataSourceMetadata`: answers that are a time or two.

use henge_query::Bound;
use henge_vector::Column;

use crate::finalise::answer::{Field, Table};

/// The ends that were asked for; no row when there is no data.
pub(crate) fn boundary(bound: Option<Bound>, min_ms: Option<i64>, max_ms: Option<i64>) -> Table {
    let ends = [("minTime", min_ms, Bound::MinTime), ("maxTime", max_ms, Bound::MaxTime)];
    let asked_for = ends.into_iter().filter(|(_, _, end)| bound.is_none_or(|bound| bound == *end));
    of_times(asked_for.map(|(name, ms, _)| (name, ms)).collect())
}

/// The newest event; no row when nothing was ingested.
pub(crate) fn newest(max_ms: Option<i64>) -> Table {
    of_times(vec![("maxIngestedEventTime", max_ms)])
}

fn of_times(times: Vec<(&str, Option<i64>)>) -> Table {
    let row_count = usize::from(times.iter().any(|(_, ms)| ms.is_some()));
    let column = |ms| Column::Long(std::iter::repeat_n(ms, row_count).collect());
    let fields = times.into_iter().map(|(name, ms)| Field::time(name, column(ms)));
    Table::new(fields.collect(), row_count)
}
