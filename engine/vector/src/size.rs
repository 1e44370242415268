//! Bytes that columns hold, for caches and budgets.

use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray};
use henge_expr::ExprValue;

use crate::column::Column;
use crate::text::Text;

impl Column {
    /// Bytes of memory, roughly. What is shared counts in full, but for dictionaries of the node and of
    /// segments.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Null(_) => 0,
            Self::Long(values) => array_bytes(values),
            Self::Wide(values) => array_bytes(values),
            Self::Float(values) => array_bytes(values),
            Self::Double(values) | Self::WideFloat(values) => array_bytes(values),
            Self::Text(text) => text_bytes(text),
            Self::Lists(lists) => {
                (lists.len() + 1) * size_of::<i64>() + text_bytes(lists.elements())
            }
            Self::Objects(objects) => objects.memory_bytes(),
            Self::Timed(timed) => array_bytes(timed.times()) + timed.values().memory_bytes(),
            Self::Mixed(values) => values.iter().map(value_bytes).sum(),
            Self::SegmentIds(keys) => size_of_val(keys.ids()),
            Self::NodeIds(keys) => size_of_val(keys.ids()),
        }
    }
}

fn array_bytes<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> usize {
    let flags = array.nulls().map_or(0, |nulls| nulls.len().div_ceil(8));
    array.len() * size_of::<T::Native>() + flags
}

fn text_bytes(text: &Text) -> usize {
    size_of_val(text.ids()) + text.values_bytes()
}

/// Bytes of memory of an expression's value, roughly.
#[must_use]
pub fn value_bytes(value: &ExprValue) -> usize {
    let inner = match value {
        ExprValue::String(text) => text.len(),
        ExprValue::Array(items) => items.iter().map(value_bytes).sum(),
        ExprValue::Null | ExprValue::Long(_) | ExprValue::Double(_) => 0,
    };
    size_of::<ExprValue>() + inner
}
