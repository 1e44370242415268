//! SUM of BIGINT over the rows of any plan: it adds in 128 bits, so that a sum beyond 64 bits is an error and not
//! another number.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, EmitTo, GroupsAccumulator};
use datafusion::scalar::ScalarValue;

use crate::error::SqlError;

/// What sums are added in.
const WIDE: DataType = DataType::Decimal128(38, 0);

/// The sum of one group or frame.
pub(super) fn accumulator(
    sum: &AggregateUDF,
    args: &AccumulatorArgs<'_>,
    is_sliding: bool,
) -> Result<Box<dyn Accumulator>> {
    let fields = [wide_field(args.expr_fields.first())];
    let args = AccumulatorArgs {
        return_field: wide_field(Some(&args.return_field)),
        expr_fields: &fields,
        ..args.clone()
    };
    let inner = match is_sliding {
        true => sum.create_sliding_accumulator(args)?,
        false => sum.accumulator(args)?,
    };
    Ok(Box::new(LongSum { inner }))
}

/// The sums of many groups.
pub(super) fn groups_accumulator(
    sum: &AggregateUDF,
    args: &AccumulatorArgs<'_>,
) -> Result<Box<dyn GroupsAccumulator>> {
    let fields = [wide_field(args.expr_fields.first())];
    let args = AccumulatorArgs {
        return_field: wide_field(Some(&args.return_field)),
        expr_fields: &fields,
        ..args.clone()
    };
    Ok(Box::new(LongSums { inner: sum.create_groups_accumulator(args)? }))
}

/// What partial sums are kept as.
pub(super) fn state_fields(
    sum: &AggregateUDF,
    args: &StateFieldsArgs<'_>,
) -> Result<Vec<FieldRef>> {
    let fields = [wide_field(args.input_fields.first())];
    sum.state_fields(StateFieldsArgs {
        return_field: wide_field(Some(&args.return_field)),
        input_fields: &fields,
        ..*args
    })
}

fn wide_field(field: Option<&FieldRef>) -> FieldRef {
    let name = field.map_or("sum", |field| field.name().as_str());
    Arc::new(Field::new(name, WIDE, true))
}

/// Widens what is added; what is added already is wide.
fn widened(values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let widen = |array: &ArrayRef| match array.as_primitive_opt::<Int64Type>() {
        Some(longs) => {
            let wide = longs.unary::<_, Decimal128Type>(i128::from);
            Ok(Arc::new(wide.with_precision_and_scale(38, 0)?) as ArrayRef)
        }
        None => Ok(Arc::clone(array)),
    };
    values.iter().map(widen).collect()
}

/// A sum as BIGINT.
fn narrow(sum: i128) -> Result<i64> {
    i64::try_from(sum).map_err(|_| too_wide())
}

/// What is said of a sum beyond 64 bits.
pub(crate) fn too_wide() -> DataFusionError {
    DataFusionError::External(Box::new(SqlError::invalid(
        "a sum of BIGINT is beyond 64 bits; write SUM(CAST(x AS DOUBLE))",
    )))
}

#[derive(Debug)]
struct LongSum {
    inner: Box<dyn Accumulator>,
}

impl Accumulator for LongSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(&widened(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.inner.evaluate()? {
            ScalarValue::Decimal128(sum, ..) => sum.map(narrow).transpose().map(ScalarValue::Int64),
            other => other.cast_to(&DataType::Int64),
        }
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(&widened(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

struct LongSums {
    inner: Box<dyn GroupsAccumulator>,
}

impl GroupsAccumulator for LongSums {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.inner.update_batch(&widened(values)?, group_indices, filter, groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.inner.evaluate(emit_to)?;
        let sums = sums.as_primitive::<Decimal128Type>();
        let narrowed = sums.iter().map(|sum| sum.map(narrow).transpose());
        Ok(Arc::new(narrowed.collect::<Result<Int64Array>>()?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        groups: usize,
    ) -> Result<()> {
        self.inner.merge_batch(values, group_indices, groups)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(&widened(values)?, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}
