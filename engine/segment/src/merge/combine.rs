//! Combining the numeric values of rows that roll up to one.

use henge_types::{MetricKind, MetricSpec, NumericOp};

use crate::error::{Result, SegmentError};
use crate::merge::load::{FromView, NumericRows};
use crate::merge::order::RowOrder;
use crate::view::{ColumnView, SegmentView};

/// The column of the target: the head of each group, or the metric over the group. Nulls do not
/// count; a group of nothing but nulls is null.
pub(super) fn numbers<T: Arithmetic>(
    rows: &NumericRows<T>,
    metric: Option<&MetricSpec>,
    order: &RowOrder,
) -> Result<NumericRows<T>> {
    let Some(metric) = metric else {
        return collect(order.heads().map(|row| Ok(rows.get(row))), order.output_rows());
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
        let mut values = group.iter().filter_map(|row| rows.get(*row as usize));
        let Some(first) = values.next() else { return Ok(None) };
        let sum = values.try_fold(first, combine);
        sum.map(Some)
            .ok_or_else(|| SegmentError::Limit(format!("metric '{}' overflows LONG", metric.name)))
    });
    collect(combined, order.output_rows())
}

/// False when statistics say that the sum of all values is within LONG.
pub(super) fn may_overflow(views: &[&dyn SegmentView], name: &str) -> Result<bool> {
    let mut bound = 0_u128;
    for view in views {
        let column = match view.column(name)? {
            None => continue,
            Some(ColumnView::Long(column)) => column,
            Some(_) => return Ok(true),
        };
        for block in 0..view.block_count() {
            let Some(stats) = column.stats(block)? else { return Ok(true) };
            let largest = stats.min.unsigned_abs().max(stats.max.unsigned_abs());
            bound += u128::from(largest) * view.block_rows(block) as u128;
        }
    }
    Ok(bound > i64::MAX as u128)
}

/// Starts a group where the sum of those before it would leave LONG.
pub(super) fn keep_sums_apart(rows: &NumericRows<i64>, order: &mut RowOrder) {
    let mut sum = 0_i64;
    order.keep_apart(|row, starts| {
        let value = rows.get(row).unwrap_or(0);
        let together = if starts { None } else { sum.checked_add(value) };
        sum = together.unwrap_or(value);
        together.is_some() || starts
    });
}

fn collect<T: FromView>(
    values: impl Iterator<Item = Result<Option<T>>>,
    row_count: usize,
) -> Result<NumericRows<T>> {
    let mut rows = NumericRows { values: Vec::with_capacity(row_count), nulls: None };
    for value in values {
        rows.push(value?, row_count);
    }
    Ok(rows)
}

/// What metrics do with two values; `None` when the result has no place in the type.
pub(super) trait Arithmetic: FromView {
    fn add(self, other: Self) -> Option<Self>;
    fn least(self, other: Self) -> Option<Self>;
    fn greatest(self, other: Self) -> Option<Self>;
}

impl Arithmetic for i64 {
    fn add(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }
    fn least(self, other: Self) -> Option<Self> {
        Some(self.min(other))
    }
    fn greatest(self, other: Self) -> Option<Self> {
        Some(self.max(other))
    }
}

impl Arithmetic for f32 {
    fn add(self, other: Self) -> Option<Self> {
        Some(self + other)
    }
    fn least(self, other: Self) -> Option<Self> {
        Some(self.min(other))
    }
    fn greatest(self, other: Self) -> Option<Self> {
        Some(self.max(other))
    }
}

impl Arithmetic for f64 {
    fn add(self, other: Self) -> Option<Self> {
        Some(self + other)
    }
    fn least(self, other: Self) -> Option<Self> {
        Some(self.min(other))
    }
    fn greatest(self, other: Self) -> Option<Self> {
        Some(self.max(other))
    }
}
