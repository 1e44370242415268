//! What metrics do with two numbers, whatever their type.

use std::fmt::Debug;

use henge_types::{ValueRef, coerce};

use crate::view::{ColumnView, NumericColumn};

/// `i64`, `f32` or `f64`.
pub trait Arithmetic: Copy + Default + Debug + Send + Sync + 'static {
    /// A column of such numbers.
    fn view(column: &dyn NumericColumn<Self>) -> ColumnView<'_>;
    /// The number a value stands for; `None` when it stands for none.
    fn of_value(value: &ValueRef<'_>) -> Option<Self>;
    /// The sum; `None` when it has no place in the type.
    fn add(self, other: Self) -> Option<Self>;
    /// The smaller one; NaN only of two NaNs.
    #[must_use]
    fn least(self, other: Self) -> Self;
    /// The larger one; NaN only of two NaNs.
    #[must_use]
    fn greatest(self, other: Self) -> Self;
}

impl Arithmetic for i64 {
    fn view(column: &dyn NumericColumn<Self>) -> ColumnView<'_> {
        ColumnView::Long(column)
    }
    #[inline]
    fn of_value(value: &ValueRef<'_>) -> Option<Self> {
        coerce::as_long(value)
    }
    #[inline]
    fn add(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }
    #[inline]
    fn least(self, other: Self) -> Self {
        self.min(other)
    }
    #[inline]
    fn greatest(self, other: Self) -> Self {
        self.max(other)
    }
}

impl Arithmetic for f32 {
    fn view(column: &dyn NumericColumn<Self>) -> ColumnView<'_> {
        ColumnView::Float(column)
    }
    #[inline]
    fn of_value(value: &ValueRef<'_>) -> Option<Self> {
        coerce::as_float(value)
    }
    #[inline]
    fn add(self, other: Self) -> Option<Self> {
        Some(self + other)
    }
    #[inline]
    fn least(self, other: Self) -> Self {
        self.min(other)
    }
    #[inline]
    fn greatest(self, other: Self) -> Self {
        self.max(other)
    }
}

impl Arithmetic for f64 {
    fn view(column: &dyn NumericColumn<Self>) -> ColumnView<'_> {
        ColumnView::Double(column)
    }
    #[inline]
    fn of_value(value: &ValueRef<'_>) -> Option<Self> {
        coerce::as_double(value)
    }
    #[inline]
    fn add(self, other: Self) -> Option<Self> {
        Some(self + other)
    }
    #[inline]
    fn least(self, other: Self) -> Self {
        self.min(other)
    }
    #[inline]
    fn greatest(self, other: Self) -> Self {
        self.max(other)
    }
}
