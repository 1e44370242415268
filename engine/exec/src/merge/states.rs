//! Combining aggregator states group by group.

use henge_query::{AggregatorKind, AggregatorSpec};
use henge_scan::{ExecError, Result};
use henge_sketch::{HllSketch, KllSketch, Sketch, ThetaSketch};
use henge_types::{ColumnType, NumericOp};
use henge_vector::{Array, Column, Int64Array, NullBuffer, Sketches, nulls_of, widened};

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
pub(super) fn empty_states(spec: &AggregatorSpec) -> Column {
    match &spec.kind {
        AggregatorKind::Count | AggregatorKind::Numeric { column_type: ColumnType::Long, .. } => {
            Column::longs(Vec::new(), None)
        }
        AggregatorKind::Numeric { column_type: ColumnType::Float, .. } => {
            Column::wide_floats(Vec::new(), None)
        }
        AggregatorKind::Numeric { .. } => Column::doubles(Vec::new(), None),
        AggregatorKind::Hll { .. }
        | AggregatorKind::HyperUnique { .. }
        | AggregatorKind::Cardinality { .. } => Column::Hll(Sketches::empty(0)),
        AggregatorKind::Theta { .. } => Column::Theta(Sketches::empty(0)),
        AggregatorKind::Quantiles { .. } => Column::Kll(Sketches::empty(0)),
    }
}

