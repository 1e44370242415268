//! [`FieldType`]: the types of an answer's fields.

use henge_expr::ExprValue;
use henge_types::ValueType;
use henge_vector::Column;

/// The type of a field. All values can be null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// Nothing but nulls, of which no type is known.
    Null,
    /// A point in time: milliseconds since 1970 UTC.
    Time,
    /// 64-bit integers.
    Long,
    /// 32-bit floats.
    Float,
    /// 64-bit floats.
    Double,
    /// Text.
    String,
    /// Sketches, and values with their times.
    Complex,
    /// Several values a row, each of this type: a number, text, an array, or null only.
    Array(Box<FieldType>),
}

impl From<ValueType> for FieldType {
    fn from(value_type: ValueType) -> Self {
        match value_type {
            ValueType::Long => Self::Long,
            ValueType::Float => Self::Float,
            ValueType::Double => Self::Double,
            ValueType::String => Self::String,
        }
    }
}

impl FieldType {
    /// The type of a column's values. Of a column of expressions all values are looked at.
    #[must_use]
    pub fn of(column: &Column) -> Self {
        match column {
            Column::Null(_) => Self::Null,
            Column::Long(_) | Column::SegmentIds(_) => Self::Long,
            Column::Float(_) | Column::WideFloat(_) => Self::Float,
            Column::Double(_) | Column::Wide(_) => Self::Double,
            Column::Text(_) | Column::NodeIds(_) => Self::String,
            Column::Lists(_) => Self::Array(Box::new(Self::String)),
            Column::Objects(_) | Column::Timed(_) => Self::Complex,
            Column::Mixed(values) => values.iter().fold(Self::Null, Self::with_value),
        }
    }

    /// The type that holds the values of both: DOUBLE of different numbers, an array where one is,
    /// else text.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Null, one) | (one, Self::Null) => one,
            (left, right) if left == right => left,
            (Self::Array(left), Self::Array(right)) => Self::Array(Box::new(left.with(*right))),
            (Self::Array(items), one) | (one, Self::Array(items)) => {
                Self::Array(Box::new(items.with(one)))
            }
            (left, right) if left.is_number() && right.is_number() => Self::Double,
            _ => Self::String,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Long | Self::Float | Self::Double)
    }

    fn with_value(self, value: &ExprValue) -> Self {
        let other = match value {
            ExprValue::Null => return self,
            ExprValue::Long(_) => Self::Long,
            ExprValue::Double(_) => Self::Double,
            ExprValue::String(_) => Self::String,
            ExprValue::Array(items) => {
                Self::Array(Box::new(items.iter().fold(Self::Null, Self::with_value)))
            }
        };
        if self == other { self } else { self.with(other) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: Vec<ExprValue>) -> FieldType {
        FieldType::of(&Column::Mixed(values))
    }

    fn array(items: FieldType) -> FieldType {
        FieldType::Array(Box::new(items))
    }

    #[test]
    fn values_of_an_expression_have_the_type_that_holds_all() {
        let (null, long, double) = (ExprValue::Null, ExprValue::Long(1), ExprValue::Double(0.5));
        let text = ExprValue::from("t");
        let list = |items: &[&ExprValue]| {
            ExprValue::from(items.iter().map(|item| (*item).clone()).collect::<Vec<_>>())
        };
        for (values, expected) in [
            (vec![], FieldType::Null),
            (vec![null.clone()], FieldType::Null),
            (vec![long.clone(), null.clone()], FieldType::Long),
            (vec![long.clone(), double.clone()], FieldType::Double),
            (vec![double.clone(), text.clone()], FieldType::String),
            (vec![list(&[&long, &null]), null.clone()], array(FieldType::Long)),
            (vec![list(&[&long]), double.clone()], array(FieldType::Double)),
            (vec![text.clone(), list(&[&long])], array(FieldType::String)),
            (vec![list(&[])], array(FieldType::Null)),
            (vec![list(&[&list(&[&long])])], array(array(FieldType::Long))),
            (
                vec![list(&[&list(&[&long]), &null]), list(&[&list(&[])])],
                array(array(FieldType::Long)),
            ),
            (vec![list(&[&list(&[&long]), &text])], array(array(FieldType::String))),
        ] {
            assert_eq!(of(values.clone()), expected, "{values:?}");
        }
    }
}
