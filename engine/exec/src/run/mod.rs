//! Running a query over one segment.

mod buckets;
mod grouped;
pub(crate) mod rows;
mod time_boundary;

use std::ops::Range;

use henge_query::Query;
use henge_segment::SegmentView;

use crate::context::ExecContext;
use crate::error::Result;
use crate::partial::Partial;


/// What one segment contributes to the query's answer.
///
/// # Errors
/// Limits, cancellation, corrupt segments, and what the query asks of the wrong types.
pub fn run(query: &Query, view: &dyn SegmentView, ctx: &ExecContext) -> Result<Partial> {
    run_blocks(query, view, 0..view.block_count(), ctx)
}

/// As [`run`], over some of the segment's blocks only: the parts' contributions, merged, are the
/// segment's. Metadata queries and scans always look at the whole segment, when `blocks` starts
/// at 0, and at nothing otherwise.
///
/// # Errors
/// As [`run`].
pub fn run_blocks(
    query: &Query,
    view: &dyn SegmentView,
    blocks: Range<usize>,
    ctx: &ExecContext,
) -> Result<Partial> {
    ctx.cancel.check()?;
    let blocks = blocks.start..blocks.end.min(view.block_count());
    match query {
        Query::Timeseries(query) => grouped::run(
            &grouped::GroupedQuery {
                base: &query.base,
                granularity: &query.granularity,
                dimensions: &[],
                aggregations: &query.aggregations,
                needs_data_range: true,
            },
            view,
            blocks,
            ctx,
        ),
        Query::TopN(query) => grouped::run(
            &grouped::GroupedQuery {
                base: &query.base,
                granularity: &query.granularity,
                dimensions: std::slice::from_ref(&query.dimension),
                aggregations: &query.aggregations,
                needs_data_range: true,
            },
            view,
            blocks,
            ctx,
        ),
        Query::GroupBy(query) => grouped::run(
            &grouped::GroupedQuery {
                base: &query.base,
                granularity: &query.granularity,
                dimensions: &query.dimensions,
                aggregations: &query.aggregations,
                needs_data_range: false,
            },
            view,
            blocks,
            ctx,
        ),
        Query::TimeBoundary(query) => time_boundary::run(query, view, blocks, ctx),
        // These look at the whole segment, once.
        _ if blocks.start > 0 => crate::merge::merge(query, Vec::new(), ctx),
        _ => crate::rows::run(query, view, ctx),
    }
}
