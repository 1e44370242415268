//! Whether the rows of a group can be found by a filter on its keys.

use henge_query::{DimensionSpec, Query};
use henge_segment::{ColumnView, SegmentView};
use henge_types::{TIME_COLUMN, ValueType};

/// True when a filter `in` over the texts of a group's keys finds all rows of the group in all of these
/// segments: keys are stored strings, or stored longs as they are or as their texts. (Rows of other groups
/// may be found as well, where rows have several values.)
#[must_use]
pub fn are_keys_findable<'v>(
    query: &Query,
    views: impl IntoIterator<Item = &'v dyn SegmentView>,
) -> bool {
    let Some(grouped) = query.grouped() else { return false };
    let is_stored = |spec: &DimensionSpec| {
        let columns = &grouped.base.virtual_columns;
        spec.dimension != TIME_COLUMN && !columns.iter().any(|c| c.name == spec.dimension)
    };
    grouped.dimensions.iter().all(is_stored)
        && views
            .into_iter()
            .all(|view| grouped.dimensions.iter().all(|spec| is_findable(spec, view)))
}

fn is_findable(spec: &DimensionSpec, view: &dyn SegmentView) -> bool {
    match (view.column(&spec.dimension), spec.output_type) {
        (Ok(None | Some(ColumnView::Long(_))), ValueType::String | ValueType::Long)
        | (Ok(Some(ColumnView::String(_))), ValueType::String) => true,
        // What cannot be read fails where it is read.
        (Ok(_) | Err(_), _) => false,
    }
}
