//! Projections: rolled-up copies of a segment's rows. [`plan`] finds the smallest one that gives the
//! same answer to a query and puts the query in its terms; `build` makes one from the rows.
//!
//! The law that the tests hold: with projections and without them, answers are the same (sums of
//! doubles but for the order of addition, quantiles but for their error).

mod choose;
mod keys;
mod rewrite;

use henge_query::{Query, QueryBase};
use henge_scan::{ExecError, Result};
use henge_segment::{ColumnView, Projection, SegmentView};
use henge_types::TIME_COLUMN;

use choose::Candidate;

use crate::data_ranges::data_ranges;
use crate::partial::Partial;

/// A query over a segment, in terms of one of the segment's projections.
#[derive(Debug)]
pub struct ProjectionPlan {
    /// The projection's position in the segment.
    position: usize,
    name: String,
    query: Query,
    /// Positions of aggregators that count rows.
    zero_over_nothing: Vec<usize>,
}

/// Chooses the projection of a segment that answers a query with the fewest rows, if there is one.
///
/// # Errors
/// When the context asks for a projection (`useProjection`, `forceProjections`) and none can answer.
pub fn plan(query: &Query, view: &dyn SegmentView) -> Result<Option<ProjectionPlan>> {
    let context = &query.base().context;
    let must = context.force_projections || context.use_projection.is_some();
    if context.no_projections || (view.projections().is_empty() && !must) {
        return Ok(None);
    }
    let (Some(grouped), Some(time_range)) = (query.grouped(), view.time_range()) else {
        return Ok(None);
    };
    let keys = choose::QueryKeys::new(&grouped);
    let mut best: Option<Candidate<'_>> = None;
    let mut reason = None;
    for (position, projection) in view.projections().iter().enumerate() {
        let name = &projection.definition.name;
        if context.use_projection.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        let rows = projection.view().row_count();
        if best.as_ref().is_some_and(|best| best.projection.view().row_count() <= rows) {
            continue;
        }
        match Candidate::new(&grouped, &keys, (position, projection), time_range) {
            Ok(candidate) => best = Some(candidate),
            Err(misfit) => reason = reason.or(Some(misfit.to_string())),
        }
    }
    match best {
        Some(candidate) => Ok(Some(rewrite::plan(query, &candidate, time_range))),
        // A segment without rows to answer for need not have the projection.
        None if must && has_rows(query.base(), view)? => Err(refusal(query.base(), view, reason)),
        None => Ok(None),
    }
}

/// True when a row lies in the query's intervals.
fn has_rows(base: &QueryBase, view: &dyn SegmentView) -> Result<bool> {
    let Some(ColumnView::Long(time)) = view.column(TIME_COLUMN)? else { return Ok(true) };
    let mut scratch = Vec::new();
    for block in 0..view.block_count() {
        let times = time.block(block, &mut scratch)?.values;
        let inside = |row| base.intervals.iter().any(|interval| interval.contains(times.get(row)));
        if (0..view.block_rows(block)).any(inside) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn refusal(base: &QueryBase, view: &dyn SegmentView, reason: Option<String>) -> ExecError {
    let reason = reason.unwrap_or_else(|| "the segment does not have it".to_owned());
    let segment = view.id();
    ExecError::Invalid(match &base.context.use_projection {
        Some(name) => {
            format!("useProjection: projection '{name}' cannot answer over {segment}: {reason}")
        }
        None => format!("forceProjections: no projection can answer over {segment}: {reason}"),
    })
}

impl ProjectionPlan {
    /// The projection's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rows that are read instead of the segment's.
    #[must_use]
    pub fn view<'v>(&self, segment: &'v dyn SegmentView) -> &'v dyn SegmentView {
        segment.projections().get(self.position).map_or(segment, Projection::view)
    }

    /// The query over those rows.
    pub(crate) fn query(&self) -> &Query {
        &self.query
    }

    /// Makes what the projection gave for its query what the segment would have given for `query`.
    pub(crate) fn finish(
        &self,
        query: &Query,
        view: &dyn SegmentView,
        partial: Partial,
    ) -> Partial {
        let Partial::Grouped(mut grouped) = partial else { return partial };
        for &position in &self.zero_over_nothing {
            if let Some(states) = grouped.states.get_mut(position) {
                // A sum over no rows is null, their number is not.
                states.fill_nulls_with_zero();
            }
        }
        if let Some(query) = query.grouped() {
            grouped.data_range_ms = data_ranges(&query, view);
        }
        Partial::Grouped(grouped)
    }
}
