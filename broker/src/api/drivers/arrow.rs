//! [`Cell`]: a value of a row batch, as drivers that speak of rows take it.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMillisecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use henge_sql::{Result, SqlError};
use henge_types::ErrorClass;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Boolean(bool),
    /// Whole numbers of all widths.
    Long(i64),
    Float(f32),
    Double(f64),
    Text(String),
    /// Milliseconds since 1970 in UTC.
    Timestamp(i64),
    /// Days since 1970.
    Date(i32),
    Array(Vec<Cell>),
}

/// The value of a column in a row.
///
/// # Errors
/// When the column is of a type that answers do not have.
pub(crate) fn cell(column: &dyn Array, row: usize) -> Result<Cell> {
    if column.is_null(row) {
        return Ok(Cell::Null);
    }
    Ok(match column.data_type() {
        DataType::Null => Cell::Null,
        DataType::Boolean => Cell::Boolean(column.as_boolean().value(row)),
        DataType::Int64 => Cell::Long(column.as_primitive::<Int64Type>().value(row)),
        DataType::Int32 => Cell::Long(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int16 => Cell::Long(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int8 => Cell::Long(column.as_primitive::<Int8Type>().value(row).into()),
        DataType::UInt8 => Cell::Long(column.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Cell::Long(column.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Cell::Long(column.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => {
            let value = column.as_primitive::<UInt64Type>().value(row);
            let too_large = |_| SqlError::invalid(format!("{value} is too large for a BIGINT"));
            Cell::Long(i64::try_from(value).map_err(too_large)?)
        }
        DataType::Float32 => Cell::Float(column.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => Cell::Double(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Cell::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::LargeUtf8 => Cell::Text(column.as_string::<i64>().value(row).to_owned()),
        DataType::Utf8View => Cell::Text(column.as_string_view().value(row).to_owned()),
        DataType::Date32 => Cell::Date(column.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            Cell::Timestamp(column.as_primitive::<TimestampMillisecondType>().value(row))
        }
        DataType::List(_) => array(&column.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => array(&column.as_list::<i64>().value(row))?,
        other => {
            let message = format!("values of the Arrow type {other} cannot be sent to a driver");
            return Err(SqlError::new(ErrorClass::Internal, message));
        }
    })
}

fn array(values: &ArrayRef) -> Result<Cell> {
    let cells = (0..values.len()).map(|index| cell(values, index));
    Ok(Cell::Array(cells.collect::<Result<_>>()?))
}
