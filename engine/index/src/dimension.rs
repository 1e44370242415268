//! A dimension of any type.

use henge_types::{ColumnType, ValueRef};

use crate::coerce;
use crate::numeric::GrowingNumeric;
use crate::rollup::KeyBuilder;
use crate::schema::DimensionSchema;
use crate::snapshot::SnapshotColumn;
use crate::string_dimension::{Resolved, RowScratch, StringDimension};

/// A growing dimension.
#[derive(Debug)]
pub(crate) enum Dimension {
    String(Box<StringDimension>),
    Long(GrowingNumeric<i64>),
    Float(GrowingNumeric<f32>),
    Double(GrowingNumeric<f64>),
}

/// One row's value in a dimension's terms.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell {
    Text(Resolved),
    Long(Option<i64>),
    Float(Option<f32>),
    Double(Option<f64>),
}

impl Dimension {
    /// A dimension whose first `rows` rows are null.
    pub(crate) fn new(schema: &DimensionSchema, rows: usize) -> Self {
        match schema.column_type {
            ColumnType::Long => Self::Long(GrowingNumeric::new(rows)),
            ColumnType::Float => Self::Float(GrowingNumeric::new(rows)),
            ColumnType::Double => Self::Double(GrowingNumeric::new(rows)),
            ColumnType::String | ColumnType::Complex(_) => {
                Self::String(Box::new(StringDimension::new(rows, schema.multi_value)))
            }
        }
    }

    /// Bytes of one row.
    pub(crate) fn row_bytes(&self) -> usize {
        match self {
            Self::String(_) | Self::Float(_) => 4,
            Self::Long(_) | Self::Double(_) => 8,
        }
    }

    /// Coerces a value, and hashes it when it is text.
    #[inline]
    pub(crate) fn coerce(&self, value: &ValueRef<'_>) -> Cell {
        match self {
            Self::String(column) => Cell::Text(column.hash(value)),
            Self::Long(_) => Cell::Long(coerce::as_long(value)),
            Self::Float(_) => Cell::Float(coerce::as_float(value)),
            Self::Double(_) => Cell::Double(coerce::as_double(value)),
        }
    }

    /// Finds the number of a coerced value without changing anything.
    #[inline]
    pub(crate) fn look_up(&self, value: &ValueRef<'_>, cell: &mut Cell, scratch: &mut RowScratch) {
        if let (Self::String(column), Cell::Text(resolved)) = (self, cell) {
            *resolved = column.resolve(value, *resolved, scratch);
        }
    }

    /// Makes a resolved value known, appends it, and answers the bytes that cost beyond the row.
    #[inline]
    pub(crate) fn push(
        &mut self,
        row: usize,
        value: &ValueRef<'_>,
        cell: &mut Cell,
        scratch: &mut RowScratch,
    ) -> usize {
        match (self, cell) {
            (Self::String(column), Cell::Text(resolved)) => {
                let (number, bytes) = column.intern(value, *resolved, scratch);
                *resolved = Resolved::Known(number);
                column.push(number);
                return bytes;
            }
            (Self::Long(column), Cell::Long(value)) => column.push(row, *value),
            (Self::Float(column), Cell::Float(value)) => column.push(row, *value),
            (Self::Double(column), Cell::Double(value)) => column.push(row, *value),
            // Cells come from `resolve` of the same dimension.
            _ => debug_assert!(false, "cell of another dimension"),
        }
        0
    }

    pub(crate) fn is_multi_value(&self) -> bool {
        matches!(self, Self::String(column) if column.is_multi_value())
    }

    pub(crate) fn has_nulls(&self) -> bool {
        match self {
            Self::String(column) => column.has_nulls(),
            Self::Long(column) => column.has_nulls(),
            Self::Float(column) => column.has_nulls(),
            Self::Double(column) => column.has_nulls(),
        }
    }

    pub(crate) fn snapshot(&mut self) -> SnapshotColumn {
        match self {
            Self::String(column) => SnapshotColumn::String(column.snapshot()),
            Self::Long(column) => SnapshotColumn::Long(column.snapshot()),
            Self::Float(column) => SnapshotColumn::Float(column.snapshot()),
            Self::Double(column) => SnapshotColumn::Double(column.snapshot()),
        }
    }
}

impl Cell {
    /// True when the value is one that the index has no number for yet.
    #[inline]
    pub(crate) fn is_new(&self) -> bool {
        matches!(self, Self::Text(Resolved::NewValue(_) | Resolved::NewList))
    }

    /// Adds the value to a roll-up key.
    #[inline]
    pub(crate) fn add_to(&self, key: &mut KeyBuilder) {
        match self {
            Self::Text(Resolved::Known(number)) => key.number(*number),
            Self::Text(_) => key.number(0),
            Self::Long(value) => key.wide(value.map(|value| value as u64)),
            Self::Float(value) => key.wide(value.map(|value| canonical(f64::from(value)))),
            Self::Double(value) => key.wide(value.map(canonical)),
        }
    }
}

/// One zero and one NaN, as grouping by the column would have it (H-20).
fn canonical(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() }
}
