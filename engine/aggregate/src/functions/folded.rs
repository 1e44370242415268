//! `expression`: rows are folded by an expression of the query's own, one after another.

use henge_expr::{Budget, Expr, ExprValue};
use henge_query::AggregatorKind;
use henge_query::aggregate::{FINALIZED, Folded};
use henge_scan::{Batch, ExecError, ExpressionReader, Result, SlotId};
use henge_vector::Column;

use crate::accumulator::{Accumulator, BlockInput};
use crate::function::{Accumulate, AggregateFunction, Scanned};
use crate::merged::{MergedStates, absorb_finished, other_states};
use crate::sketch::selection_of;
use crate::table::StateTable;

/// What an expression gives.
type Evaluated = std::result::Result<ExprValue, henge_expr::ExprError>;

/// Bytes of a state beside its texts and elements.
const STATE_BYTES: usize = size_of::<ExprValue>();

impl Accumulate for Folded {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        let Scanned { name, columns, .. } = scanned;
        let readers = self.fields.iter().map(|field| {
            let source = columns.bind_column(field).map_err(|error| error.of_aggregator(name))?;
            Ok(ExpressionReader::new(source))
        });
        let readers = readers.collect::<Result<Vec<_>>>()?;
        let values = vec![Vec::new(); readers.len()];
        let fold = Step::new(&self.fold, &self.accumulator, &self.fields);
        let folding = Folding { aggregator: self, name, budget: Budget::default() };
        Ok(Box::new(FoldedAccumulator {
            folding,
            fold,
            readers,
            values,
            states: Vec::new(),
            held_bytes: 0,
        }))
    }
}

impl AggregateFunction for Folded {
    fn merged(&self) -> Box<dyn MergedStates> {
        let combine = Step::new(&self.combine, &self.accumulator, std::slice::from_ref(&self.name));
        Box::new(MergedFolds {
            aggregator: self.clone(),
            combine,
            states: Vec::new(),
            held_bytes: 0,
        })
    }

    fn finished(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        let Column::Mixed(values) = states else { return Err(other_states(name, states.kind())) };
        let finished = rows.iter().map(|row| {
            let state = match &values[*row as usize] {
                ExprValue::Null if self.null_unless_aggregated => return Ok(ExprValue::Null),
                ExprValue::Null => &self.initial,
                state => state,
            };
            let Some(finalize) = &self.finalize else { return Ok(state.clone()) };
            let named =
                |name: &str| if name == FINALIZED { state.clone() } else { ExprValue::Null };
            finalize.eval(&named).map_err(|error| failed(name, &error))
        });
        Ok(Column::Mixed(finished.collect::<Result<_>>()?))
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    /// No projection stores them.
    fn over_stored(&self, _: &str) -> AggregatorKind {
        self.clone().into()
    }
}

fn failed(name: &str, error: &henge_expr::ExprError) -> ExecError {
    ExecError::of_expression(error, &format!("aggregator '{name}': "))
}

/// An expression that makes an accumulator of another and of some inputs.
struct Step {
    expression: Expr,
    /// Which input a slot is of; `None` for the accumulator.
    inputs: Vec<Option<usize>>,
    /// Inputs whose several values are added one after another.
    by_value: Vec<bool>,
}

impl Step {
    fn new(expression: &Expr, accumulator: &str, inputs: &[String]) -> Self {
        let names = expression.identifiers();
        let input = |name: &String| match name == accumulator {
            true => None,
            false => Some(inputs.iter().position(|input| input == name).unwrap_or(usize::MAX)),
        };
        let by_value = (0..names.len()).map(|slot| expression.is_by_value(slot)).collect();
        Self { expression: expression.clone(), inputs: names.iter().map(input).collect(), by_value }
    }

    /// Adds the values of a row, those of a list one after another where they stand for one.
    fn run(&self, state: ExprValue, row: &[ExprValue], budget: &Budget) -> Evaluated {
        let mut slots = self.slots(row);
        let list = (0..slots.len()).find(|slot| {
            self.by_value[*slot]
                && self.inputs[*slot].is_some()
                && matches!(slots[*slot], ExprValue::Array(_))
        });
        let Some(list) = list else { return self.once(&state, &mut slots, budget) };
        let ExprValue::Array(items) = std::mem::take(&mut slots[list]) else { return Ok(state) };
        items.iter().try_fold(state, |state, item| {
            slots[list] = item.clone();
            self.once(&state, &mut slots, budget)
        })
    }

    fn slots(&self, row: &[ExprValue]) -> Vec<ExprValue> {
        let value = |input: &Option<usize>| {
            input.and_then(|input| row.get(input)).cloned().unwrap_or_default()
        };
        self.inputs.iter().map(value).collect()
    }

