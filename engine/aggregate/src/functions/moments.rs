//! `doubleMean` and `variance`.

use henge_expr::ExprValue;
use henge_query::aggregate::{Moment, Moments};
use henge_query::{AggregatorInput, AggregatorKind};
use henge_scan::{Batch, Loaded, NumericType, Result, SlotId};
use henge_segment::NumericBlock;
use henge_vector::Column;

use crate::accumulator::{Accumulator, BlockInput};
use crate::function::{Accumulate, AggregateFunction, Scanned};
use crate::merged::{MergedStates, absorb_finished, other_states};
use crate::table::StateTable;

/// The number of values, their sum and the sum of the squares of their distances from the mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct State {
    count: i64,
    sum: f64,
    squares: f64,
}

impl State {
    fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        if self.count > 1 {
            let count = self.count as f64;
            let distance = count * value - self.sum;
            self.squares += distance * distance / (count * (count - 1.0));
        }
    }

    fn merge(&mut self, other: Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = other;
            return;
        }
        let (a, b) = (self.count as f64, other.count as f64);
        let distance = other.sum / b - self.sum / a;
        self.squares += other.squares + distance * distance * a * b / (a + b);
        self.sum += other.sum;
        self.count += other.count;
    }

    fn finished(&self, moment: Moment) -> Option<f64> {
        let count = self.count as f64;
        match moment {
            _ if self.count == 0 => None,
            Moment::Mean => Some(self.sum / count),
            Moment::PopulationVariance => Some(self.squares / count),
            Moment::SampleVariance if self.count == 1 => None,
            Moment::SampleVariance => Some(self.squares / (count - 1.0)),
        }
    }

    fn value(&self) -> ExprValue {
        if self.count == 0 {
            return ExprValue::Null;
        }
        ExprValue::from(vec![
            ExprValue::from(self.count),
            ExprValue::from(self.sum),
            ExprValue::from(self.squares),
        ])
    }

    fn of(value: &ExprValue) -> Option<Self> {
        let ExprValue::Array(parts) = value else {
            return value.is_null().then(Self::default);
        };
        match parts.as_ref() {
            [ExprValue::Long(count), ExprValue::Double(sum), ExprValue::Double(squares)] => {
                Some(Self { count: *count, sum: *sum, squares: *squares })
            }
            _ => None,
        }
    }
}

fn column(states: &[State], groups: Option<&[u32]>) -> Column {
    Column::Mixed(match groups {
        None => states.iter().map(State::value).collect(),
        Some(groups) => groups.iter().map(|group| states[*group as usize].value()).collect(),
    })
}

impl Accumulate for Moments {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        let Scanned { name, columns, set, .. } = scanned;
        let slot = set.numeric_input(columns, &self.input, NumericType::Double);
        let slot = slot.map_err(|error| error.of_aggregator(name))?;
        Ok(Box::new(MomentsAccumulator { slot, states: Vec::new() }))
    }
}

impl AggregateFunction for Moments {
    fn merged(&self) -> Box<dyn MergedStates> {
        Box::new(MergedMoments::default())
    }

    fn finished(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        let Column::Mixed(values) = states else { return Err(other_states(name, states.kind())) };
        let finished = rows.iter().map(|row| match State::of(&values[*row as usize]) {
            Some(state) => Ok(state.finished(self.moment)),
            None => Err(other_states(name, states.kind())),
        });
        Ok(Column::Double(finished.collect::<Result<_>>()?))
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    /// No projection stores them.
    fn over_stored(&self, column: &str) -> AggregatorKind {
        Self { input: AggregatorInput::Field(column.to_owned()), ..self.clone() }.into()
    }
}

#[derive(Debug)]
struct MomentsAccumulator {
    slot: SlotId,
    states: Vec<State>,
}

impl MomentsAccumulator {
    fn add<T: Copy>(
        &mut self,
        batch: &Batch<'_>,
        block: &NumericBlock<'_, T>,
        double: impl Fn(T) -> f64,
    ) {
        let states = &mut self.states;
        batch.visit(|row, group| {
            if block.nulls.is_none_or(|nulls| !nulls.is_null(row)) {
                states[group].add(double(block.values.get(row)));
            }
        });
    }
}

impl Accumulator for MomentsAccumulator {
    fn slots(&self) -> Vec<SlotId> {
        vec![self.slot]
    }

    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, State::default());
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        match input.loaded.get(self.slot) {
            Loaded::Long(block) => self.add(batch, &block, |value: i64| value as f64),
            Loaded::Float(block) => self.add(batch, &block, f64::from),
            Loaded::Double(block) => self.add(batch, &block, |value: f64| value),
            Loaded::Nothing | Loaded::Ids(_) | Loaded::Multi(_) => {}
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<Column> {
        Ok(column(&self.states, groups))
    }
}

/// Moments by group that take in those of partials.
#[derive(Debug, Default)]
struct MergedMoments {
    states: Vec<State>,
}

impl MergedStates for MergedMoments {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, State::default());
    }

    fn add(&mut self, name: &str, states: Column, groups: &[u32], _: &[bool]) -> Result<()> {
        let Column::Mixed(values) = &states else { return Err(other_states(name, states.kind())) };
        for (value, group) in values.iter().zip(groups) {
            let other = State::of(value).ok_or_else(|| other_states(name, states.kind()))?;
            self.states[*group as usize].merge(other);
        }
        Ok(())
    }

    fn absorb(
        &mut self,
        name: &str,
        other: Box<dyn MergedStates>,
        seen: &[bool],
        other_seen: &[bool],
    ) -> Result<()> {
        absorb_finished(self, name, other, seen, other_seen)
    }

    fn memory_bytes(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }

    fn finish(self: Box<Self>, groups: &[u32]) -> Column {
        column(&self.states, Some(groups))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> State {
        let mut state = State::default();
        values.iter().for_each(|value| state.add(*value));
        state
    }

    #[test]
    fn states_of_parts_are_those_of_the_whole() {
        let values = [1.5, -2.0, 7.25, 7.25, 0.0, 1e6];
        let whole = of(&values);
        for cut in 0..=values.len() {
            let mut merged = of(&values[..cut]);
            merged.merge(of(&values[cut..]));
            assert_eq!(merged.count, whole.count);
            assert!((merged.squares / whole.squares - 1.0).abs() < 1e-12, "{cut}");
            assert_eq!(State::of(&merged.value()), Some(merged));
        }
        assert_eq!(of(&[2.0, 4.0]).finished(Moment::SampleVariance), Some(2.0));
        assert_eq!(of(&[2.0, 4.0]).finished(Moment::PopulationVariance), Some(1.0));
        assert_eq!(of(&[2.0, 4.0]).finished(Moment::Mean), Some(3.0));
        assert_eq!(of(&[2.0]).finished(Moment::SampleVariance), None);
        assert_eq!(of(&[]).finished(Moment::Mean), None);
    }
}
