//! Running a query over one segment.

mod buckets;
mod each_row;
mod grouped;
mod shared;
mod sums;
mod time_boundary;

use std::ops::Range;

pub use shared::{SharedItem, SharedRun, TellWhole, Worker};

use henge_query::Query;
use henge_scan::Result;
use henge_segment::SegmentView;

use crate::context::ExecContext;
use crate::extent::Extent;
use crate::partial::{Distinctness, Partial};
use crate::projection;
use crate::top_cut::TopCut;
use grouped::{KeyForm, Output};

/// What one segment contributes to the query's answer, from one of its projections where that is
/// possible.
///
/// # Errors
/// Limits, cancellation, corrupt segments, and what the query asks of the wrong types.
pub fn run(query: &Query, view: &dyn SegmentView, ctx: &ExecContext) -> Result<Partial> {
    run_blocks(query, view, 0..view.block_count(), Extent::Part, ctx)
}

/// As [`run`], over some of the segment's blocks only: the parts' contributions, merged, are the
/// segment's. When a projection answers, they are blocks of the projection, which has no more.
/// Metadata queries and scans always look at the whole segment, when `blocks` starts at 0, and at
/// nothing otherwise. `Extent::Whole` says that no other blocks or segments hold rows of the query.
///
/// # Errors
/// As [`run`].
pub fn run_blocks(
    query: &Query,
    view: &dyn SegmentView,
    blocks: Range<usize>,
    extent: Extent,
    ctx: &ExecContext,
) -> Result<Partial> {
    ctx.cancel.check()?;
    if let Some(plan) = projection::plan(query, view)? {
        let partial = run_blocks(plan.query(), plan.view(view), blocks, extent, ctx)?;
        return Ok(plan.finish(query, view, partial));
    }
    let blocks = blocks.start..blocks.end.min(view.block_count());
    if let Some(grouped) = query.grouped() {
        let cut = TopCut::of(query).filter(|_| extent.is_whole());
        let output =
            Output { cut: cut.as_ref(), keys: KeyForm::OfNode, handed_on: Distinctness::Distinct };
        let mut blocks = Some(blocks);
        return sums::run(&grouped, output, view, &mut || blocks.take(), None, ctx);
    }
    match query {
        Query::TimeBoundary(query) => time_boundary::run(query, view, blocks, ctx),
        // These look at the whole segment, once.
        _ if blocks.start > 0 => crate::merge::merge(query, Vec::new(), ctx),
        _ => crate::rows::run(query, view, None, ctx),
    }
}

/// Gives the next blocks to run over, until there are none.
type Blocks<'b> = dyn FnMut() -> Option<Range<usize>> + 'b;
