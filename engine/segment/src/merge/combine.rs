//! Combining the numeric values of rows that roll up to one.

use henge_types::MetricSpec;

use crate::error::{Result, SegmentError};
use crate::merge::load::{FromView, NumericRows};
use crate::merge::order::RowOrder;
use crate::metric::{Arithmetic, combine_numbers};
use crate::view::{ColumnView, SegmentView};

/// The column of the target: the head of each group, or the metric over the group. Nulls do not
/// count; a group of nothing but nulls is null.
pub(super) fn numbers<T: FromView + Arithmetic>(
    rows: &NumericRows<T>,
    metric: Option<&MetricSpec>,
    order: &RowOrder,
) -> Result<NumericRows<T>> {
    let Some(metric) = metric else {
        return collect(order.heads().map(|row| Ok(rows.get(row))), order.output_rows());
    };
    let combine = combine_numbers::<T>(&metric.kind)
        .map_err(|error| SegmentError::Invalid(format!("metric '{}' {error}", metric.name)))?;
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
