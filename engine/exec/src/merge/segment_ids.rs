//! Groups of a single segment: their string keys are ids of its dictionaries until all are merged.
//! Then few may be left, and only these become text.

use henge_query::Query;
use henge_scan::{CancelFlag, Columns, ExecError, Result, dictionary_of, text_keys};
use henge_segment::SegmentView;
use henge_vector::Column;

use crate::partial::Partial;

/// Makes text of string keys that are ids of a segment's dictionaries.
pub(crate) fn text_of_ids(
    query: &Query,
    segment: &dyn SegmentView,
    partial: Partial,
) -> Result<Partial> {
    let Partial::Grouped(mut groups) = partial else { return Ok(partial) };
    let Some(query) = query.grouped() else { return Ok(Partial::Grouped(groups)) };
    let columns = Columns::new(segment, &query.base.virtual_columns, &CancelFlag::default());
    for (dimension, keys) in query.dimensions.iter().zip(&mut groups.keys) {
        let Column::SegmentIds(ids) = keys else { continue };
        let dictionary = dictionary_of(dimension, &columns)?.ok_or_else(|| {
            ExecError::Internal("ids of a column that has no dictionary".to_owned())
        })?;
        *keys = Column::Text(text_keys(dictionary, ids.ids().to_vec())?);
    }
    Ok(Partial::Grouped(groups))
}
