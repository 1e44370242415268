//! Combining aggregator states group by group.

use henge_query::{AggregatorKind, AggregatorSpec};
use henge_sketch::{HllSketch, KllSketch, Sketch, ThetaSketch};
use henge_types::{ColumnType, NumericOp};

use crate::error::{ExecError, Result};
use crate::partial::StateColumn;

/// States of one aggregator that take in others.
pub(super) enum MergedStates {
    Long { values: Vec<i64>, valid: Vec<bool>, op: NumericOp },
    Double { values: Vec<f64>, valid: Vec<bool>, op: NumericOp, float: bool },
    Hll(Vec<Option<Box<HllSketch>>>),
    Theta(Vec<Option<Box<ThetaSketch>>>),
    Kll(Vec<Option<Box<KllSketch>>>),
}

/// The states of no groups.
pub(super) fn empty_states(spec: &AggregatorSpec) -> StateColumn {
    match &spec.kind {
        AggregatorKind::Count => StateColumn::Long { values: Vec::new(), valid: None },
        AggregatorKind::Numeric { column_type: ColumnType::Long, .. } => {
            StateColumn::Long { values: Vec::new(), valid: None }
        }
        AggregatorKind::Numeric { column_type, .. } => StateColumn::Double {
            values: Vec::new(),
            valid: None,
            float: *column_type == ColumnType::Float,
        },
        AggregatorKind::Hll { .. }
        | AggregatorKind::HyperUnique { .. }
        | AggregatorKind::Cardinality { .. } => StateColumn::Hll(Vec::new()),
        AggregatorKind::Theta { .. } => StateColumn::Theta(Vec::new()),
        AggregatorKind::Quantiles { .. } => StateColumn::Kll(Vec::new()),
    }
}

impl MergedStates {
    /// Room for so many groups.
    pub(super) fn new(spec: &AggregatorSpec, groups: usize) -> Self {
        let op = match &spec.kind {
            AggregatorKind::Numeric { op, .. } => *op,
            _ => NumericOp::Sum,
        };
        fn none<T>(groups: usize) -> Vec<Option<T>> {
            std::iter::repeat_with(|| None).take(groups).collect()
        }
        match empty_states(spec) {
            StateColumn::Long { .. } => {
                Self::Long { values: vec![0; groups], valid: vec![false; groups], op }
            }
            StateColumn::Double { float, .. } => {
                Self::Double { values: vec![0.0; groups], valid: vec![false; groups], op, float }
            }
            StateColumn::Hll(_) => Self::Hll(none(groups)),
            StateColumn::Theta(_) => Self::Theta(none(groups)),
            StateColumn::Kll(_) => Self::Kll(none(groups)),
        }
    }

    /// Adds a partial's states; `groups[i]` is the group of its state `i`.
    pub(super) fn add(&mut self, name: &str, states: StateColumn, groups: &[u32]) -> Result<()> {
        match (self, states) {
            (Self::Long { values, valid, op }, StateColumn::Long { values: from, valid: ok }) => {
                let mut overflow = false;
                combine(values, valid, &from, ok.as_deref(), groups, |state, value| match op {
                    NumericOp::Sum => {
                        let (sum, over) = state.overflowing_add(value);
                        overflow |= over;
                        sum
                    }
                    NumericOp::Min => state.min(value),
                    NumericOp::Max => state.max(value),
                });
                if overflow {
                    return Err(ExecError::Invalid(format!(
                        "aggregator '{name}': the sum is beyond 64 bits: use doubleSum"
                    )));
                }
                Ok(())
            }
            (
                Self::Double { values, valid, op, .. },
                StateColumn::Double { values: from, valid: ok, .. },
            ) => {
                combine(values, valid, &from, ok.as_deref(), groups, |state, value| match op {
                    NumericOp::Sum => state + value,
                    NumericOp::Min => state.min(value),
                    NumericOp::Max => state.max(value),
                });
                Ok(())
            }
            (Self::Hll(to), StateColumn::Hll(from)) => combine_sketches(name, to, from, groups),
            (Self::Theta(to), StateColumn::Theta(from)) => combine_sketches(name, to, from, groups),
            (Self::Kll(to), StateColumn::Kll(from)) => combine_sketches(name, to, from, groups),
            _ => Err(ExecError::Internal(format!(
                "aggregator '{name}': partials have states of different types"
            ))),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        fn sketches<S: Sketch>(sketches: &[Option<Box<S>>]) -> usize {
            let held: usize = sketches.iter().flatten().map(|sketch| sketch.memory_bytes()).sum();
            held + size_of_val(sketches)
        }
        match self {
            Self::Long { values, .. } => values.len() * 9,
            Self::Double { values, .. } => values.len() * 9,
            Self::Hll(states) => sketches(states),
            Self::Theta(states) => sketches(states),
            Self::Kll(states) => sketches(states),
        }
    }

    /// The states of these groups, ascending; of all groups for `None`.
    pub(super) fn finish(self, groups: Option<&[u32]>) -> StateColumn {
        fn pick<T: Copy>(values: Vec<T>, groups: Option<&[u32]>) -> Vec<T> {
            match groups {
                None => values,
                Some(groups) => groups.iter().map(|&group| values[group as usize]).collect(),
            }
        }
        fn take<T>(mut values: Vec<Option<T>>, groups: Option<&[u32]>) -> Vec<Option<T>> {
            match groups {
                None => values,
                Some(groups) => groups.iter().map(|&group| values[group as usize].take()).collect(),
            }
        }
        let flags = |valid: Vec<bool>| {
            let valid = pick(valid, groups);
            valid.iter().any(|valid| !valid).then_some(valid)
        };
        match self {
            Self::Long { values, valid, .. } => {
                StateColumn::Long { values: pick(values, groups), valid: flags(valid) }
            }
            Self::Double { values, valid, float, .. } => {
                StateColumn::Double { values: pick(values, groups), valid: flags(valid), float }
            }
            Self::Hll(states) => StateColumn::Hll(take(states, groups)),
            Self::Theta(states) => StateColumn::Theta(take(states, groups)),
            Self::Kll(states) => StateColumn::Kll(take(states, groups)),
        }
    }
}

fn combine<T: Copy>(
    values: &mut [T],
    valid: &mut [bool],
    from: &[T],
    from_valid: Option<&[bool]>,
    groups: &[u32],
    mut op: impl FnMut(T, T) -> T,
) {
    for (index, (&value, &group)) in from.iter().zip(groups).enumerate() {
        if from_valid.is_some_and(|valid| !valid[index]) {
            continue;
        }
        let group = group as usize;
        values[group] = if valid[group] { op(values[group], value) } else { value };
        valid[group] = true;
    }
}

fn combine_sketches<S: Sketch>(
    name: &str,
    to: &mut [Option<Box<S>>],
    from: Vec<Option<Box<S>>>,
    groups: &[u32],
) -> Result<()> {
    for (sketch, &group) in from.into_iter().zip(groups) {
        match (&mut to[group as usize], sketch) {
            (_, None) => {}
            (empty @ None, sketch) => *empty = sketch,
            (Some(state), Some(sketch)) => state.merge(&sketch).map_err(|error| {
                ExecError::Sketch { column: name.to_owned(), reason: error.to_string() }
            })?,
        }
    }
    Ok(())
}
