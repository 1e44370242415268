//! `dataSourceMetadata`: the newest event.

use henge_segment::SegmentView;

use crate::partial::Partial;

/// The newest event of one segment.
pub(crate) fn run(view: &dyn SegmentView) -> Partial {
    let max_ingested_event_time_ms = view.time_range().map(|(_, max_ms)| max_ms);
    Partial::DataSourceMetadata { max_ingested_event_time_ms }
}

/// The newest of all.
pub(crate) fn merge(newest: impl IntoIterator<Item = Option<i64>>) -> Partial {
    let max_ingested_event_time_ms = newest.into_iter().flatten().max();
    Partial::DataSourceMetadata { max_ingested_event_time_ms }
}
