//! A metric of any kind.

use henge_sketch::{HllSketch, KllSketch, ThetaSketch};
use henge_types::{ColumnType, MetricKind, MetricSpec, NumericOp, ValueRef};

use crate::coerce;
use crate::error::{IndexError, Result};
use crate::numeric::GrowingNumeric;
use crate::sketch_metric::SketchMetric;
use crate::snapshot::SnapshotColumn;

/// A growing metric.
#[derive(Debug)]
pub(crate) struct Metric {
    spec: MetricSpec,
    column: Column,
}

#[derive(Debug)]
enum Column {
    Count(GrowingNumeric<i64>),
    Long(NumericOp, GrowingNumeric<i64>),
    Float(NumericOp, GrowingNumeric<f32>),
    Double(NumericOp, GrowingNumeric<f64>),
    Hll(SketchMetric<HllSketch>),
    Theta(SketchMetric<ThetaSketch>),
    Quantiles(SketchMetric<KllSketch>),
}

impl Metric {
    pub(crate) fn new(spec: MetricSpec) -> Result<Self> {
        let sketch_error = |source| IndexError::Sketch { metric: spec.name.clone(), source };
        let column = match &spec.kind {
            MetricKind::Count => Column::Count(GrowingNumeric::new(0)),
            MetricKind::Numeric { op, column_type } => match column_type {
                ColumnType::Double => Column::Double(*op, GrowingNumeric::new(0)),
                ColumnType::Float => Column::Float(*op, GrowingNumeric::new(0)),
                _ => Column::Long(*op, GrowingNumeric::new(0)),
            },
            kind @ (MetricKind::HllBuild { .. }
            | MetricKind::HllMerge { .. }
            | MetricKind::HyperUnique) => {
                Column::Hll(SketchMetric::new(kind).map_err(sketch_error)?)
            }
            kind @ MetricKind::Theta { .. } => {
                Column::Theta(SketchMetric::new(kind).map_err(sketch_error)?)
            }
            kind @ MetricKind::Quantiles { .. } => {
                Column::Quantiles(SketchMetric::new(kind).map_err(sketch_error)?)
            }
        };
        Ok(Self { spec, column })
    }

    pub(crate) fn spec(&self) -> &MetricSpec {
        &self.spec
    }

    /// Bytes of one row, sketches aside.
    pub(crate) fn row_bytes(&self) -> usize {
        if matches!(self.column, Column::Float(..)) { 4 } else { 8 }
    }

    fn sketch_error(&self, source: henge_sketch::SketchError) -> IndexError {
        IndexError::Sketch { metric: self.spec.name.clone(), source }
    }

    /// Reads what must be read before anything is changed, because it can fail.
    #[inline]
    pub(crate) fn prepare(&mut self, value: &ValueRef<'_>) -> Result<()> {
        let prepared = match &mut self.column {
            Column::Hll(column) => column.prepare(value),
            Column::Theta(column) => column.prepare(value),
            Column::Quantiles(column) => column.prepare(value),
            _ => return Ok(()),
        };
        prepared.map_err(|source| self.sketch_error(source))
    }

    /// False when the sum with the value would have no place in an existing row: the event then gets
    /// a row of its own.
    ///
    /// # Errors
    /// When the prepared value cannot be added to the row.
    #[inline]
    pub(crate) fn takes(&self, row: usize, value: &ValueRef<'_>) -> Result<bool> {
        let checked = match &self.column {
            Column::Long(NumericOp::Sum, column) => {
                let sum = column.get(row).zip(coerce::as_long(value));
                return Ok(sum.is_none_or(|(sum, value)| sum.checked_add(value).is_some()));
            }
            Column::Hll(column) => column.check(row),
            Column::Theta(column) => column.check(row),
            Column::Quantiles(column) => column.check(row),
            _ => return Ok(true),
        };
        checked.map(|()| true).map_err(|source| self.sketch_error(source))
    }

