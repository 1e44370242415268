//! Combining aggregator states group by group.

use henge_query::{AggregatorKind, AggregatorSpec};
use henge_sketch::{HllSketch, KllSketch, Sketch, ThetaSketch};
use henge_types::{ColumnType, NumericOp};

use crate::error::{ExecError, Result};
use crate::partial::StateColumn;

/// States of one aggregator that take in others.
pub(super) enum MergedStates {
    Long {
        numbers: Numbers<i64>,
        op: NumericOp,
    },
    /// Sums of integers since one of them was beyond 64 bits.
    Wide(Numbers<i128>),
    Double {
        numbers: Numbers<f64>,
        op: NumericOp,
        float: bool,
    },
    Hll(Vec<Option<Box<HllSketch>>>),
    Theta(Vec<Option<Box<ThetaSketch>>>),
    Kll(Vec<Option<Box<KllSketch>>>),
}

/// Numbers by group, from the operation's identity on.
pub(super) struct Numbers<T> {
    values: Vec<T>,
    identity: T,
    /// Which groups have a value. Kept only once a state without one was seen: until then it is
    /// every group that was added to.
    valid: Option<Vec<bool>>,
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
        let mut states = match empty_states(spec) {
            StateColumn::Long { .. } => {
                let identity = match op {
                    NumericOp::Sum => 0,
                    NumericOp::Min => i64::MAX,
                    NumericOp::Max => i64::MIN,
                };
                Self::Long { numbers: Numbers::new(identity), op }
            }
            StateColumn::Wide { .. } => Self::Wide(Numbers::new(0)),
            StateColumn::Double { float, .. } => {
                // NaN is the identity of minima and maxima that pass over NaN.
                let identity = if op == NumericOp::Sum { 0.0 } else { f64::NAN };
                Self::Double { numbers: Numbers::new(identity), op, float }
            }
            StateColumn::Hll(_) => Self::Hll(Vec::new()),
            StateColumn::Theta(_) => Self::Theta(Vec::new()),
            StateColumn::Kll(_) => Self::Kll(Vec::new()),
        };
        states.resize(groups);
        states
    }

    /// Makes room for so many groups.
    pub(super) fn resize(&mut self, groups: usize) {
        match self {
            Self::Long { numbers, .. } => numbers.resize(groups),
            Self::Wide(numbers) => numbers.resize(groups),
            Self::Double { numbers, .. } => numbers.resize(groups),
            Self::Hll(states) => states.resize_with(groups, || None),
            Self::Theta(states) => states.resize_with(groups, || None),
            Self::Kll(states) => states.resize_with(groups, || None),
        }
    }

    /// Adds a partial's states; `groups[i]` is the group of its state `i`, `seen` tells the groups
    /// that were added to before.
    pub(super) fn add(
        &mut self,
        name: &str,
        states: StateColumn,
        groups: &[u32],
        seen: &[bool],
    ) -> Result<()> {
        if let StateColumn::Wide { .. } = states {
            self.widen();
        }
        match (self, states) {
            (
                states @ Self::Long { op: NumericOp::Sum, .. },
                StateColumn::Long { values, valid },
            ) => {
                states.add_sums(&values, valid.as_deref(), groups, seen);
                Ok(())
            }
            (Self::Long { numbers, op }, StateColumn::Long { values: from, valid: ok }) => {
                let ok = ok.as_deref();
                match op {
                    NumericOp::Max => numbers.add(&from, ok, groups, seen, i64::max),
                    _ => numbers.add(&from, ok, groups, seen, i64::min),
                }
                Ok(())
            }
            (Self::Wide(numbers), StateColumn::Long { values: from, valid: ok }) => {
                let from: Vec<i128> = from.into_iter().map(i128::from).collect();
                numbers.add(&from, ok.as_deref(), groups, seen, i128::wrapping_add);
                Ok(())
            }
            (Self::Wide(numbers), StateColumn::Wide { values: from, valid: ok }) => {
                numbers.add(&from, ok.as_deref(), groups, seen, i128::wrapping_add);
                Ok(())
            }
            (
                Self::Double { numbers, op, .. },
                StateColumn::Double { values: from, valid: ok, .. },
            ) => {
                let ok = ok.as_deref();
                match op {
                    NumericOp::Sum => numbers.add(&from, ok, groups, seen, |a, b| a + b),
                    NumericOp::Min => numbers.add(&from, ok, groups, seen, f64::min),
                    NumericOp::Max => numbers.add(&from, ok, groups, seen, f64::max),
                }
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
            Self::Long { numbers, .. } => numbers.values.len() * 8,
            Self::Wide(numbers) => numbers.values.len() * 16,
            Self::Double { numbers, .. } => numbers.values.len() * 8,
            Self::Hll(states) => sketches(states),
            Self::Theta(states) => sketches(states),
            Self::Kll(states) => sketches(states),
        }
    }

    /// The states of these groups, ascending.
    pub(super) fn finish(self, groups: &[u32]) -> StateColumn {
        fn take<T>(mut values: Vec<Option<T>>, groups: &[u32]) -> Vec<Option<T>> {
            groups.iter().map(|&group| values[group as usize].take()).collect()
        }
        match self {
            Self::Long { numbers, .. } => {
                let (values, valid) = numbers.finish(groups);
                StateColumn::Long { values, valid }
            }
            Self::Wide(numbers) => {
                let (values, valid) = numbers.finish(groups);
                StateColumn::of_wide(values, valid)
            }
            Self::Double { numbers, float, .. } => {
                let (values, valid) = numbers.finish(groups);
                StateColumn::Double { values, valid, float }
            }
            Self::Hll(states) => StateColumn::Hll(take(states, groups)),
            Self::Theta(states) => StateColumn::Theta(take(states, groups)),
            Self::Kll(states) => StateColumn::Kll(take(states, groups)),
        }
    }
}

