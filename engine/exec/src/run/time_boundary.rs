//! `timeBoundary`: first and last timestamp.

use std::ops::Range;

use henge_query::TimeBoundaryQuery;
use henge_scan::{Result, SelectedRows, time_column};
use henge_segment::SegmentView;

use crate::context::ExecContext;
use crate::partial::Partial;

/// Answered from the segment's time range where no filter or interval cuts into it.
pub(super) fn run(
    query: &TimeBoundaryQuery,
    view: &dyn SegmentView,
    blocks: Range<usize>,
    ctx: &ExecContext,
) -> Result<Partial> {
    let mut selector =
        SelectedRows::new(&query.base, view, &ctx.cancel, ctx.dictionaries.as_ref())?;
    let mut ends: Option<(i64, i64)> = None;
    let mut widen = |low: i64, high: i64| {
        let (min, max) = ends.unwrap_or((low, high));
        ends = Some((min.min(low), max.max(high)));
    };
    if query.base.filter.is_none() {
        for (low, high) in selector.data_range_ms(&blocks)?.into_iter().flatten() {
            widen(low, high);
        }
    } else if let Some(time) = time_column(view)?
        && !selector.is_nothing()
    {
        let mut scratch = Vec::new();
        for block in blocks {
            ctx.cancel.check()?;
            let selection = selector.block(block)?;
            if selection.is_empty() {
                continue;
            }
            let values = time.block(block, &mut scratch)?.values;
            selection.for_each(|row| {
                let ms = values.get(row);
                widen(ms, ms);
            });
        }
    }
    Ok(Partial::TimeBoundary { min_ms: ends.map(|(min, _)| min), max_ms: ends.map(|(_, max)| max) })
}
