//! A LONG, FLOAT or DOUBLE column, growing and as it was.

use henge_segment::{
    BLOCK_ROWS, NumericBlock, NumericColumn, NumericStats, NumericValues, SegmentError,
};

use crate::chunked::{Chunked, ChunkedSnapshot};
use crate::nulls::{Nulls, NullsSnapshot};

/// A growing numeric column.
#[derive(Debug)]
pub(crate) struct GrowingNumeric<T> {
    values: Chunked<T>,
    nulls: Nulls,
}

impl<T: Copy + Default> GrowingNumeric<T> {
    /// A column whose first `rows` rows are null.
    pub(crate) fn new(rows: usize) -> Self {
        Self { values: Chunked::filled(rows, &T::default()), nulls: Nulls::all(rows) }
    }

    /// Appends row number `row`.
    #[inline]
    pub(crate) fn push(&mut self, row: usize, value: Option<T>) {
        self.values.push(value.unwrap_or_default());
        self.nulls.push(row, value.is_none());
    }

    /// Appends values as the rows from `row` on.
    pub(crate) fn extend(&mut self, row: usize, values: &[T]) {
        self.values.extend(values);
        self.nulls.push_values(row, values.len());
    }

    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<T> {
        (!self.nulls.is_null(row)).then(|| *self.values.get(row))
    }

    /// Replaces the value of a row.
    #[inline]
    pub(crate) fn set(&mut self, row: usize, value: T) {
        *self.values.get_mut(row) = value;
        if self.nulls.is_null(row) {
            self.nulls.clear(row);
        }
    }

    pub(crate) fn has_nulls(&self) -> bool {
        self.nulls.any()
    }

    pub(crate) fn snapshot(&self) -> NumericSnapshot<T> {
        NumericSnapshot { values: self.values.snapshot(), nulls: self.nulls.snapshot() }
    }
}

/// A numeric column as it was.
#[derive(Debug)]
pub(crate) struct NumericSnapshot<T> {
    values: ChunkedSnapshot<T>,
    nulls: NullsSnapshot,
}

impl<T: Copy + Send + Sync> NumericColumn<T> for NumericSnapshot<T> {
    fn block<'s>(
        &'s self,
        block: usize,
        _scratch: &'s mut Vec<T>,
    ) -> Result<NumericBlock<'s, T>, SegmentError> {
        let values = NumericValues::Slice(self.values.block(block));
        Ok(NumericBlock { values, nulls: self.nulls.block(block) })
    }

    fn stats(&self, _block: usize) -> Result<Option<NumericStats<T>>, SegmentError> {
        Ok(None)
    }

    fn has_nulls(&self) -> bool {
        self.nulls.any()
    }
}

const _: () = assert!(BLOCK_ROWS.is_multiple_of(64), "null words must not cross blocks");
