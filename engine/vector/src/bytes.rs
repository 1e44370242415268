//! Byte strings, one a row: sketches as they are stored.

use std::any::Any;
use std::borrow::Cow;
use std::cmp::Ordering;

use arrow_array::builder::LargeBinaryBuilder;
use arrow_array::{Array, LargeBinaryArray};

use crate::objects::{ObjectColumn, Objects};

/// Byte strings, null where there is none.
#[derive(Debug, Clone)]
pub struct Bytes(LargeBinaryArray);

impl Bytes {
    /// What [`ObjectColumn::kind`] says of them.
    pub(crate) const KIND: &'static str = "complex";

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

    pub(crate) fn into_array(self) -> LargeBinaryArray {
        self.0
    }

    /// A row's bytes; `None` is null.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        (!self.0.is_null(row)).then(|| self.0.value(row))
    }
}

impl ObjectColumn for Bytes {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_null(&self, row: usize) -> bool {
        self.0.is_null(row)
    }

    fn image(&self, row: usize) -> Option<Cow<'_, [u8]>> {
        self.get(row).map(Cow::Borrowed)
    }

    fn images(&self) -> LargeBinaryArray {
        self.0.clone()
    }

    fn row_bytes(&self, row: usize) -> usize {
        self.get(row).map_or(0, <[u8]>::len)
    }

    fn memory_bytes(&self) -> usize {
        let held: usize = self.0.iter().flatten().map(<[u8]>::len).sum();
        held + (self.0.len() + 1) * size_of::<i64>()
    }

    fn compare(&self, left: usize, right: usize) -> Ordering {
        self.get(left).cmp(&self.get(right))
    }

    fn nulls(&self, rows: usize) -> Objects {
        Self::of(std::iter::repeat_n(None::<&[u8]>, rows)).into()
    }

    fn gathered(&self, rows: &[u32]) -> Objects {
        Self::of(rows.iter().map(|&row| self.get(row as usize))).into()
    }

    fn taken(self: Box<Self>, rows: &[u32]) -> Objects {
        self.gathered(rows)
    }

    fn truncate(&mut self, rows: usize) {
        self.0 = self.0.slice(0, rows.min(self.0.len()));
    }

    fn append(&mut self, other: &dyn ObjectColumn) -> bool {
        let other: &dyn Any = other;
        let Some(other) = other.downcast_ref::<Self>() else { return false };
        *self = Self::of(self.0.iter().chain(other.0.iter()));
        true
    }

    fn copied(&self) -> Objects {
        self.clone().into()
    }
}
