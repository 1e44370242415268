//! Grouping sets: the groups again, once a set, with the dimensions outside the set made null.

use henge_query::{AggregatorKind, GroupByQuery};
use henge_scan::{ExecError, Result};
use henge_types::narrow::narrow;
use henge_vector::Column;

use crate::context::ExecContext;
use crate::merge::regroup;
use crate::partial::GroupedPartial;
use crate::partial::copies;

/// The groups of all sets.
#[derive(Debug)]
pub(crate) struct Expanded {
    /// Groups.
    pub(crate) partial: GroupedPartial,
    /// The position of each group's set.
    pub(crate) set_of_group: Vec<u64>,
}

/// Groups again by each set.
pub(crate) fn expand(
    query: &GroupByQuery,
    sets: &[Vec<usize>],
    partial: &GroupedPartial,
    context: &ExecContext,
) -> Result<Expanded> {
    check_memory(sets.len(), partial, context)?;
    let rows: Vec<u32> = (0..narrow(partial.group_count())).collect();
    let mut keys = Vec::with_capacity(partial.keys.len() + 1);
    for (dimension, column) in partial.keys.iter().enumerate() {
        keys.push(repeat(column, sets.iter().map(|set| set.contains(&dimension)))?);
    }
    // The set itself is one more key, so that equal keys of different sets stay apart.
    let set_keys = (0..).take(sets.len()).flat_map(|set| std::iter::repeat_n(set, rows.len()));
    keys.push(Column::longs(set_keys.collect(), None));
    let expanded = GroupedPartial {
        bucket_starts: partial.bucket_starts.repeat(sets.len()),
        keys,
        states: copies(&partial.states, &rows, sets.len()),
        data_range_ms: partial.data_range_ms.clone(),
    };
    let mut partial = regroup(&query.aggregations, expanded, context)?;
    let Some(Column::Long(kept)) = partial.keys.pop() else {
        return Err(ExecError::Internal("groups of grouping sets lost their set".to_owned()));
    };
    let set_of_group: Vec<u64> = kept.values().iter().map(|set| set.unsigned_abs()).collect();
    tell_groupings(query, sets, &mut partial, &set_of_group);
    Ok(Expanded { partial, set_of_group })
}

/// Gives aggregators of the grouping set their values.
fn tell_groupings(
    query: &GroupByQuery,
    sets: &[Vec<usize>],
    partial: &mut GroupedPartial,
    set_of_group: &[u64],
) {
    for (states, spec) in partial.states.iter_mut().zip(&query.aggregations) {
        let AggregatorKind::Grouping(grouping) = &spec.kind else { continue };
        let of_set = sets.iter().map(|set| grouping.of_set(&query.dimensions, set));
        let of_set: Vec<i64> = of_set.collect();
        let of_group = set_of_group
            .iter()
            .filter_map(|set| of_set.get(usize::try_from(*set).unwrap_or(usize::MAX)).copied());
        *states = Column::longs(of_group.collect(), None);
    }
}

/// Refuses sets whose copies of the groups would not fit.
fn check_memory(set_count: usize, partial: &GroupedPartial, context: &ExecContext) -> Result<()> {
    // Time, 16 bytes a key or state and the set: a lower bound, as sketches take more.
    let group_bytes = 24 + 16 * (partial.keys.len() + partial.states.len());
    let bytes = partial.group_count().saturating_mul(set_count).saturating_mul(group_bytes);
    let holder = format!("{set_count} copies of {} groups (subtotalsSpec)", partial.group_count());
    context.check_budget(bytes, &holder, "use fewer grouping sets or dimensions")
}

/// The keys once a set, null for the sets that leave the dimension out.
fn repeat(keys: &Column, included: impl Iterator<Item = bool>) -> Result<Column> {
    let count = narrow(keys.len());
    let mut with_null = keys.clone();
    with_null.append(&keys.nulls_like(1))?;
    let rows =
        included.flat_map(|included| (0..count).map(move |row| if included { row } else { count }));
    Ok(with_null.take(&rows.collect::<Vec<_>>()))
}