    /// Appends a row of one prepared value; answers the bytes it cost beyond the row.
    #[inline]
    pub(crate) fn push(&mut self, row: usize, value: &ValueRef<'_>) -> Result<usize> {
        match &mut self.column {
            Column::Count(column) => column.push(row, Some(1)),
            Column::Long(_, column) => column.push(row, coerce::as_long(value)),
            Column::Float(_, column) => column.push(row, coerce::as_float(value)),
            Column::Double(_, column) => column.push(row, coerce::as_double(value)),
            Column::Hll(column) => column.push_null(),
            Column::Theta(column) => column.push_null(),
            Column::Quantiles(column) => column.push_null(),
        }
        self.update_sketch(row, value).map(|(_, after)| after)
    }

    /// Adds a prepared and checked value to a row; answers the bytes its sketch had and has.
    #[inline]
    pub(crate) fn update(&mut self, row: usize, value: &ValueRef<'_>) -> Result<(usize, usize)> {
        match &mut self.column {
            Column::Count(column) => update(column, row, Some(1), i64::saturating_add),
            Column::Long(op, column) => {
                let op = match op {
                    // Saturating never happens: the sum was checked.
                    NumericOp::Sum => i64::saturating_add,
                    NumericOp::Min => i64::min,
                    NumericOp::Max => i64::max,
                };
                update(column, row, coerce::as_long(value), op);
            }
            Column::Float(op, column) => {
                let op = match op {
                    NumericOp::Sum => |a, b| a + b,
                    NumericOp::Min => f32::min,
                    NumericOp::Max => f32::max,
                };
                update(column, row, coerce::as_float(value), op);
            }
            Column::Double(op, column) => {
                let op = match op {
                    NumericOp::Sum => |a, b| a + b,
                    NumericOp::Min => f64::min,
                    NumericOp::Max => f64::max,
                };
                update(column, row, coerce::as_double(value), op);
            }
            Column::Hll(_) | Column::Theta(_) | Column::Quantiles(_) => {
                return self.update_sketch(row, value);
            }
        }
        Ok((0, 0))
    }

    fn update_sketch(&mut self, row: usize, value: &ValueRef<'_>) -> Result<(usize, usize)> {
        let updated = match &mut self.column {
            Column::Hll(column) => column.update(row, value),
            Column::Theta(column) => column.update(row, value),
            Column::Quantiles(column) => column.update(row, value),
            _ => return Ok((0, 0)),
        };
        updated.map_err(|source| self.sketch_error(source))
    }

    pub(crate) fn has_nulls(&self) -> bool {
        match &self.column {
            Column::Count(column) | Column::Long(_, column) => column.has_nulls(),
            Column::Float(_, column) => column.has_nulls(),
            Column::Double(_, column) => column.has_nulls(),
            Column::Hll(column) => column.has_nulls(),
            Column::Theta(column) => column.has_nulls(),
            Column::Quantiles(column) => column.has_nulls(),
        }
    }

    pub(crate) fn snapshot(&self) -> SnapshotColumn {
        let type_name = || match self.spec.kind.column_type() {
            ColumnType::Complex(name) => name,
            other => other.to_string(),
        };
        match &self.column {
            Column::Count(column) | Column::Long(_, column) => {
                SnapshotColumn::Long(column.snapshot())
            }
            Column::Float(_, column) => SnapshotColumn::Float(column.snapshot()),
            Column::Double(_, column) => SnapshotColumn::Double(column.snapshot()),
            Column::Hll(column) => SnapshotColumn::Complex(Box::new(column.snapshot(type_name()))),
            Column::Theta(column) => {
                SnapshotColumn::Complex(Box::new(column.snapshot(type_name())))
            }
            Column::Quantiles(column) => {
                SnapshotColumn::Complex(Box::new(column.snapshot(type_name())))
            }
        }
    }
}

/// Null inputs are skipped; a null state takes the first value.
#[inline]
fn update<T: Copy + Default>(
    column: &mut GrowingNumeric<T>,
    row: usize,
    value: Option<T>,
    op: fn(T, T) -> T,
) {
    if let Some(value) = value {
        let state = column.get(row).map_or(value, |state| op(state, value));
        column.set(row, state);
    }
}
