//! Batches as rows of JSON, as Druid's `resultFormat: array` has them.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use serde_json::{Value, json};

/// The rows of a batch.
pub(crate) fn of(batch: &RecordBatch) -> Vec<Vec<Value>> {
    let row = |row| batch.columns().iter().map(|column| value(column.as_ref(), row)).collect();
    (0..batch.num_rows()).map(row).collect()
}

fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => float(array.as_primitive::<Float32Type>().value(row)),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let ms = array.as_primitive::<TimestampMillisecondType>().value(row);
            henge_types::format_timestamp(ms).into()
        }
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(row);
            henge_types::format_timestamp(i64::from(days) * 86_400_000).into()
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>().value(row);
            (0..list.len()).map(|at| value(list.as_ref(), at)).collect()
        }
        DataType::Null => Value::Null,
        other => json!(format!("a value of type {other}")),
    }
}

fn double(number: f64) -> Value {
    serde_json::Number::from_f64(number).map_or_else(|| special(number), Value::Number)
}

/// With the digits of a float, not of the double that it is.
fn float(number: f32) -> Value {
    let digits: f64 = number.to_string().parse().unwrap_or_default();
    if number.is_finite() { double(digits) } else { special(number.into()) }
}

fn special(number: f64) -> Value {
    if number.is_nan() {
        "NaN".into()
    } else if number > 0.0 {
        "Infinity".into()
    } else {
        "-Infinity".into()
    }
}
