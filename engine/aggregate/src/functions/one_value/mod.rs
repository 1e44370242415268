//! The accumulators of first, last and any: over numbers, over texts, over stored pairs.

mod absent;
mod numbers;
mod stored;
mod texts;

use std::sync::Arc;

use henge_query::aggregate::OneValue;
use henge_query::{AggregatorInput, AggregatorKind, DimensionSpec};
use henge_scan::{Batch, Dimension, ExecError, Loaded, NumericType, Result, SlotId, Source};
use henge_segment::NumericBlock;
use henge_types::{OneOf, ValueType};
use henge_vector::Column;

use crate::accumulator::{Accumulator, BlockInput};
use crate::function::{Accumulate, AggregateFunction, Scanned, SketchFunction};
use crate::merged::{KeptValues, MergedStates, other_states};
use absent::Absent;
use numbers::{Input, Numbers};
use texts::Texts;

impl Accumulate for OneValue {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        accumulator(self, scanned)
    }
}

impl AggregateFunction for OneValue {
    fn merged(&self) -> Box<dyn MergedStates> {
        match &self.value_type {
            ValueType::Long => Box::new(KeptValues::<i64>::new(self.which)),
            ValueType::Float => Box::new(KeptValues::<f32>::new(self.which)),
            ValueType::Double => Box::new(KeptValues::<f64>::new(self.which)),
            ValueType::String => Box::new(KeptValues::<Arc<str>>::new(self.which)),
        }
    }

    fn finished(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        let Column::Timed(timed) = states else { return Err(other_states(name, states.kind())) };
        Ok(timed.values().take(rows))
    }

    /// First and last show their times where they are not finished.
    fn sketch(&self) -> Option<&dyn SketchFunction> {
        (self.which != OneOf::Any).then_some(self)
    }

    /// Times of stored groups are not those of their rows.
    fn is_idempotent(&self) -> bool {
        self.which == OneOf::Any
    }

    fn over_stored(&self, column: &str) -> AggregatorKind {
        Self { field: column.to_owned(), ..self.clone() }.into()
    }
}

impl SketchFunction for OneValue {
    fn is_finished(&self) -> bool {
        true
    }

    fn estimates(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        self.finished(name, states, rows)
    }

    fn encoded(&self, _: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        Ok(states.take(rows))
    }
}

fn accumulator<'a>(
    spec: &'a OneValue,
    scanned: Scanned<'_, 'a>,
) -> Result<Box<dyn Accumulator + 'a>> {
    let Scanned { name, columns, set, .. } = scanned;
    let source = columns.resolve(&spec.field)?;
    match &source {
        Source::Pairs(pairs) => {
            let stored = stored::accumulator(spec, pairs, columns);
            return stored.map_err(|error| error.of_aggregator(name));
        }
        Source::Complex(column) => {
            return Err(columns.unreadable(&spec.field, *column).of_aggregator(name));
        }
        Source::Missing
        | Source::Long(_)
        | Source::Float(_)
        | Source::Double(_)
        | Source::String(_)
        | Source::Expression(_) => {}
    }
    if let Source::Missing = source {
        return Ok(absent(spec));
    }
    let times = match spec.which {
        OneOf::First | OneOf::Last => {
            let times = set.times(columns, &spec.time_column);
            Some(times.map_err(|error| error.of_aggregator(name))?)
        }
        OneOf::Any => None,
    };
    let mut number = |wanted| {
        let input = AggregatorInput::Field(spec.field.clone());
        Ok::<_, ExecError>(Input { values: set.numeric_input(columns, &input, wanted)?, times })
    };
    Ok(match &spec.value_type {
        ValueType::Long => Box::new(Numbers::<i64>::new(spec.which, number(NumericType::Long)?)),
        ValueType::Double => {
            Box::new(Numbers::<f64>::new(spec.which, number(NumericType::Double)?))
        }
        ValueType::Float => Box::new(Numbers::<f32>::new(spec.which, number(NumericType::Double)?)),
        ValueType::String => {
            let dimension = DimensionSpec {
                dimension: spec.field.clone(),
                output_name: spec.field.clone(),
                output_type: ValueType::String,
            };
            let dimension = Dimension::new(&dimension, columns, set)?;
            let of_float = matches!(source, Source::Float(_));
            Box::new(Texts::new(spec, dimension, times, of_float))
        }
    })
}

fn absent<'a>(spec: &OneValue) -> Box<dyn Accumulator + 'a> {
    match &spec.value_type {
        ValueType::Long => Box::new(Absent::<i64>::new(spec.which)),
        ValueType::Float => Box::new(Absent::<f32>::new(spec.which)),
        ValueType::Double => Box::new(Absent::<f64>::new(spec.which)),
        ValueType::String => Box::new(Absent::<Arc<str>>::new(spec.which)),
    }
}

/// The times of a window's rows.
#[derive(Clone, Copy)]
enum Times<'b> {
    /// All the same: any value.
    Same,
    Of(NumericBlock<'b, i64>),
}

impl<'b> Times<'b> {
    /// `None` when no row has a time.
    fn load(slot: Option<SlotId>, input: &BlockInput<'b>) -> Result<Option<Self>> {
        let Some(slot) = slot else { return Ok(Some(Self::Same)) };
        match input.loaded.get(slot) {
            Loaded::Long(block) => Ok(Some(Self::Of(block))),
            Loaded::Nothing => Ok(None),
            Loaded::Float(_) | Loaded::Double(_) | Loaded::Ids(_) | Loaded::Multi(_) => {
                Err(ExecError::Internal("times are no integers".to_owned()))
            }
        }
    }

    /// Calls `visit` with each row that has a time, its group and its time.
    #[inline]
    fn visit(self, batch: &Batch<'_>, mut visit: impl FnMut(usize, usize, i64)) {
        match self {
            Self::Same => batch.visit(|row, group| visit(row, group, 0)),
            Self::Of(block) => match block.nulls {
                None => batch.visit(|row, group| visit(row, group, block.values.get(row))),
                Some(nulls) => batch.visit(|row, group| {
                    if !nulls.is_null(row) {
                        visit(row, group, block.values.get(row));
                    }
                }),
            },
        }
    }
}
