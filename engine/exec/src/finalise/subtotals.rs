//! Grouping sets: the groups again, once a set, with the dimensions outside the set made null.

use henge_query::GroupByQuery;

use crate::context::ExecContext;
use crate::error::Result;
use crate::finalise::states::copies;
use crate::merge::regroup;
use crate::partial::{GroupedPartial, KeyColumn, NodeKeys, StringKeys};

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
    let rows: Vec<u32> = (0..partial.group_count() as u32).collect();
    let mut keys: Vec<KeyColumn> = partial
        .keys
        .iter()
        .enumerate()
        .map(|(dimension, keys)| repeat(keys, sets.iter().map(|set| set.contains(&dimension))))
        .collect();
    // The set itself is one more key, so that equal keys of different sets stay apart.
    let set_keys = (0..sets.len() as i64).flat_map(|set| vec![Some(set); rows.len()]).collect();
    keys.push(KeyColumn::Long(set_keys));
    let expanded = GroupedPartial {
        bucket_starts: partial.bucket_starts.repeat(sets.len()),
        keys,
        states: copies(&partial.states, &rows, sets.len()),
        data_range_ms: partial.data_range_ms.clone(),
    };
    let mut partial = regroup(&query.aggregations, expanded, context)?;
    let set_of_group = match partial.keys.pop() {
        Some(KeyColumn::Long(sets)) => {
            sets.into_iter().map(|set| set.unwrap_or(0).unsigned_abs()).collect()
        }
        _ => vec![0; partial.group_count()],
    };
    Ok(Expanded { partial, set_of_group })
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
fn repeat(keys: &KeyColumn, included: impl Iterator<Item = bool>) -> KeyColumn {
    fn values<T: Copy + Default>(values: &[T], included: impl Iterator<Item = bool>) -> Vec<T> {
        included
            .flat_map(|included| {
                values.iter().map(move |value| if included { *value } else { T::default() })
            })
            .collect()
    }
    match keys {
        KeyColumn::String(keys) => KeyColumn::String(StringKeys {
            ids: values(&keys.ids, included),
            ends: keys.ends.clone(),
            bytes: keys.bytes.clone(),
            sorted: keys.sorted,
        }),
        KeyColumn::Node(keys) => {
            KeyColumn::Node(NodeKeys { ids: values(&keys.ids, included), ..keys.clone() })
        }
        KeyColumn::Long(keys) => KeyColumn::Long(values(keys, included)),
        KeyColumn::Double(keys) => KeyColumn::Double(values(keys, included)),
    }
}
