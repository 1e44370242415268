//! A dimension of any type.

use henge_segment::NULL_ID;
use henge_types::number::equality_bits;
use henge_types::{ValueRef, ValueType, coerce};

use crate::batch::ColumnRows;
use crate::numeric::GrowingNumeric;
use crate::rollup::KeyBuilder;
use crate::schema::{DimensionSchema, MultiValueHandling};
use crate::snapshot::SnapshotColumn;
use crate::string_dimension::{Resolved, RowScratch, StringDimension};

/// A growing dimension.
#[derive(Debug)]
pub(crate) enum Dimension {
    /// No row has a value so far: it costs next to nothing.
    Absent(ValueType, MultiValueHandling),
    String(Box<StringDimension>),
    Long(Box<GrowingNumeric<i64>>),
    Float(Box<GrowingNumeric<f32>>),
    Double(Box<GrowingNumeric<f64>>),
}

/// One row's value in a dimension's terms.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell {
    Text(Resolved),
    Long(Option<i64>),
    Float(Option<f32>),
    Double(Option<f64>),
}

/// The values of some rows in a dimension's terms.
#[derive(Debug)]
pub(crate) enum CellColumn {
    /// No row has a value.
    Absent(ValueType),
    /// The numbers of values and lists, which are known.
    Text(Vec<u32>),
    Long(Vec<Option<i64>>),
    Float(Vec<Option<f32>>),
    Double(Vec<Option<f64>>),
}

impl Dimension {
    /// A dimension without any value.
    pub(crate) fn new(schema: &DimensionSchema) -> Self {
        // A schema with dimensions of objects is refused.
        let value_type = schema.column_type.value_type().unwrap_or(ValueType::String);
        Self::Absent(value_type, schema.multi_value)
    }

    /// True while no row has a value.
    #[inline]
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent(..))
    }

    /// Makes room for values after `rows` rows without one. Answers the bytes of a row from now on.
    #[cold]
    pub(crate) fn begin(&mut self, rows: usize) -> usize {
        if let Self::Absent(absent, handling) = *self {
            *self = match absent {
                ValueType::Long => Self::Long(Box::new(GrowingNumeric::new(rows))),
                ValueType::Float => Self::Float(Box::new(GrowingNumeric::new(rows))),
                ValueType::Double => Self::Double(Box::new(GrowingNumeric::new(rows))),
                ValueType::String => Self::String(Box::new(StringDimension::new(rows, handling))),
            };
        }
        self.row_bytes()
    }

    /// Bytes of one row.
    fn row_bytes(&self) -> usize {
        match self {
            Self::Absent(..) => 0,
            Self::String(_) | Self::Float(_) => 4,
            Self::Long(_) | Self::Double(_) => 8,
        }
    }

    /// Coerces a value, and hashes it when it is text.
    #[inline]
    pub(crate) fn coerce(&self, value: &ValueRef<'_>) -> Cell {
        match self {
            Self::Absent(absent, _) => Cell::null(*absent),
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
            (Self::Absent(..), _) => {}
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
            (Self::String(_) | Self::Long(_) | Self::Float(_) | Self::Double(_), _) => {
                debug_assert!(false, "cell of another dimension");
            }
        }
        0
    }

    /// Coerces values and makes texts known; answers the bytes that they cost. An absent dimension has no
    /// values.
    pub(crate) fn intern_all(
        &mut self,
        values: &ColumnRows<'_>,
        scratch: &mut RowScratch,
    ) -> (CellColumn, usize) {
        let cells = match self {
            Self::Absent(absent, _) => CellColumn::Absent(*absent),
            Self::String(column) => {
                let (numbers, bytes) = column.intern_all(values, scratch);
                return (CellColumn::Text(numbers), bytes);
            }
            Self::Long(_) => CellColumn::Long(coerce_all(values, coerce::as_long)),
            Self::Float(_) => CellColumn::Float(coerce_all(values, coerce::as_float)),
            Self::Double(_) => CellColumn::Double(coerce_all(values, coerce::as_double)),
        };
        (cells, 0)
    }

    /// Appends values as the rows from `row` on; answers the bytes that cost beyond the rows.
    pub(crate) fn append(
        &mut self,
        row: usize,
        values: &ColumnRows<'_>,
        scratch: &mut RowScratch,
    ) -> usize {
        match self {
            Self::Absent(..) => 0,
            Self::String(column) => {
                let (numbers, bytes) = column.intern_all(values, scratch);
                column.extend(&numbers);
                bytes
            }
            Self::Long(column) => {
                match values.longs() {
                    Some(longs) => column.extend(row, longs),
                    None => append_each(column, row, values, coerce::as_long),
                }
                0
            }
            Self::Double(column) => {
                match values.doubles() {
                    Some(doubles) => column.extend(row, doubles),
                    None => append_each(column, row, values, coerce::as_double),
                }
                0
            }
            Self::Float(column) => {
                append_each(column, row, values, coerce::as_float);
                0
            }
        }
    }

    /// Appends some of the cells, which are given by position, as the rows from `row` on.
    pub(crate) fn push_all(&mut self, row: usize, cells: &CellColumn, positions: &[u32]) {
        let rows = positions.iter().map(|position| *position as usize).zip(row..);
        match (self, cells) {
            (Self::Absent(..), CellColumn::Absent(_)) => {}
            (Self::String(column), CellColumn::Text(numbers)) => {
                rows.for_each(|(position, _)| column.push(numbers[position]));
            }
            (Self::Long(column), CellColumn::Long(values)) => {
                rows.for_each(|(position, row)| column.push(row, values[position]));
            }
            (Self::Float(column), CellColumn::Float(values)) => {
                rows.for_each(|(position, row)| column.push(row, values[position]));
            }
            (Self::Double(column), CellColumn::Double(values)) => {
                rows.for_each(|(position, row)| column.push(row, values[position]));
            }
            // Cells come from the same dimension.
            (
                Self::Absent(..)
                | Self::String(_)
                | Self::Long(_)
                | Self::Float(_)
                | Self::Double(_),
                _,
            ) => debug_assert!(false, "cells of another dimension"),
        }
    }

    pub(crate) fn is_multi_value(&self) -> bool {
        matches!(self, Self::String(column) if column.is_multi_value())
    }

    /// True when one of the first `rows` rows, which are all there are, is null.
    pub(crate) fn has_nulls(&self, rows: usize) -> bool {
        match self {
            Self::Absent(..) => rows > 0,
            Self::String(column) => column.has_nulls(),
            Self::Long(column) => column.has_nulls(),
            Self::Float(column) => column.has_nulls(),
            Self::Double(column) => column.has_nulls(),
        }
    }

    pub(crate) fn snapshot(&mut self) -> SnapshotColumn {
        match self {
            Self::Absent(absent, _) => SnapshotColumn::Absent(*absent),
            Self::String(column) => column.snapshot().into(),
            Self::Long(column) => column.snapshot().into(),
            Self::Float(column) => column.snapshot().into(),
            Self::Double(column) => column.snapshot().into(),
        }
    }
}

