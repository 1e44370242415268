//! The natural order of a column's values.

use std::cmp::Ordering;

use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray};
use henge_expr::ExprValue;
use henge_types::number::order_bits;

use crate::column::Column;
use crate::numbers::optional;
use crate::text::Text;

impl Column {
    /// Compares two rows: null first, then by the kind's own order. Sketches have none: all are alike.
    #[must_use]
    pub fn compare(&self, left: usize, right: usize) -> Ordering {
        match self {
            Self::Null(_) => Ordering::Equal,
            Self::Long(values) => by_value(values, left, right),
            Self::Wide(values) => by_value(values, left, right),
            Self::Float(values) => {
                let key = |row| optional(values, row).map(|value| order_bits(f64::from(value)));
                key(left).cmp(&key(right))
            }
            Self::Double(values) | Self::WideFloat(values) => {
                let key = |row| optional(values, row).map(order_bits);
                key(left).cmp(&key(right))
            }
            Self::Text(text) => compare_text(text, text.ids()[left], text.ids()[right]),
            Self::Lists(lists) => {
                let values = |row| lists.row(row).iter().map(|&id| lists.value(id));
                values(left).cmp(values(right))
            }
            Self::Objects(objects) => objects.compare(left, right),
            Self::Timed(timed) => timed.compare(left, right),
            Self::Mixed(values) => compare_mixed(&values[left], &values[right]),
            Self::SegmentIds(keys) => keys.ids()[left].cmp(&keys.ids()[right]),
            Self::NodeIds(keys) if keys.ids()[left] == keys.ids()[right] => Ordering::Equal,
            Self::NodeIds(keys) => keys.get(left).cmp(&keys.get(right)),
        }
    }
}

pub(crate) fn by_value<T: ArrowPrimitiveType<Native: Ord>>(
    values: &PrimitiveArray<T>,
    left: usize,
    right: usize,
) -> Ordering {
    if values.null_count() == 0 {
        return values.value(left).cmp(&values.value(right));
    }
    optional(values, left).cmp(&optional(values, right))
}

fn compare_text(text: &Text, left: u32, right: u32) -> Ordering {
    if text.is_sorted() || left == right {
        return left.cmp(&right);
    }
    text.value(left).cmp(&text.value(right))
}

/// Null, then numbers, then text.
fn compare_mixed(left: &ExprValue, right: &ExprValue) -> Ordering {
    let class = |value: &ExprValue| match value {
        ExprValue::Null => 0,
        ExprValue::Long(_) | ExprValue::Double(_) => 1,
        ExprValue::String(_) | ExprValue::Array(_) => 2,
    };
    match (left, right) {
        (ExprValue::Long(left), ExprValue::Long(right)) => left.cmp(right),
        _ if class(left) != class(right) => class(left).cmp(&class(right)),
        _ if class(left) == 1 => {
            left.as_double().map(order_bits).cmp(&right.as_double().map(order_bits))
        }
        _ => left.as_text().cmp(&right.as_text()),
    }
}
