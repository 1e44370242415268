//! Merging partials, in any order and any grouping: on data nodes and on the broker.

mod accumulated;
mod dense;
mod dictionary;
mod grouped;
mod merger;
mod packed;
mod parted;
mod segment_ids;
mod unmerged;

pub(crate) use grouped::numbers_of;
pub use merger::Merger;
pub(crate) use segment_ids::text_of_ids;
pub(crate) use unmerged::Unmerged;

use henge_query::{AggregatorSpec, GroupedQuery, Query};
use henge_scan::{ExecError, Result};

use crate::bucket_starts::BucketStarts;
use crate::context::ExecContext;
use crate::partial::{GroupedPartial, Partial};

/// Merges the contributions of several segments or nodes. No contributions give the contribution of
/// no rows.
///
/// # Errors
/// Limits, cancellation, sums beyond 64 bits, and partials of another query.
pub fn merge(query: &Query, partials: Vec<Partial>, ctx: &ExecContext) -> Result<Partial> {
    ctx.cancel.check()?;
    if let Some(query) = query.grouped() {
        return groups(&query, partials, ctx);
    }
    match query {
        Query::TimeBoundary(_) => {
            let ends = each(partials, |partial| match partial {
                Partial::TimeBoundary { min_ms, max_ms } => Some((min_ms, max_ms)),
                _ => None,
            })?;
            Ok(Partial::TimeBoundary {
                min_ms: ends.iter().filter_map(|(min, _)| *min).min(),
                max_ms: ends.iter().filter_map(|(_, max)| *max).max(),
            })
        }
        _ => crate::rows::merge(query, partials, ctx),
    }
}

/// Combines groups of one partial whose time buckets and keys are equal.
///
/// # Errors
/// Limits, cancellation, and sums beyond 64 bits.
pub fn regroup(
    aggregations: &[AggregatorSpec],
    partial: GroupedPartial,
    ctx: &ExecContext,
) -> Result<GroupedPartial> {
    grouped::combine(aggregations, vec![partial], ctx)
}

fn each<T>(partials: Vec<Partial>, of: impl Fn(Partial) -> Option<T>) -> Result<Vec<T>> {
    partials.into_iter().map(|partial| of(partial).ok_or_else(another_query)).collect()
}

fn another_query() -> ExecError {
    ExecError::Internal("a partial is another query's".to_owned())
}

fn groups(query: &GroupedQuery<'_>, partials: Vec<Partial>, ctx: &ExecContext) -> Result<Partial> {
    let mut parts = each(partials, |partial| match partial {
        Partial::Grouped(groups) => Some(groups),
        _ => None,
    })?;
    let fits = |part: &GroupedPartial| {
        part.keys.len() == query.dimensions.len()
            && part.states.len() == query.aggregations.len()
            && matches!(part.bucket_starts, BucketStarts::All(_)) == query.has_one_bucket()
    };
    if !parts.iter().all(fits) {
        return Err(another_query());
    }
    let merged = match parts.len() {
        0 => grouped::empty(query),
        1 => parts.swap_remove(0),
        _ => {
            let data_range_ms = grouped::data_range(&parts, query.base.intervals.len());
            parts.retain(|part| part.group_count() > 0);
            let mut merged = match parts.len() {
                0 => grouped::empty(query),
                1 => parts.swap_remove(0),
                _ => grouped::combine(query.aggregations, parts, ctx)?,
            };
            merged.data_range_ms = data_range_ms;
            merged
        }
    };
    Ok(Partial::Grouped(merged))
}