fn coerce_all<T>(
    values: &ColumnRows<'_>,
    coerce: impl Fn(&ValueRef<'_>) -> Option<T>,
) -> Vec<Option<T>> {
    let mut coerced = Vec::with_capacity(values.len());
    values.for_each(|value| coerced.push(coerce(&value)));
    coerced
}

fn append_each<T: Copy + Default>(
    column: &mut GrowingNumeric<T>,
    row: usize,
    values: &ColumnRows<'_>,
    coerce: impl Fn(&ValueRef<'_>) -> Option<T>,
) {
    let mut rows = row..;
    values.for_each(|value| {
        if let Some(row) = rows.next() {
            column.push(row, coerce(&value));
        }
    });
}

impl CellColumn {
    /// Adds the value of a row to a roll-up key, as [`Cell::add_to`] does.
    #[inline]
    pub(crate) fn add_to(&self, row: usize, key: &mut KeyBuilder) {
        let cell = match self {
            Self::Absent(absent) => Cell::null(*absent),
            Self::Text(numbers) => Cell::Text(Resolved::Known(numbers[row])),
            Self::Long(values) => Cell::Long(values[row]),
            Self::Float(values) => Cell::Float(values[row]),
            Self::Double(values) => Cell::Double(values[row]),
        };
        cell.add_to(key);
    }
}

impl Cell {
    #[inline]
    fn null(value_type: ValueType) -> Self {
        match value_type {
            ValueType::String => Self::Text(Resolved::Known(NULL_ID)),
            ValueType::Long => Self::Long(None),
            ValueType::Float => Self::Float(None),
            ValueType::Double => Self::Double(None),
        }
    }

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
            Self::Float(value) => key.wide(value.map(|value| equality_bits(f64::from(value)))),
            Self::Double(value) => key.wide(value.map(equality_bits)),
        }
    }
}
