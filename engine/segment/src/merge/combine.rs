//! Combining the numeric values of rows that roll up to one.

use henge_types::{MetricKind, MetricSpec, NumericOp};

use crate::error::{Result, SegmentError};
use crate::merge::load::{FromView, NumericRows};
use crate::merge::order::RowOrder;

/// The column of the target: the head of each group, or the metric over the group. Nulls do not
/// count; a group of nothing but nulls is null.
pub(super) fn numbers<T: Arithmetic>(
    rows: &NumericRows<T>,
    metric: Option<&MetricSpec>,
    order: &RowOrder,
) -> Result<NumericRows<T>> {
    let Some(metric) = metric else {
        return Ok(collect(order.heads().map(|row| rows.get(row)), order.output_rows()));
    };
    let combine = match &metric.kind {
        MetricKind::Count => T::add,
        MetricKind::Numeric { op: NumericOp::Sum, .. } => T::add,
        MetricKind::Numeric { op: NumericOp::Min, .. } => T::least,
        MetricKind::Numeric { op: NumericOp::Max, .. } => T::greatest,
        _ => {
            return Err(SegmentError::Invalid(format!(
                "metric '{}' is a sketch, its column is not",
                metric.name
            )));
        }
    };
    let combined = order.groups().map(|group| {
        group.iter().filter_map(|row| rows.get(*row as usize)).reduce(combine)
    });
    Ok(collect(combined, order.output_rows()))
}

fn collect<T: FromView>(
    values: impl Iterator<Item = Option<T>>,
    row_count: usize,
) -> NumericRows<T> {
    let mut rows = NumericRows { values: Vec::with_capacity(row_count), nulls: None };
    values.for_each(|value| rows.push(value, row_count));
    rows
}

/// What metrics do with two values.
pub(super) trait Arithmetic: FromView {
    fn add(self, other: Self) -> Self;
    fn least(self, other: Self) -> Self;
    fn greatest(self, other: Self) -> Self;
}

impl Arithmetic for i64 {
    fn add(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    fn least(self, other: Self) -> Self {
        self.min(other)
    }
    fn greatest(self, other: Self) -> Self {
        self.max(other)
    }
}

impl Arithmetic for f32 {
    fn add(self, other: Self) -> Self {
        self + other
    }
    fn least(self, other: Self) -> Self {
        self.min(other)
    }
    fn greatest(self, other: Self) -> Self {
        self.max(other)
    }
}

impl Arithmetic for f64 {
    fn add(self, other: Self) -> Self {
        self + other
    }
    fn least(self, other: Self) -> Self {
        self.min(other)
    }
    fn greatest(self, other: Self) -> Self {
        self.max(other)
    }
}
