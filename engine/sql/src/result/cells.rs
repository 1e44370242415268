//! [`Cells`]: the values of one column of a batch, of the types that answers have, written as JSON or CSV.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{
    Array, BooleanArray, Date32Array, Float32Array, Float64Array, Int64Array, ListArray,
    StringArray, StringViewArray, TimestampMillisecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use henge_types::{ErrorClass, json};

use super::encoding::Encoding;
use crate::error::{Result, SqlError};

/// The values of a column of a batch.
#[derive(Debug, Clone, Copy)]
pub enum Cells<'a> {
    /// Nothing but nulls.
    Null,
    /// VARCHAR, and the text of COMPLEX.
    Text(&'a StringArray),
    /// The same in another layout.
    TextView(&'a StringViewArray),
    /// BIGINT.
    Long(&'a Int64Array),
    /// FLOAT.
    Float(&'a Float32Array),
    /// DOUBLE.
    Double(&'a Float64Array),
    /// BOOLEAN.
    Boolean(&'a BooleanArray),
    /// TIMESTAMP, in milliseconds.
    Time(&'a TimestampMillisecondArray),
    /// DATE, in days.
    Date(&'a Date32Array),
    /// ARRAY.
    List(&'a ListArray),
}

impl<'a> Cells<'a> {
    /// The values of an array.
    ///
    /// # Errors
    /// When it is of a type that no answer has.
    pub fn of(array: &'a dyn Array) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Utf8View => Self::TextView(array.as_string_view()),
            DataType::Int64 => Self::Long(array.as_primitive::<Int64Type>()),
            DataType::Float32 => Self::Float(array.as_primitive::<Float32Type>()),
            DataType::Float64 => Self::Double(array.as_primitive::<Float64Type>()),
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                Self::Time(array.as_primitive::<TimestampMillisecondType>())
            }
            DataType::Date32 => Self::Date(array.as_primitive::<Date32Type>()),
            DataType::List(_) => Self::List(array.as_list()),
            other => {
                let message =
                    format!("an answer has a column of type {other}, which is not written");
                return Err(SqlError::new(ErrorClass::Internal, message));
            }
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null => true,
            Self::Text(values) => values.is_null(row),
            Self::TextView(values) => values.is_null(row),
            Self::Long(values) => values.is_null(row),
            Self::Float(values) => values.is_null(row),
            Self::Double(values) => values.is_null(row),
            Self::Boolean(values) => values.is_null(row),
            Self::Time(values) => values.is_null(row),
            Self::Date(values) => values.is_null(row),
            Self::List(values) => values.is_null(row),
        }
    }

    /// Appends a value as JSON.
    ///
    /// # Errors
    /// When an item of a list is of a type that no answer has.
    pub(super) fn write_json(
        &self,
        out: &mut Vec<u8>,
        row: usize,
        encoding: &Encoding,
    ) -> Result<()> {
        if self.is_null(row) {
            json::write_null(out);
            return Ok(());
        }
        match self {
            Self::Null => json::write_null(out),
            Self::Text(values) => json::write_string(out, values.value(row)),
            Self::TextView(values) => json::write_string(out, values.value(row)),
            Self::Long(values) => json::write_long(out, values.value(row)),
            Self::Float(values) => json::write_float(out, values.value(row)),
            Self::Double(values) => json::write_double(out, values.value(row)),
            Self::Boolean(values) => json::write_bool(out, values.value(row)),
            Self::Time(values) => quoted(out, |out| encoding.write_instant(out, values.value(row))),
            Self::Date(values) => quoted(out, |out| encoding.write_date(out, values.value(row))),
            Self::List(values) => {
                let list = list_json(&*values.value(row), encoding)?;
                match encoding.stringify_arrays {
                    true => json::write_string(out, &String::from_utf8_lossy(&list)),
                    false => out.extend_from_slice(&list),
                }
            }
        }
        Ok(())
    }

    /// Appends a value as CSV: null is nothing, and quotes stand where a reader needs them.
    ///
    /// # Errors
    /// As [`Cells::write_json`].
    pub(super) fn write_csv(
        &self,
        out: &mut Vec<u8>,
        row: usize,
        encoding: &Encoding,
    ) -> Result<()> {
        if self.is_null(row) {
            return Ok(());
        }
        match self {
            Self::Text(values) => write_csv_text(out, values.value(row)),
            Self::TextView(values) => write_csv_text(out, values.value(row)),
            Self::Time(values) => encoding.write_instant(out, values.value(row)),
            Self::Date(values) => encoding.write_date(out, values.value(row)),
            Self::Float(values) if !values.value(row).is_finite() => {
                write_not_finite(out, f64::from(values.value(row)));
            }
            Self::Double(values) if !values.value(row).is_finite() => {
                write_not_finite(out, values.value(row));
            }
            Self::List(values) => {
                let list = list_json(&*values.value(row), encoding)?;
                write_csv_text(out, &String::from_utf8_lossy(&list));
            }
            Self::Null | Self::Long(_) | Self::Float(_) | Self::Double(_) | Self::Boolean(_) => {
                self.write_json(out, row, encoding)?;
            }
        }
        Ok(())
    }
}

/// Text between commas, in quotes when it holds what would end it.
pub(super) fn write_csv_text(out: &mut Vec<u8>, text: &str) {
    if !text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn write_not_finite(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(match value {
        value if value.is_nan() => b"NaN",
        value if value > 0.0 => b"Infinity",
        _ => b"-Infinity",
    });
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

/// A list as JSON; lists in it are JSON as well.
fn list_json(items: &dyn Array, encoding: &Encoding) -> Result<Vec<u8>> {
    let mut inner = encoding.clone();
    inner.stringify_arrays = false;
    let cells = Cells::of(items)?;
    let mut out = vec![b'['];
    for item in 0..items.len() {
        if item > 0 {
            out.push(b',');
        }
        cells.write_json(&mut out, item, &inner)?;
    }
    out.push(b']');
    Ok(out)
}
