//! Post-aggregators, evaluated column by column over the rows of a [`Frame`].

use std::borrow::Cow;

use henge_expr::ExprValue;
use henge_query::{ArithmeticFn, PostAggregator};
use henge_scan::{ExecError, Result};
use henge_types::Value;
use henge_types::narrow::rounded;
use henge_vector::{Column, Text};

use crate::finalise::fields::Frame;
use crate::finalise::quantiles;

/// Bytes of texts that one post-aggregation may give.
const MAX_KEPT_BYTES: u64 = 256 << 20;

/// The names of the fields that a post-aggregator reads.
pub(crate) fn collect_inputs<'a>(post: &'a PostAggregator, names: &mut Vec<&'a str>) {
    match post {
        PostAggregator::FieldAccess { field, .. }
        | PostAggregator::FinalizingFieldAccess { field, .. }
        | PostAggregator::Root { field, .. } => names.push(field),
        PostAggregator::Constant { .. } => {}
        PostAggregator::SketchEstimate { field, .. }
        | PostAggregator::OfQuantiles { field, .. } => collect_inputs(field, names),
        PostAggregator::Expression { expression, .. } => {
            names.extend(expression.identifiers().iter().map(String::as_str));
        }
        PostAggregator::Arithmetic { fields, .. } | PostAggregator::Extreme { fields, .. } => {
            fields.iter().for_each(|field| collect_inputs(field, names));
        }
    }
}

/// A post-aggregator's values. The fields it reads were computed before.
pub(crate) fn evaluate(post: &PostAggregator, frame: &Frame<'_>) -> Result<Column> {
    Ok(operand(post, frame)?.into_owned())
}

fn operand<'f>(post: &PostAggregator, frame: &'f Frame<'_>) -> Result<Cow<'f, Column>> {
    let row_count = frame.rows().len();
    Ok(Cow::Owned(match post {
        PostAggregator::FinalizingFieldAccess { field, .. } => {
            return computed(field, frame).map(Cow::Borrowed);
        }
        PostAggregator::FieldAccess { field, .. } => match frame.sketch_estimates(field)? {
            Some(estimates) => estimates,
            None => return computed(field, frame).map(Cow::Borrowed),
        },
        PostAggregator::Constant { value, .. } => constant(value, row_count),
        PostAggregator::SketchEstimate { field, round, .. } => {
            let estimates = operand(field, frame)?;
            let values = (0..row_count).map(|row| estimates.double(row));
            if *round {
                Column::Long(values.map(|v| v.map(rounded)).collect())
            } else {
                Column::Double(values.collect())
            }
        }
        PostAggregator::OfQuantiles { name, field, question } => {
            quantiles::evaluate(name, field, question, frame)?
        }
        PostAggregator::Root { field, .. } => {
            let variances = computed(field, frame)?;
            let root = |row| variances.double(row).map(f64::sqrt);
            Column::Double((0..row_count).map(root).collect())
        }
        PostAggregator::Arithmetic { function, fields, .. } => {
            let operands = operands(fields, frame)?;
            let values = (0..row_count).map(|row| arithmetic(*function, &operands, row));
            Column::Double(values.collect())
        }
        PostAggregator::Extreme { greatest, long, fields, .. } => {
            let operands = operands(fields, frame)?;
            if *long {
                let extreme = |row| {
                    let values = operands.iter().filter_map(|o| o.long(row));
                    if *greatest { values.max() } else { values.min() }
                };
                Column::Long((0..row_count).map(extreme).collect())
            } else {
                let extreme = |row| {
                    let values = operands.iter().filter_map(|o| o.double(row));
                    values.reduce(if *greatest { f64::max } else { f64::min })
                };
                Column::Double((0..row_count).map(extreme).collect())
            }
        }
        PostAggregator::Expression { name, expression } => {
            expression_column(name, expression, frame)?
        }
    }))
}

fn operands<'f>(fields: &[PostAggregator], frame: &'f Frame<'_>) -> Result<Vec<Cow<'f, Column>>> {
    fields.iter().map(|field| operand(field, frame)).collect()
}

fn computed<'f>(name: &str, frame: &'f Frame<'_>) -> Result<&'f Column> {
    frame.find(name).ok_or_else(|| ExecError::Internal(format!("field '{name}' was not computed")))
}

fn constant(value: &Value, row_count: usize) -> Column {
    match value {
        Value::Long(value) => Column::longs(vec![*value; row_count], None),
        Value::Double(value) => Column::doubles(vec![*value; row_count], None),
        Value::String(text) => Column::Text(Text::constant(text, row_count)),
        other => Column::Mixed(vec![constant_value(other); row_count]),
    }
}

/// A constant as an expression's value. Sketches have none.
fn constant_value(value: &Value) -> ExprValue {
    match value {
        Value::Null | Value::Complex(_) => ExprValue::Null,
        Value::Long(value) => ExprValue::Long(*value),
        Value::Float(value) => ExprValue::Double(f64::from(*value)),
        Value::Double(value) => ExprValue::Double(*value),
        Value::String(text) => ExprValue::from(text.as_str()),
        Value::Multi(items) => {
            items.iter().map(|item| ExprValue::from(item.as_deref())).collect::<Vec<_>>().into()
        }
    }
}

/// Folds the operands from left to right; null when any is null.
fn arithmetic(function: ArithmeticFn, operands: &[Cow<'_, Column>], row: usize) -> Option<f64> {
    let (first, rest) = operands.split_first()?;
    rest.iter().try_fold(first.double(row)?, |left, right| {
        let right = right.double(row)?;
        Some(match function {
            ArithmeticFn::Plus => left + right,
            ArithmeticFn::Minus => left - right,
            ArithmeticFn::Multiply => left * right,
            ArithmeticFn::Divide if right == 0.0 => 0.0,
            ArithmeticFn::Divide | ArithmeticFn::Quotient => left / right,
            ArithmeticFn::Pow => left.powf(right),
        })
    })
}

fn expression_column(
    name: &str,
    expression: &henge_expr::Expr,
    frame: &Frame<'_>,
) -> Result<Column> {
    let inputs: Vec<Option<&Column>> =
        expression.identifiers().iter().map(|input| frame.find(input)).collect();
    let mut slots = vec![ExprValue::Null; inputs.len()];
    let mut values = Vec::with_capacity(frame.rows().len());
    let (budget, mut kept_bytes) = (frame.budget(), 0);
    for row in 0..frame.rows().len() {
        for (slot, input) in slots.iter_mut().zip(&inputs) {
            *slot = input.map_or(ExprValue::Null, |input| input.expr_value(row));
        }
        budget.renew();
        let value = expression.eval_within(&slots, &budget).map_err(|error| {
            ExecError::of_expression(&error, &format!("post-aggregation '{name}': "))
        })?;
        kept_bytes += value.bytes();
        if kept_bytes > MAX_KEPT_BYTES {
            return Err(ExecError::ResourceLimit(format!(
                "post-aggregation '{name}': its values are more than {MAX_KEPT_BYTES} bytes; make \
                 shorter ones, or fewer with a limit"
            )));
        }
        values.push(value);
    }
    Ok(Column::Mixed(values))
}
