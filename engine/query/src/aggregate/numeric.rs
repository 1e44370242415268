//! Sums, minima and maxima of numbers.

use henge_expr::Expr;
use henge_types::{MetricKind, NumericOp, ValueType};
use serde_json::{Value, json};

use super::{Aggregate, AggregatorInput};
use crate::error::Result;
use crate::ingest::numeric_type_name;
use crate::node::Node;

/// `{long,float,double}{Sum,Min,Max}`. Over no non-null input the result is null.
#[derive(Debug, Clone)]
pub struct Numeric {
    /// Operation.
    pub op: NumericOp,
    /// LONG, FLOAT or DOUBLE: the type of the state and the result.
    pub column_type: ValueType,
    /// Input; a string input is parsed as a number, null when it does not parse.
    pub input: AggregatorInput,
}

impl Aggregate for Numeric {
    fn types() -> &'static [&'static str] {
        &[
            "longSum",
            "longMin",
            "longMax",
            "doubleSum",
            "doubleMin",
            "doubleMax",
            "floatSum",
            "floatMin",
            "floatMax",
        ]
    }

    fn parse(node: &Node<'_>, type_name: &str) -> Result<Self> {
        let (op, column_type) =
            numeric_type(type_name).ok_or_else(|| node.invalid("is no sum, minimum or maximum"))?;
        Ok(Self { op, column_type, input: AggregatorInput::parse(node)? })
    }

    fn to_value(&self) -> Value {
        let (field, text) = self.input.field();
        json!({"type": numeric_type_name(self.op, self.column_type), field: text})
    }

    fn state_value(&self) -> Value {
        self.to_value()
    }

    fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        self.input.for_each_column(visit);
    }

    fn expression(&self) -> Option<&Expr> {
        self.input.expression()
    }

    fn output_type(&self) -> ValueType {
        self.column_type
    }

    /// States of FLOATs are doubles.
    fn stored_states(&self) -> Option<MetricKind> {
        let column_type = match self.column_type {
            ValueType::Long => ValueType::Long,
            ValueType::Float | ValueType::Double | ValueType::String => ValueType::Double,
        };
        Some(MetricKind::Numeric { op: self.op, column_type })
    }
}

/// The operation and type of `{long,double,float}{Sum,Min,Max}`.
pub(crate) fn numeric_type(type_name: &str) -> Option<(NumericOp, ValueType)> {
    let (column_type, op) = match type_name.split_at_checked(type_name.len().checked_sub(3)?)? {
        ("long", op) => (ValueType::Long, op),
        ("double", op) => (ValueType::Double, op),
        ("float", op) => (ValueType::Float, op),
        _ => return None,
    };
    match op {
        "Sum" => Some((NumericOp::Sum, column_type)),
        "Min" => Some((NumericOp::Min, column_type)),
        "Max" => Some((NumericOp::Max, column_type)),
        _ => None,
    }
}
