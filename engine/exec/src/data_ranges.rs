//! Where a segment's rows begin and end within a query's intervals.

use henge_query::GroupedQuery;
use henge_segment::SegmentView;
use henge_types::Interval;

/// The view's time range clipped to each interval, where the answer depends on it.
/// An interval that was cut away (see [`henge_query::Query::clip_to`]) is empty and holds no data, wherever it lies.
pub(crate) fn data_ranges(
    query: &GroupedQuery<'_>,
    view: &dyn SegmentView,
) -> Vec<Option<(i64, i64)>> {
    let time_range = view.time_range().filter(|_| query.needs_data_range);
    let clip = |interval: &Interval| {
        let (min, max) = time_range?;
        (!interval.is_empty() && min < interval.end_ms && max >= interval.start_ms)
            .then(|| (min.max(interval.start_ms), max.min(interval.end_ms - 1)))
    };
    query.base.intervals.iter().map(clip).collect()
}
