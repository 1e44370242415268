//! Groups of a single segment: their string keys are ids of its dictionaries, as LONG keys, until
//! all are merged. Then few may be left, and only these become text.

use henge_query::Query;
use henge_segment::{NULL_ID, SegmentView};

use crate::column::Columns;
use crate::context::CancelFlag;
use crate::error::Result;
use crate::group::{dictionary_of, text_keys};
use crate::partial::{KeyColumn, Partial};

/// Makes text of string keys that are ids of a segment's dictionaries, as LONG keys.
pub(crate) fn text_of_ids(
    query: &Query,
    segment: &dyn SegmentView,
    partial: Partial,
) -> Result<Partial> {
    let Partial::Grouped(mut groups) = partial else { return Ok(partial) };
    let Some(query) = query.grouped() else { return Ok(Partial::Grouped(groups)) };
    let columns = Columns::new(segment, &query.base.virtual_columns, &CancelFlag::default());
    for (dimension, keys) in query.dimensions.iter().zip(&mut groups.keys) {
        if let (Some(dictionary), KeyColumn::Long(ids)) =
            (dictionary_of(dimension, &columns)?, &keys)
        {
            let ids = ids.iter().map(|id| id.map_or(NULL_ID, |id| id as u32)).collect();
            *keys = KeyColumn::String(text_keys(dictionary, ids)?);
        }
    }
    Ok(Partial::Grouped(groups))
}
