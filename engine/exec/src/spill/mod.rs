//! Groups beyond memory: cut into partitions by the hash of their keys, put aside, read back and
//! merged one partition after the other. Where the bytes go is the caller's business.

mod partition;

pub use partition::partition_groups;

use henge_query::Query;
use henge_scan::Result;

use crate::context::ExecContext;
use crate::finalise::cut_groups;
use crate::merge::merge;
use crate::partial::{GroupedPartial, Partial};

/// Merges what belongs to one partition and leaves out the groups that cannot be in the answer.
///
/// # Errors
/// As [`merge`].
pub fn merge_partition(
    query: &Query,
    parts: Vec<GroupedPartial>,
    ctx: &ExecContext,
) -> Result<Partial> {
    let parts = parts.into_iter().map(Partial::Grouped).collect();
    match (query, merge(query, parts, ctx)?) {
        (Query::GroupBy(grouped), Partial::Grouped(groups)) if may_cut(query) => {
            cut_groups(grouped, &groups, ctx).map(Partial::Grouped)
        }
        (_, merged) => Ok(merged),
    }
}

/// True when a part of the groups can do without those that cannot be in the answer. Grouping sets
/// add groups of several partitions up: all of them are needed until then.
#[must_use]
pub fn may_cut(query: &Query) -> bool {
    let Query::GroupBy(query) = query else { return false };
    let has_limit = query.limit_spec.as_ref().is_some_and(|limit| limit.limit.is_some());
    query.subtotals.is_none() && (query.having.is_some() || has_limit)
}
