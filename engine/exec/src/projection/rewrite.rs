//! Putting a query in the terms of a projection. Intervals and granularity stay: the time of a stored
//! row lies between the segment's first row and its own rows, and nothing of the query cuts there.

use henge_aggregate::function;
use henge_query::{Filter, Query};

use super::ProjectionPlan;
use super::choose::{Answered, Candidate};
use super::keys::Available;

/// The query over the projection's rows.
pub(super) fn plan(
    query: &Query,
    candidate: &Candidate<'_>,
    time_range: (i64, i64),
) -> ProjectionPlan {
    let mut query = query.clone();
    let mut zero_over_nothing = Vec::new();
    let aggregations = query.aggregations_mut().iter_mut();
    for (position, (spec, answered)) in aggregations.zip(&candidate.aggregators).enumerate() {
        let Answered::Stored { column, filtered } = answered else { continue };
        if function(&spec.kind).is_zero_over_nothing() {
            zero_over_nothing.push(position);
        }
        if !filtered {
            spec.filter = None;
        }
        spec.kind = function(&spec.kind).over_stored(column);
    }
    let definition = &candidate.projection.definition;
    let base = query.base_mut();
    base.filter = remaining_filter(base.filter.as_ref(), &candidate.implied);
    let available = Available { definition, virtual_columns: &base.virtual_columns, time_range };
    let stored: Vec<bool> =
        base.virtual_columns.iter().map(|column| available.stores(column)).collect();
    let mut stored = stored.into_iter();
    base.virtual_columns.retain(|_| !stored.next().unwrap_or(false));
    base.context.no_projections = true;
    base.context.use_projection = None;
    base.context.force_projections = false;
    let (position, name) = (candidate.position, definition.name.clone());
    ProjectionPlan { position, name, query, zero_over_nothing }
}

/// The filter without the conjuncts that all rows of the projection pass.
fn remaining_filter(filter: Option<&Filter>, implied: &[usize]) -> Option<Filter> {
    let conjuncts = filter?.conjuncts();
    let kept = conjuncts.into_iter().enumerate().filter(|(at, _)| !implied.contains(at));
    let mut kept: Vec<Filter> = kept.map(|(_, filter)| filter.clone()).collect();
    match kept.len() {
        0 => None,
        1 => kept.pop(),
        _ => Some(Filter::And(kept)),
    }
}