impl MergedStates {
    /// Adds sums of integers. When one wraps around, all are taken back and added wide.
    fn add_sums(&mut self, from: &[i64], valid: Option<&[bool]>, groups: &[u32], seen: &[bool]) {
        let Self::Long { numbers, .. } = self else { return };
        let mut overflow = false;
        numbers.add(from, valid, groups, seen, |state, value| {
            let (sum, over) = state.overflowing_add(value);
            overflow |= over;
            sum
        });
        if !overflow {
            return;
        }
        numbers.add(from, valid, groups, seen, i64::wrapping_sub);
        self.widen();
        if let Self::Wide(numbers) = self {
            let from: Vec<i128> = from.iter().map(|value| i128::from(*value)).collect();
            numbers.add(&from, valid, groups, seen, i128::wrapping_add);
        }
    }

    /// Makes sums of integers wide.
    fn widen(&mut self) {
        if let Self::Long { numbers, op: NumericOp::Sum } = self {
            *self = Self::Wide(Numbers {
                values: numbers.values.iter().map(|value| i128::from(*value)).collect(),
                identity: 0,
                valid: numbers.valid.take(),
            });
        }
    }

    /// Adds other states of the same groups. `seen` and `other_seen` tell the groups of each.
    pub(super) fn absorb(
        &mut self,
        name: &str,
        other: Self,
        seen: &[bool],
        other_seen: &[bool],
    ) -> Result<()> {
        match (&mut *self, other) {
            (Self::Long { numbers, op }, Self::Long { numbers: from, .. })
                if from.valid.is_none() && numbers.valid.is_none() =>
            {
                let pairs = numbers.values.iter_mut().zip(&from.values);
                match op {
                    NumericOp::Sum => {
                        let mut overflow = false;
                        pairs.for_each(|(state, value)| {
                            let (sum, over) = state.overflowing_add(*value);
                            *state = sum;
                            overflow |= over;
                        });
                        if overflow {
                            let pairs = numbers.values.iter_mut().zip(&from.values);
                            pairs.for_each(|(state, value)| *state = state.wrapping_sub(*value));
                            let from = Self::Long { numbers: from, op: *op };
                            self.widen();
                            return self.absorb(name, from, seen, other_seen);
                        }
                    }
                    NumericOp::Min => pairs.for_each(|(state, value)| *state = *value.min(state)),
                    NumericOp::Max => pairs.for_each(|(state, value)| *state = *value.max(state)),
                }
                Ok(())
            }
            (Self::Double { numbers, op, .. }, Self::Double { numbers: from, .. })
                if from.valid.is_none() && numbers.valid.is_none() =>
            {
                let pairs = numbers.values.iter_mut().zip(&from.values);
                match op {
                    NumericOp::Sum => pairs.for_each(|(state, value)| *state += value),
                    NumericOp::Min => pairs.for_each(|(state, value)| *state = state.min(*value)),
                    NumericOp::Max => pairs.for_each(|(state, value)| *state = state.max(*value)),
                }
                Ok(())
            }
            (_, other) => {
                let groups: Vec<u32> =
                    (0..).zip(other_seen).filter(|(_, seen)| **seen).map(|(g, _)| g).collect();
                let other = other.finish(&groups);
                self.add(name, other, &groups, seen)
            }
        }
    }
}

impl<T: Copy> Numbers<T> {
    fn new(identity: T) -> Self {
        Self { values: Vec::new(), identity, valid: None }
    }

    fn resize(&mut self, groups: usize) {
        if self.values.is_empty() {
            // One allocation that the system may hand out zeroed.
            self.values = vec![self.identity; groups];
        } else {
            self.values.resize(groups, self.identity);
        }
        if let Some(valid) = &mut self.valid {
            valid.resize(groups, false);
        }
    }

    #[inline]
    fn add(
        &mut self,
        from: &[T],
        from_valid: Option<&[bool]>,
        groups: &[u32],
        seen: &[bool],
        mut op: impl FnMut(T, T) -> T,
    ) {
        if from_valid.is_some() && self.valid.is_none() {
            self.valid = Some(seen.to_vec());
        }
        let values = &mut self.values[..];
        match (&mut self.valid, from_valid) {
            (None, _) => {
                for (&value, &group) in from.iter().zip(groups) {
                    let state = &mut values[group as usize];
                    *state = op(*state, value);
                }
            }
            (Some(valid), from_valid) => {
                for (index, (&value, &group)) in from.iter().zip(groups).enumerate() {
                    if from_valid.is_none_or(|valid| valid[index]) {
                        let state = &mut values[group as usize];
                        *state = op(*state, value);
                        valid[group as usize] = true;
                    }
                }
            }
        }
    }

    fn finish(self, groups: &[u32]) -> (Vec<T>, Option<Vec<bool>>) {
        let whole = groups.len() == self.values.len();
        let Self { values, valid, .. } = self;
        // Groups ascend: as many as there are values are all of them.
        let pick = |values: Vec<T>| match whole {
            true => values,
            false => groups.iter().map(|&group| values[group as usize]).collect(),
        };
        let valid = valid.and_then(|valid| {
            let valid: Vec<bool> = groups.iter().map(|&group| valid[group as usize]).collect();
            valid.iter().any(|valid| !valid).then_some(valid)
        });
        (pick(values), valid)
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
