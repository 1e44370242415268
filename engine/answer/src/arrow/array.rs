//! Arrow arrays of a field's values, from whatever columns these are in.

use std::sync::Arc;

use arrow_array::builder::{PrimitiveBuilder, StringBuilder};
use arrow_array::types::{Float32Type, Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, NullArray, PrimitiveArray};
use arrow_schema::{DataType, Field, TimeUnit};
use henge_exec::{FieldType, Result};
use henge_vector::{Column, optional};

use crate::arrow::list::list_array;
use crate::arrow::text::append_texts;

/// The zone of all times.
const ZONE: &str = "UTC";

/// Some rows of a column; of none, nulls.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) column: Option<&'a Column>,
    pub(super) rows: &'a [u32],
}

/// The Arrow type of a field.
pub(super) fn data_type(field_type: &FieldType) -> DataType {
    match field_type {
        FieldType::Null => DataType::Null,
        FieldType::Time => DataType::Timestamp(TimeUnit::Millisecond, Some(ZONE.into())),
        FieldType::Long => DataType::Int64,
        FieldType::Float => DataType::Float32,
        FieldType::Double => DataType::Float64,
        FieldType::String | FieldType::Complex => DataType::Utf8,
        FieldType::Array(items) => {
            DataType::List(Arc::new(Field::new_list_field(data_type(items), true)))
        }
    }
}

/// The values of some rows, part after part, as the field's type.
pub(super) fn array(field_type: &FieldType, parts: &[Part<'_>]) -> Result<ArrayRef> {
    let rows = parts.iter().map(|part| part.rows.len()).sum();
    Ok(match field_type {
        FieldType::Null => Arc::new(NullArray::new(rows)),
        FieldType::Time => {
            let times: PrimitiveArray<TimestampMillisecondType> =
                longs(parts, rows).reinterpret_cast();
            Arc::new(times.with_timezone(ZONE))
        }
        FieldType::Long => Arc::new(longs(parts, rows)),
        FieldType::Float => Arc::new(primitive::<Float32Type>(
            parts,
            rows,
            |column, row| column.double(row).map(|value| value as f32),
            |column| match column {
                Column::Float(values) => Some(values),
                _other => None,
            },
        )),
        FieldType::Double => {
            Arc::new(primitive::<Float64Type>(parts, rows, Column::double, |column| match column {
                Column::Double(values) => Some(values),
                _other => None,
            }))
        }
        FieldType::String | FieldType::Complex => {
            let mut texts = StringBuilder::with_capacity(rows, 0);
            parts.iter().for_each(|part| append_texts(&mut texts, *part));
            Arc::new(texts.finish())
        }
        FieldType::Array(items) => list_array(items, parts)?,
    })
}

fn longs(parts: &[Part<'_>], rows: usize) -> PrimitiveArray<Int64Type> {
    primitive::<Int64Type>(parts, rows, Column::long, |column| match column {
        Column::Long(values) => Some(values),
        _other => None,
    })
}

/// Numbers: copied from an array where `stored` finds one, else asked for one by one.
fn primitive<T: ArrowPrimitiveType>(
    parts: &[Part<'_>],
    rows: usize,
    value: impl Fn(&Column, usize) -> Option<T::Native>,
    stored: impl Fn(&Column) -> Option<&PrimitiveArray<T>>,
) -> PrimitiveArray<T> {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(rows);
    for part in parts {
        let Some(column) = part.column else {
            builder.append_nulls(part.rows.len());
            continue;
        };
        let rows = part.rows.iter().map(|row| *row as usize);
        match stored(column) {
            Some(values) if values.null_count() == 0 => {
                rows.for_each(|row| builder.append_value(values.value(row)));
            }
            Some(values) => rows.for_each(|row| builder.append_option(optional(values, row))),
            None => rows.for_each(|row| builder.append_option(value(column, row))),
        }
    }
    builder.finish()
}
