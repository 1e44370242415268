//! Byte strings, one a row: sketches as they are stored.

use arrow_array::builder::LargeBinaryBuilder;
use arrow_array::{Array, LargeBinaryArray};

/// Byte strings, null where there is none.
#[derive(Debug, Clone)]
pub struct Bytes(LargeBinaryArray);

impl Bytes {
    /// Byte strings, one a row.
    #[must_use]
    pub fn of<B: AsRef<[u8]>>(values: impl Iterator<Item = Option<B>>) -> Self {
        let mut builder = LargeBinaryBuilder::new();
        values.for_each(|value| builder.append_option(value));
        Self(builder.finish())
    }

    pub(crate) fn of_array(array: LargeBinaryArray) -> Self {
        Self(array)
    }

    pub(crate) fn array(&self) -> &LargeBinaryArray {
        &self.0
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A row's bytes; `None` is null.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        (!self.0.is_null(row)).then(|| self.0.value(row))
    }

    /// The rows' bytes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        self.0.iter()
    }

    /// The first rows.
    pub(crate) fn truncated(&self, rows: usize) -> Self {
        Self(self.0.slice(0, rows.min(self.0.len())))
    }
}
