//! Running a query over one segment.

mod buckets;
mod grouped;
pub(crate) mod rows;
mod shared;
mod time_boundary;
mod top;

pub(crate) use grouped::data_ranges;

use std::ops::Range;

pub use shared::{SharedItem, SharedRun, TellWhole, Worker};
pub(crate) use top::TopCut;

use henge_query::Query;
use henge_segment::SegmentView;

use crate::context::ExecContext;
use crate::error::Result;
use crate::partial::Partial;
use crate::projection;
use grouped::GroupedQuery;

/// What one segment contributes to the query's answer, from one of its projections where that is
/// possible.
///
/// # Errors
/// Limits, cancellation, corrupt segments, and what the query asks of the wrong types.
pub fn run(query: &Query, view: &dyn SegmentView, ctx: &ExecContext) -> Result<Partial> {
    run_blocks(query, view, 0..view.block_count(), ctx)
}

/// As [`run`], when no other segment holds rows of the query: a topN, or a groupBy with a limit, then
/// leaves out the groups that cannot be in the answer, so the result must not be merged with others.
///
/// # Errors
/// As [`run`].
pub fn run_only_segment(
    query: &Query,
    view: &dyn SegmentView,
    ctx: &ExecContext,
) -> Result<Partial> {
    let cut = top::TopCut::of(query);
    run_with_cut(query, view, 0..view.block_count(), cut.as_ref(), ctx)
}

/// As [`run`], over some of the segment's blocks only: the parts' contributions, merged, are the
/// segment's. When a projection answers, they are blocks of the projection, which has no more.
/// Metadata queries and scans always look at the whole segment, when `blocks` starts at 0, and at
/// nothing otherwise.
///
/// # Errors
/// As [`run`].
pub fn run_blocks(
    query: &Query,
    view: &dyn SegmentView,
    blocks: Range<usize>,
    ctx: &ExecContext,
) -> Result<Partial> {
    run_with_cut(query, view, blocks, None, ctx)
}

/// Gives the next blocks to run over, until there are none.
type Blocks<'b> = dyn FnMut() -> Option<Range<usize>> + 'b;

fn run_with_cut(
    query: &Query,
    view: &dyn SegmentView,
    blocks: Range<usize>,
    cut: Option<&top::TopCut>,
    ctx: &ExecContext,
) -> Result<Partial> {
    ctx.cancel.check()?;
    if let Some(plan) = projection::plan(query, view)? {
        let partial = run_with_cut(plan.query(), plan.view(view), blocks, cut, ctx)?;
        return Ok(plan.finish(query, view, partial));
    }
    let blocks = blocks.start..blocks.end.min(view.block_count());
    if let Some(grouped) = GroupedQuery::of(query, cut) {
        let mut blocks = Some(blocks);
        return grouped::run(&grouped, view, &mut || blocks.take(), ctx);
    }
    match query {
        Query::TimeBoundary(query) => time_boundary::run(query, view, blocks, ctx),
        // These look at the whole segment, once.
        _ if blocks.start > 0 => crate::merge::merge(query, Vec::new(), ctx),
        _ => crate::rows::run(query, view, ctx),
    }
}
