//! Sums, minima and maxima of numbers.

use henge_query::aggregate::Numeric;
use henge_query::{AggregatorInput, AggregatorKind};
use henge_scan::{ExecError, NumericType, Result};
use henge_types::{NumericOp, ValueType};
use henge_vector::Column;

use crate::accumulator::Accumulator;
use crate::function::{Accumulate, AggregateFunction, Scanned};
use crate::kernels::{DoubleMax, DoubleMin, DoubleSum, LongMax, LongMin, LongSum};
use crate::merged::{MergedNumbers, MergedStates, MergedSums};
use crate::numeric::{NumericAccumulator, NumericInput};

impl Accumulate for Numeric {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        let Scanned { name, is_filtered, columns, set, layout } = scanned;
        let (wanted, float) = number_type(name, self.column_type)?;
        let slot = set.numeric_input(columns, &self.input, wanted);
        let slot = slot.map_err(|error| error.of_aggregator(name))?;
        let place = layout.place(is_filtered || set.has_nulls(slot));
        let positive = set.is_positive(slot, columns.view().block_count())?;
        let input = NumericInput { slot, place, positive, float };
        Ok(match (self.op, wanted) {
            (NumericOp::Sum, NumericType::Long) => NumericAccumulator::<LongSum>::boxed(input),
            (NumericOp::Min, NumericType::Long) => NumericAccumulator::<LongMin>::boxed(input),
            (NumericOp::Max, NumericType::Long) => NumericAccumulator::<LongMax>::boxed(input),
            (NumericOp::Sum, NumericType::Double) => NumericAccumulator::<DoubleSum>::boxed(input),
            (NumericOp::Min, NumericType::Double) => NumericAccumulator::<DoubleMin>::boxed(input),
            (NumericOp::Max, NumericType::Double) => NumericAccumulator::<DoubleMax>::boxed(input),
        })
    }
}

/// What an aggregator of a type computes with, and whether its result is a FLOAT.
fn number_type(name: &str, column_type: ValueType) -> Result<(NumericType, bool)> {
    match column_type {
        ValueType::Long => Ok((NumericType::Long, false)),
        ValueType::Double => Ok((NumericType::Double, false)),
        ValueType::Float => Ok((NumericType::Double, true)),
        other @ ValueType::String => Err(ExecError::Invalid(format!(
            "aggregator '{name}' has type {other}: use LONG, FLOAT or DOUBLE"
        ))),
    }
}

impl AggregateFunction for Numeric {
    fn merged(&self) -> Box<dyn MergedStates> {
        let float = self.column_type == ValueType::Float;
        match (self.op, self.column_type == ValueType::Long) {
            (NumericOp::Sum, true) => Box::new(MergedSums::default()),
            (NumericOp::Min, true) => Box::new(MergedNumbers::<LongMin>::new(float)),
            (NumericOp::Max, true) => Box::new(MergedNumbers::<LongMax>::new(float)),
            (NumericOp::Sum, false) => Box::new(MergedNumbers::<DoubleSum>::new(float)),
            (NumericOp::Min, false) => Box::new(MergedNumbers::<DoubleMin>::new(float)),
            (NumericOp::Max, false) => Box::new(MergedNumbers::<DoubleMax>::new(float)),
        }
    }

    /// Here sums that are beyond 64 bits are refused.
    fn finished(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        let values = states.take(rows);
        if let Column::Wide(_) = values {
            return Err(ExecError::Invalid(format!(
                "aggregator '{name}': the sum is beyond 64 bits: use doubleSum"
            )));
        }
        Ok(values)
    }

    fn is_idempotent(&self) -> bool {
        match self.op {
            NumericOp::Min | NumericOp::Max => true,
            NumericOp::Sum => false,
        }
    }

    fn over_stored(&self, column: &str) -> AggregatorKind {
        Self { input: AggregatorInput::Field(column.to_owned()), ..self.clone() }.into()
    }
}
