//! Small changes to grouped partials while finishing them: a group over nothing, copies of groups.

use henge_query::{AggregatorKind, AggregatorSpec};

use crate::partial::{GroupedPartial, StateColumn};

/// The time of a group that has none: the grand total.
pub(crate) const NO_TIME_MS: i64 = i64::MIN;

/// Appends a group over no rows: counts and estimates are 0, everything else is null. Partials of
/// queries without dimensions only.
pub(crate) fn push_identity(
    partial: &mut GroupedPartial,
    aggregations: &[AggregatorSpec],
    bucket_start_ms: i64,
) {
    partial.bucket_starts.push(bucket_start_ms);
    for (state, spec) in partial.states.iter_mut().zip(aggregations) {
        let is_valid = matches!(spec.kind, AggregatorKind::Count);
        match state {
            StateColumn::Long { values, valid } => push_flagged(values, valid, 0, is_valid),
            StateColumn::Wide { values, valid } => push_flagged(values, valid, 0, is_valid),
            StateColumn::Double { values, valid, .. } => {
                push_flagged(values, valid, 0.0, is_valid);
            }
            StateColumn::Hll(sketches) => sketches.push(None),
            StateColumn::Theta(sketches) => sketches.push(None),
            StateColumn::Kll(sketches) => sketches.push(None),
        }
    }
}

fn push_flagged<T>(values: &mut Vec<T>, valid: &mut Option<Vec<bool>>, value: T, is_valid: bool) {
    if !is_valid || valid.is_some() {
        valid.get_or_insert_with(|| vec![true; values.len()]).push(is_valid);
    }
    values.push(value);
}

/// Appends the states of groups of another column of the same kind.
pub(crate) fn append(to: &mut StateColumn, from: &StateColumn, rows: &[u32]) {
    fn copy<T: Clone>(to: &mut Vec<T>, from: &[T], rows: &[u32]) {
        to.extend(rows.iter().map(|&row| from[row as usize].clone()));
    }
    fn copy_valid(
        to: &mut Option<Vec<bool>>,
        to_len: usize,
        from: &Option<Vec<bool>>,
        rows: &[u32],
    ) {
        if to.is_none() && from.is_none() {
            return;
        }
        let to = to.get_or_insert_with(|| vec![true; to_len]);
        to.extend(rows.iter().map(|&row| from.as_ref().is_none_or(|from| from[row as usize])));
    }
    // A column that is no wider than it must be may meet one that is.
    if let StateColumn::Wide { .. } = from {
        widen(to);
    }
    match (to, from) {
        (
            StateColumn::Wide { values, valid },
            StateColumn::Wide { values: from_values, valid: from_valid },
        ) => {
            copy_valid(valid, values.len(), from_valid, rows);
            copy(values, from_values, rows);
        }
        (
            StateColumn::Wide { values, valid },
            StateColumn::Long { values: from_values, valid: from_valid },
        ) => {
            copy_valid(valid, values.len(), from_valid, rows);
            values.extend(rows.iter().map(|&row| i128::from(from_values[row as usize])));
        }
        (
            StateColumn::Long { values, valid },
            StateColumn::Long { values: from_values, valid: from_valid },
        ) => {
            copy_valid(valid, values.len(), from_valid, rows);
            copy(values, from_values, rows);
        }
        (
            StateColumn::Double { values, valid, .. },
            StateColumn::Double { values: from_values, valid: from_valid, .. },
        ) => {
            copy_valid(valid, values.len(), from_valid, rows);
            copy(values, from_values, rows);
        }
        (StateColumn::Hll(to), StateColumn::Hll(from)) => copy(to, from, rows),
        (StateColumn::Theta(to), StateColumn::Theta(from)) => copy(to, from, rows),
        (StateColumn::Kll(to), StateColumn::Kll(from)) => copy(to, from, rows),
        _ => {}
    }
}

/// Makes long sums wide.
fn widen(states: &mut StateColumn) {
    if let StateColumn::Long { values, valid } = states {
        let values = values.iter().map(|value| i128::from(*value)).collect();
        *states = StateColumn::Wide { values, valid: valid.take() };
    }
}

/// A column of the same kind without groups.
pub(crate) fn empty_like(state: &StateColumn) -> StateColumn {
    match state {
        StateColumn::Long { .. } => StateColumn::Long { values: Vec::new(), valid: None },
        StateColumn::Wide { .. } => StateColumn::Wide { values: Vec::new(), valid: None },
        StateColumn::Double { float, .. } => {
            StateColumn::Double { values: Vec::new(), valid: None, float: *float }
        }
        StateColumn::Hll(_) => StateColumn::Hll(Vec::new()),
        StateColumn::Theta(_) => StateColumn::Theta(Vec::new()),
        StateColumn::Kll(_) => StateColumn::Kll(Vec::new()),
    }
}

/// A copy of some groups' states, `times` over.
pub(crate) fn copies(states: &[StateColumn], rows: &[u32], times: usize) -> Vec<StateColumn> {
    states
        .iter()
        .map(|state| {
            let mut copy = empty_like(state);
            (0..times).for_each(|_| append(&mut copy, state, rows));
            copy
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finalise::testing::{count, long_sum, partial};

    #[test]
    fn over_nothing_counts_are_zero_and_sums_are_null() {
        let mut groups = partial(&[0], vec![], vec![long_state(&[3]), long_state(&[4])]);
        push_identity(&mut groups, &[count("n"), long_sum("s", "x")], 5);
        assert_eq!(groups.bucket_starts.at(), [0, 5]);
        let StateColumn::Long { values, valid: None } = &groups.states[0] else { panic!() };
        assert_eq!(values, &[3, 0]);
        let StateColumn::Long { valid: Some(valid), .. } = &groups.states[1] else { panic!() };
        assert_eq!(valid, &[true, false]);
    }

    #[test]
    fn copies_keep_validity() {
        let from = StateColumn::Long { values: vec![1, 2], valid: Some(vec![true, false]) };
        let copied = copies(&[from], &[1, 0], 2);
        let StateColumn::Long { values, valid: Some(valid) } = &copied[0] else { panic!() };
        assert_eq!(
            (values.as_slice(), valid.as_slice()),
            (&[2, 1, 2, 1][..], &[false, true, false, true][..])
        );
    }

    fn long_state(values: &[i64]) -> StateColumn {
        StateColumn::Long { values: values.to_vec(), valid: None }
    }
}
