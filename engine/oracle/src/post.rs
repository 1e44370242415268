//! Post-aggregators over the fields of one result row.

use std::collections::BTreeMap;

use henge_expr::ExprValue;
use henge_query::{ArithmeticFn, PostAggregator};
use henge_types::Value;

use super::value::Cell;

/// The value of a post-aggregator.
pub(crate) fn evaluate(post: &PostAggregator, fields: &BTreeMap<String, Cell>) -> Cell {
    match post {
        PostAggregator::FieldAccess { field, .. }
        | PostAggregator::FinalizingFieldAccess { field, .. } => {
            fields.get(field).cloned().unwrap_or(Cell::Null)
        }
        PostAggregator::Constant { value, .. } => match value {
            Value::Long(value) => Cell::Long(*value),
            Value::Float(value) => Cell::Float(*value),
            Value::Double(value) => Cell::Double(*value),
            Value::String(text) => Cell::Text(text.clone()),
            _ => Cell::Null,
        },
        PostAggregator::SketchEstimate { field, round, .. } => {
            match (evaluate(field, fields).double(), round) {
                (None, _) => Cell::Null,
                (Some(value), true) => Cell::Long(value.round() as i64),
                (Some(value), false) => Cell::Double(value),
            }
        }
        PostAggregator::Root { field, .. } => {
            let variance = fields.get(field).and_then(Cell::double);
            variance.map_or(Cell::Null, |variance| Cell::Double(variance.sqrt()))
        }
        // Cells of sketches are their estimates: nothing says how values are distributed.
        PostAggregator::OfQuantiles { .. } => Cell::Null,
        PostAggregator::Arithmetic { function, fields: operands, .. } => {
            let numbers: Option<Vec<f64>> =
                operands.iter().map(|operand| evaluate(operand, fields).double()).collect();
            let folded = numbers.and_then(|n| n.into_iter().reduce(|a, b| apply(*function, a, b)));
            folded.map_or(Cell::Null, Cell::Double)
        }
        PostAggregator::Extreme { greatest, long, fields: operands, .. } => {
            let cells = operands.iter().map(|operand| evaluate(operand, fields));
            let mut cells: Vec<Cell> = cells.filter(|cell| *cell != Cell::Null).collect();
            cells.sort_by(Cell::compare);
            // NaN is passed over where there is anything else.
            let is_nan = |cell: &Cell| cell.double().is_some_and(f64::is_nan);
            if !cells.iter().all(is_nan) {
                cells.retain(|cell| !is_nan(cell));
            }
            let chosen = if *greatest { cells.last() } else { cells.first() };
            let number = chosen.map(|cell| {
                if *long {
                    cell.long().map_or(Cell::Null, Cell::Long)
                } else {
                    cell.double().map_or(Cell::Null, Cell::Double)
                }
            });
            number.unwrap_or(Cell::Null)
        }
        PostAggregator::Expression { expression, .. } => {
            let value =
                expression.eval(&|name: &str| fields.get(name).map_or(ExprValue::Null, Cell::expr));
            match value.unwrap_or_default() {
                ExprValue::Long(value) => Cell::Long(value),
                ExprValue::Double(value) => Cell::Double(value),
                ExprValue::String(text) => Cell::Text(text.to_string()),
                ExprValue::Null | ExprValue::Array(_) => Cell::Null,
            }
        }
    }
}

fn apply(function: ArithmeticFn, left: f64, right: f64) -> f64 {
    match function {
        ArithmeticFn::Plus => left + right,
        ArithmeticFn::Minus => left - right,
        ArithmeticFn::Multiply => left * right,
        ArithmeticFn::Divide if right == 0.0 => 0.0,
        ArithmeticFn::Divide | ArithmeticFn::Quotient => left / right,
        ArithmeticFn::Pow => left.powf(right),
    }
}
