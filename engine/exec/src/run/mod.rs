//! Running a query over one segment.

mod buckets;
mod grouped;
pub(crate) mod rows;
mod time_boundary;
mod top;

pub(crate) use top::pick;

use std::ops::Range;

use henge_query::Query;
use henge_segment::SegmentView;

use crate::context::{ExecContext, Tuning};
use crate::error::Result;
use crate::partial::Partial;

/// What one segment contributes to the query's answer.
///
/// # Errors
/// Limits, cancellation, corrupt segments, and what the query asks of the wrong types.
pub fn run(query: &Query, view: &dyn SegmentView, ctx: &ExecContext) -> Result<Partial> {
    run_blocks(query, view, 0..view.block_count(), ctx)
}

/// As [`run`], when no other segment holds rows of the query: a topN then leaves out the groups that
/// cannot be in the answer, so the result must not be merged with others.
///
/// # Errors
/// As [`run`].
pub fn run_only_segment(
    query: &Query,
    view: &dyn SegmentView,
    ctx: &ExecContext,
) -> Result<Partial> {
    let cut = match query {
        Query::TopN(query) => top::TopCut::of(query),
        _ => None,
    };
    run_with_cut(query, view, 0..view.block_count(), cut.as_ref(), ctx, &Tuning::default())
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
    run_with_cut(query, view, blocks, None, ctx, &Tuning::default())
}

/// As [`run_blocks`], in the way that `tuning` asks for: the answer is the same.
///
/// # Errors
/// As [`run`].
pub fn run_tuned(
    query: &Query,
    view: &dyn SegmentView,
    blocks: Range<usize>,
    ctx: &ExecContext,
    tuning: &Tuning,
) -> Result<Partial> {
    run_with_cut(query, view, blocks, None, ctx, tuning)
}

fn run_with_cut(
    query: &Query,
    view: &dyn SegmentView,
    blocks: Range<usize>,
    cut: Option<&top::TopCut>,
    ctx: &ExecContext,
    tuning: &Tuning,
) -> Result<Partial> {
    ctx.cancel.check()?;
    let blocks = blocks.start..blocks.end.min(view.block_count());
    match query {
        Query::Timeseries(query) => {
            let grouped = grouped::GroupedQuery {
                base: &query.base,
                granularity: &query.granularity,
                dimensions: &[],
                aggregations: &query.aggregations,
                needs_data_range: true,
                cut: None,
            };
            grouped::run(&grouped, view, blocks, ctx, tuning)
        }
        Query::TopN(query) => {
            let grouped = grouped::GroupedQuery {
                base: &query.base,
                granularity: &query.granularity,
                dimensions: std::slice::from_ref(&query.dimension),
                aggregations: &query.aggregations,
                needs_data_range: true,
                cut,
            };
            grouped::run(&grouped, view, blocks, ctx, tuning)
        }
        Query::GroupBy(query) => {
            let grouped = grouped::GroupedQuery {
                base: &query.base,
                granularity: &query.granularity,
                dimensions: &query.dimensions,
                aggregations: &query.aggregations,
                needs_data_range: false,
                cut: None,
            };
            grouped::run(&grouped, view, blocks, ctx, tuning)
        }
        Query::TimeBoundary(query) => time_boundary::run(query, view, blocks, ctx),
        // These look at the whole segment, once.
        _ if blocks.start > 0 => crate::merge::merge(query, Vec::new(), ctx),
        _ => crate::rows::run(query, view, ctx),
    }
}