impl MergedStates {
    /// Room for so many groups.
    pub(super) fn new(spec: &AggregatorSpec, groups: usize) -> Self {
        let mut states = match &spec.kind {
            AggregatorKind::Count => Self::Long { numbers: Numbers::new(0), op: NumericOp::Sum },
            AggregatorKind::Numeric { column_type: ColumnType::Long, op, .. } => {
                let identity = match op {
                    NumericOp::Sum => 0,
                    NumericOp::Min => i64::MAX,
                    NumericOp::Max => i64::MIN,
                };
                Self::Long { numbers: Numbers::new(identity), op: *op }
            }
            AggregatorKind::Numeric { column_type, op, .. } => {
                // NaN is the identity of minima and maxima that pass over NaN.
                let identity = if *op == NumericOp::Sum { 0.0 } else { f64::NAN };
                let float = *column_type == ColumnType::Float;
                Self::Double { numbers: Numbers::new(identity), op: *op, float }
            }
            AggregatorKind::Hll { .. }
            | AggregatorKind::HyperUnique { .. }
            | AggregatorKind::Cardinality { .. } => Self::Hll(Vec::new()),
            AggregatorKind::Theta { .. } => Self::Theta(Vec::new()),
            AggregatorKind::Quantiles { .. } => Self::Kll(Vec::new()),
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
        states: Column,
        groups: &[u32],
        seen: &[bool],
    ) -> Result<()> {
        if let Column::Wide(_) = states {
            self.widen();
        }
        let differ = || {
            ExecError::Internal(format!(
                "aggregator '{name}': partials have states of different types"
            ))
        };
        match self {
            Self::Long { op: NumericOp::Sum, .. } => {
                let Column::Long(from) = states else { return Err(differ()) };
                self.add_sums(&from, groups, seen);
            }
            Self::Long { numbers, op } => {
                let Column::Long(from) = states else { return Err(differ()) };
                let (from, nulls) = (from.values(), from.nulls());
                match op {
                    NumericOp::Max => numbers.add(from, nulls, groups, seen, i64::max),
                    NumericOp::Min | NumericOp::Sum => {
                        numbers.add(from, nulls, groups, seen, i64::min);
                    }
                }
            }
            Self::Wide(numbers) => {
                let from = match states {
                    Column::Long(from) => widened(&from),
                    other => {
                        let Column::Wide(from) = other else { return Err(differ()) };
                        from
                    }
                };
                numbers.add(from.values(), from.nulls(), groups, seen, i128::wrapping_add);
            }
            Self::Double { numbers, op, .. } => {
                let (Column::Double(from) | Column::WideFloat(from)) = states else {
                    return Err(differ());
                };
                let (from, nulls) = (from.values(), from.nulls());
                match op {
                    NumericOp::Sum => numbers.add(from, nulls, groups, seen, |a, b| a + b),
                    NumericOp::Min => numbers.add(from, nulls, groups, seen, f64::min),
                    NumericOp::Max => numbers.add(from, nulls, groups, seen, f64::max),
                }
            }
            Self::Hll(to) => {
                let Column::Hll(from) = states else { return Err(differ()) };
                combine_sketches(name, to, from, groups)?;
            }
            Self::Theta(to) => {
                let Column::Theta(from) = states else { return Err(differ()) };
                combine_sketches(name, to, from, groups)?;
            }
            Self::Kll(to) => {
                let Column::Kll(from) = states else { return Err(differ()) };
                combine_sketches(name, to, from, groups)?;
            }
        }
        Ok(())
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
    pub(super) fn finish(self, groups: &[u32]) -> Column {
        fn take<S>(mut states: Vec<Option<Box<S>>>, groups: &[u32]) -> Sketches<S> {
            let taken = groups.iter().map(|&group| states[group as usize].take());
            Sketches::new(taken.collect())
        }
        match self {
            Self::Long { numbers, .. } => {
                let (values, nulls) = numbers.finish(groups);
                Column::longs(values, nulls)
            }
            Self::Wide(numbers) => {
                let (values, nulls) = numbers.finish(groups);
                Column::of_wide(values, nulls)
            }
            Self::Double { numbers, float, .. } => {
                let (values, nulls) = numbers.finish(groups);
                match float {
                    true => Column::wide_floats(values, nulls),
                    false => Column::doubles(values, nulls),
                }
            }
            Self::Hll(states) => Column::Hll(take(states, groups)),
            Self::Theta(states) => Column::Theta(take(states, groups)),
            Self::Kll(states) => Column::Kll(take(states, groups)),
        }
    }
}

impl MergedStates {
    /// Adds sums of integers. When one wraps around, all are taken back and added wide.
    fn add_sums(&mut self, added: &Int64Array, groups: &[u32], seen: &[bool]) {
        let Self::Long { numbers, .. } = self else { return };
        let (from, nulls) = (added.values(), added.nulls());
        let mut overflow = false;
        numbers.add(from, nulls, groups, seen, |state, value| {
            let (sum, over) = state.overflowing_add(value);
            overflow |= over;
            sum
        });
        if !overflow {
            return;
        }
        numbers.add(from, nulls, groups, seen, i64::wrapping_sub);
        self.widen();
        if let Self::Wide(numbers) = self {
            numbers.add(widened(added).values(), nulls, groups, seen, i128::wrapping_add);
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
        nulls: Option<&NullBuffer>,
        groups: &[u32],
        seen: &[bool],
        mut op: impl FnMut(T, T) -> T,
    ) {
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        if nulls.is_some() && self.valid.is_none() {
            self.valid = Some(seen.to_vec());
        }
        let values = &mut self.values[..];
        match &mut self.valid {
            None => {
                for (&value, &group) in from.iter().zip(groups) {
                    let state = &mut values[group as usize];
                    *state = op(*state, value);
                }
            }
            Some(valid) => {
                for (index, (&value, &group)) in from.iter().zip(groups).enumerate() {
                    if nulls.is_none_or(|nulls| nulls.is_valid(index)) {
                        let state = &mut values[group as usize];
                        *state = op(*state, value);
                        valid[group as usize] = true;
                    }
                }
            }
        }
    }

    fn finish(self, groups: &[u32]) -> (Vec<T>, Option<NullBuffer>) {
        let whole = groups.len() == self.values.len();
        let Self { values, valid, .. } = self;
        // Groups ascend: as many as there are values are all of them.
        let pick = |values: Vec<T>| match whole {
            true => values,
            false => groups.iter().map(|&group| values[group as usize]).collect(),
        };
        let nulls = valid.and_then(|valid| nulls_of(groups.len(), |at| valid[groups[at] as usize]));
        (pick(values), nulls)
    }
}

fn combine_sketches<S: Sketch>(
    name: &str,
    to: &mut [Option<Box<S>>],
    from: Sketches<S>,
    groups: &[u32],
) -> Result<()> {
    for (sketch, &group) in from.into_inner().into_iter().zip(groups) {
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
