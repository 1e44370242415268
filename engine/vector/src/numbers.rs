//! Small helpers for arrays of numbers.

use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};

/// Which rows are null, when any is: `is_valid` is asked for each.
#[must_use]
pub fn nulls_of(rows: usize, is_valid: impl FnMut(usize) -> bool) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(rows, is_valid));
    (nulls.null_count() > 0).then_some(nulls)
}

/// A row's value; `None` is null.
#[inline]
#[must_use]
pub fn optional<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    (!array.is_null(row)).then(|| array.value(row))
}

/// Some rows of an array.
pub(crate) fn gather<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    rows: &[u32],
) -> PrimitiveArray<T> {
    let (from, nulls) = (&array.values()[..], array.nulls());
    let values: Vec<T::Native> = rows.iter().map(|&row| from[row as usize]).collect();
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    let nulls = nulls.and_then(|from| nulls_of(rows.len(), |at| from.is_valid(rows[at] as usize)));
    PrimitiveArray::new(values.into(), nulls).with_data_type(array.data_type().clone())
}

/// An array of nulls.
pub(crate) fn no_values<T: ArrowPrimitiveType>(rows: usize) -> PrimitiveArray<T> {
    PrimitiveArray::new_null(rows)
}
