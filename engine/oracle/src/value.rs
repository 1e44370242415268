//! Values as the oracle sees them, and columns of rows.

use std::cmp::Ordering as Cmp;

use henge_expr::ExprValue;
use henge_expr::number::format_double;
use henge_query::QueryBase;
use henge_types::{TIME_COLUMN, Value, ValueType};

use super::OracleRow;

/// A value of a row or of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// SQL null.
    Null,
    /// LONG.
    Long(i64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// STRING.
    Text(String),
}

impl Cell {
    /// As text; null has none.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Long(value) => Some(value.to_string()),
            Self::Float(value) => Some(format_double(value.to_string().parse().unwrap_or(0.0))),
            Self::Double(value) => Some(format_double(*value)),
            Self::Text(text) => Some(text.clone()),
        }
    }

    /// As a double.
    pub(crate) fn double(&self) -> Option<f64> {
        self.expr().as_double()
    }

    /// As a long.
    pub(crate) fn long(&self) -> Option<i64> {
        self.expr().as_long()
    }

    /// As a value of expressions.
    pub(crate) fn expr(&self) -> ExprValue {
        match self {
            Self::Null => ExprValue::Null,
            Self::Long(value) => ExprValue::Long(*value),
            Self::Float(value) => ExprValue::Double(f64::from(*value)),
            Self::Double(value) => ExprValue::Double(*value),
            Self::Text(text) => ExprValue::from(text.as_str()),
        }
    }

    /// As JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Long(value) => serde_json::json!(value),
            // As 32-bit floats print: 0.1, not 0.10000000149011612.
            Self::Float(value) if !value.is_finite() => Self::Double(f64::from(*value)).json(),
            Self::Float(value) => serde_json::from_str(&format!("{value:?}")).unwrap_or_default(),
            Self::Double(value) if !value.is_finite() => {
                henge_expr::number::format_double(*value).into()
            }
            Self::Double(value) => serde_json::json!(value),
            Self::Text(text) => serde_json::json!(text),
        }
    }

    /// Converted to a type.
    pub(crate) fn cast(&self, value_type: ValueType) -> Self {
        match value_type {
            ValueType::Long => self.long().map_or(Self::Null, Self::Long),
            ValueType::Double => match self {
                Self::Float(value) => Self::Double(f64::from(*value)),
                other => other.double().map_or(Self::Null, Self::Double),
            },
            ValueType::Float => self.double().map_or(Self::Null, |value| Self::Float(value as f32)),
            ValueType::String => self.text().map_or(Self::Null, Self::Text),
        }
    }

    /// -0 as 0, which groups are not told apart by.
    pub(crate) fn with_one_zero(self) -> Self {
        match self {
            Self::Float(value) => Self::Float(value + 0.0),
            Self::Double(value) => Self::Double(value + 0.0),
            other => other,
        }
    }

    /// Null first, numbers by value, text by bytes.
    pub(crate) fn compare(&self, other: &Self) -> Cmp {
        match (self, other) {
            (Self::Null, Self::Null) => Cmp::Equal,
            (Self::Null, _) => Cmp::Less,
            (_, Self::Null) => Cmp::Greater,
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Long(a), Self::Long(b)) => a.cmp(b),
            (a, b) => {
                // One NaN, behind all numbers, and one zero.
                let double = |cell: &Self| match cell.double().unwrap_or(0.0) {
                    value if value.is_nan() => f64::NAN,
                    value => value + 0.0,
                };
                double(a).total_cmp(&double(b))
            }
        }
    }

    fn of_expr(value: &ExprValue) -> Vec<Self> {
        match value {
            ExprValue::Null => vec![Self::Null],
            ExprValue::Long(value) => vec![Self::Long(*value)],
            ExprValue::Double(value) => vec![Self::Double(*value)],
            ExprValue::String(text) => vec![Self::Text(text.to_string())],
            // As of stored lists: one without values is null.
            ExprValue::Array(items) if items.is_empty() => vec![Self::Null],
            ExprValue::Array(items) => items.iter().flat_map(Self::of_expr).collect(),
        }
    }
}

/// The values of a column in a row: one, or several for multi-value rows; never none. Virtual
/// columns shadow stored ones.
pub(crate) fn column(base: &QueryBase, row: &OracleRow, name: &str) -> Vec<Cell> {
    if let Some(found) = base.virtual_columns.iter().find(|column| column.name == name) {
        let value = found.expression.eval(&|input: &str| {
            let cells = if input == name { stored(row, input) } else { column(base, row, input) };
            match cells.as_slice() {
                [one] => one.expr(),
                several => several.iter().map(Cell::expr).collect::<Vec<_>>().into(),
            }
        });
        let cells = Cell::of_expr(&value.unwrap_or_default());
        return match found.output_type {
            Some(output_type) => cells.iter().map(|cell| cell.cast(output_type)).collect(),
            None => cells,
        };
    }
    stored(row, name)
}

fn stored(row: &OracleRow, name: &str) -> Vec<Cell> {
    if name == TIME_COLUMN {
        return vec![Cell::Long(row.time_ms)];
    }
    match row.values.get(name) {
        None | Some(Value::Null | Value::Complex(_)) => vec![Cell::Null],
        Some(Value::Long(value)) => vec![Cell::Long(*value)],
        Some(Value::Float(value)) => vec![Cell::Float(*value)],
        Some(Value::Double(value)) => vec![Cell::Double(*value)],
        Some(Value::String(text)) => vec![Cell::Text(text.clone())],
        Some(Value::Multi(items)) if items.is_empty() => vec![Cell::Null],
        Some(Value::Multi(items)) => {
            items.iter().map(|item| item.clone().map_or(Cell::Null, Cell::Text)).collect()
        }
    }
}