    fn once(&self, state: &ExprValue, slots: &mut [ExprValue], budget: &Budget) -> Evaluated {
        for (slot, input) in slots.iter_mut().zip(&self.inputs) {
            if input.is_none() {
                *slot = state.clone();
            }
        }
        budget.renew();
        self.expression.eval_within(slots, budget)
    }
}

/// Bytes of a value as it is written: a tag, then a number, or a length and what it is of.
fn size_bytes(value: &ExprValue) -> u64 {
    match value {
        ExprValue::Null => 1,
        ExprValue::Long(_) | ExprValue::Double(_) => 9,
        ExprValue::String(text) => 5 + text.len() as u64,
        ExprValue::Array(items) => 5 + items.iter().map(size_bytes).sum::<u64>(),
    }
}

/// Refuses an accumulator that is larger than it may be.
fn checked(aggregator: &Folded, name: &str, state: &ExprValue) -> Result<()> {
    let bytes = size_bytes(state);
    if bytes <= u64::from(aggregator.max_size_bytes) {
        return Ok(());
    }
    Err(ExecError::ResourceLimit(format!(
        "aggregator '{name}': its value has {bytes} bytes and may have {}; raise maxSizeBytes, or in SQL the size",
        aggregator.max_size_bytes
    )))
}

struct Folding<'a> {
    aggregator: &'a Folded,
    name: &'a str,
    budget: Budget,
}

struct FoldedAccumulator<'a> {
    folding: Folding<'a>,
    fold: Step,
    readers: Vec<ExpressionReader<'a>>,
    /// The values of a window's rows, a field.
    values: Vec<Vec<ExprValue>>,
    /// Null until a row was added.
    states: Vec<ExprValue>,
    held_bytes: u64,
}

impl std::fmt::Debug for FoldedAccumulator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoldedAccumulator")
            .field("name", &self.folding.name)
            .finish_non_exhaustive()
    }
}

impl FoldedAccumulator<'_> {
    fn read(&mut self, batch: &Batch<'_>, input: &BlockInput<'_>) -> Result<()> {
        let mut rows = Vec::new();
        let selection = selection_of(batch, &mut rows);
        for (reader, values) in self.readers.iter_mut().zip(&mut self.values) {
            values.clear();
            values.resize(input.window.capacity(), ExprValue::Null);
            reader.for_each(input.window, selection, &mut |row, value| {
                values[row] = value.clone();
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Accumulator for FoldedAccumulator<'_> {
    fn slots(&self) -> Vec<SlotId> {
        Vec::new()
    }

    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, ExprValue::Null);
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        self.read(batch, input)?;
        let Self { folding, fold, values, states, held_bytes, .. } = self;
        let Folding { aggregator, name, budget } = folding;
        let mut row_values = vec![ExprValue::Null; values.len()];
        batch.try_visit(|row, group| {
            for (value, column) in row_values.iter_mut().zip(values.iter()) {
                *value = column[row].clone();
            }
            let state = match std::mem::take(&mut states[group]) {
                ExprValue::Null => aggregator.initial.clone(),
                state => state,
            };
            *held_bytes = held_bytes.saturating_sub(state.bytes());
            let next =
                fold.run(state, &row_values, budget).map_err(|error| failed(name, &error))?;
            checked(aggregator, name, &next)?;
            *held_bytes += next.bytes();
            states[group] = next;
            Ok(())
        })
    }

    fn memory_bytes(&self) -> usize {
        self.states.capacity() * STATE_BYTES + self.held_bytes as usize
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<Column> {
        Ok(Column::Mixed(match groups {
            None => self.states,
            Some(groups) => {
                groups.iter().map(|group| self.states[*group as usize].clone()).collect()
            }
        }))
    }
}

/// Accumulators by group that take in those of partials.
struct MergedFolds {
    aggregator: Folded,
    combine: Step,
    states: Vec<ExprValue>,
    held_bytes: u64,
}

impl MergedStates for MergedFolds {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, ExprValue::Null);
    }

    fn add(&mut self, name: &str, states: Column, groups: &[u32], _: &[bool]) -> Result<()> {
        let Column::Mixed(values) = &states else { return Err(other_states(name, states.kind())) };
        let budget = Budget::default();
        for (value, group) in values.iter().zip(groups) {
            if value.is_null() {
                continue;
            }
            let state = std::mem::take(&mut self.states[*group as usize]);
            self.held_bytes = self.held_bytes.saturating_sub(state.bytes());
            let next = match state {
                ExprValue::Null => {
                    let initial = self.aggregator.initial_combine.clone();
                    self.combine.whole(&initial, value, &budget)
                }
                state => self.combine.whole(&state, value, &budget),
            };
            let next = next.map_err(|error| failed(name, &error))?;
            checked(&self.aggregator, name, &next)?;
            self.held_bytes += next.bytes();
            self.states[*group as usize] = next;
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
        self.states.capacity() * STATE_BYTES + self.held_bytes as usize
    }

    fn finish(self: Box<Self>, groups: &[u32]) -> Column {
        Column::Mixed(groups.iter().map(|group| self.states[*group as usize].clone()).collect())
    }
}

impl Step {
    /// Adds another accumulator as it is.
    fn whole(&self, state: &ExprValue, other: &ExprValue, budget: &Budget) -> Evaluated {
        let mut slots = self.slots(std::slice::from_ref(other));
        self.once(state, &mut slots, budget)
    }
}
