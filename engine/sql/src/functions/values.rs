//! Arrow's arrays as values of the native language, and back.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int64Array,
    ListArray, StringBuilder, TimestampMillisecondArray, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Field, Float32Type, Float64Type, Int64Type, TimestampMillisecondType,
};
use datafusion::common::{Result, exec_err};
use henge_expr::ExprValue;

use super::types;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// A column of a batch whose values are read one by one.
pub(super) struct Reader {
    array: ArrayRef,
    multi_value: bool,
}

impl Reader {
    /// Over an array of any type that SQL has; `field` says whether it holds several values a row.
    pub(super) fn new(array: &ArrayRef, field: &Field) -> Result<Self> {
        let wanted = types::normal(array.data_type());
        let array =
            if *array.data_type() == wanted { Arc::clone(array) } else { cast(array, &wanted)? };
        Ok(Self { array, multi_value: is_multi_value(field) })
    }

    /// The value of a row.
    pub(super) fn get(&self, row: usize) -> ExprValue {
        match value(&self.array, row) {
            ExprValue::String(text) if self.multi_value => several(text),
            value => value,
        }
    }
}

/// True for VARCHAR of which a row may have several values.
pub(super) fn is_multi_value(field: &Field) -> bool {
    field.metadata().contains_key(types::MULTI_VALUE)
}

/// Several values as SQL prints them are JSON; one stands by itself.
fn several(text: Arc<str>) -> ExprValue {
    if !text.starts_with('[') {
        return ExprValue::String(text);
    }
    match serde_json::from_str::<Vec<Option<String>>>(&text) {
        Ok(values) => values.into_iter().map(ExprValue::from).collect::<Vec<_>>().into(),
        Err(_) => ExprValue::String(text),
    }
}

fn value(array: &ArrayRef, row: usize) -> ExprValue {
    if array.is_null(row) {
        return ExprValue::Null;
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
        DataType::Float32 => f64::from(array.as_primitive::<Float32Type>().value(row)).into(),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Timestamp(..) => {
            array.as_primitive::<TimestampMillisecondType>().value(row).into()
        }
        DataType::Date32 => {
            (i64::from(array.as_primitive::<Date32Type>().value(row)) * DAY_MS).into()
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|index| value(&items, index)).collect::<Vec<_>>().into()
        }
        _ => ExprValue::Null,
    }
}

/// Values as an array of a type that SQL has.
pub(super) fn array(values: &[ExprValue], field: &Field) -> Result<ArrayRef> {
    if is_multi_value(field) {
        return Ok(texts(values, printed));
    }
    typed(values, field.data_type())
}

fn typed(values: &[ExprValue], data_type: &DataType) -> Result<ArrayRef> {
    let longs = || values.iter().map(ExprValue::as_long);
    Ok(match data_type {
        DataType::Null => new_null_array(&DataType::Null, values.len()),
        DataType::Utf8 => texts(values, |value| value.as_text().map(|text| text.into_owned())),
        DataType::Int64 => Arc::new(longs().collect::<Int64Array>()),
        DataType::Float64 => Arc::new(doubles(values).collect::<Float64Array>()),
        DataType::Float32 => {
            let floats = doubles(values).map(|double| double.map(|double| double as f32));
            Arc::new(floats.collect::<Float32Array>())
        }
        DataType::Boolean => {
            Arc::new(values.iter().map(ExprValue::truth).collect::<BooleanArray>())
        }
        DataType::Timestamp(..) => Arc::new(longs().collect::<TimestampMillisecondArray>()),
        DataType::Date32 => {
            let days =
                longs().map(|ms| ms.and_then(|ms| i32::try_from(ms.div_euclid(DAY_MS)).ok()));
            Arc::new(days.collect::<Date32Array>())
        }
        DataType::List(element) => lists(values, element)?,
        other => return exec_err!("no expression gives {other}"),
    })
}

/// Numbers. There is one NaN, the last of them: what zero divided by zero is to a processor differs from it in bits.
fn doubles(values: &[ExprValue]) -> impl Iterator<Item = Option<f64>> {
    let one = |double: f64| if double.is_nan() { f64::NAN } else { double };
    values.iter().map(move |value| value.as_double().map(one))
}

fn texts(values: &[ExprValue], text: impl Fn(&ExprValue) -> Option<String>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    for value in values {
        match value {
            ExprValue::String(text) => builder.append_value(text),
            other => builder.append_option(text(other)),
        }
    }
    Arc::new(builder.finish())
}

/// Several values as SQL prints them.
fn printed(value: &ExprValue) -> Option<String> {
    match value {
        ExprValue::Array(items) => match items.as_ref() {
            [one] => one.as_text().map(|text| text.into_owned()),
            several => {
                let texts: Vec<_> = several.iter().map(ExprValue::as_text).collect();
                serde_json::to_string(&texts).ok()
            }
        },
        scalar => scalar.as_text().map(|text| text.into_owned()),
    }
}

fn lists(values: &[ExprValue], element: &Arc<Field>) -> Result<ArrayRef> {
    let mut items = Vec::new();
    let mut lengths = Vec::with_capacity(values.len());
    for value in values {
        let before = items.len();
        match value {
            ExprValue::Null => {}
            ExprValue::Array(several) => items.extend(several.iter().cloned()),
            scalar => items.push(scalar.clone()),
        }
        lengths.push(items.len() - before);
    }
    let nulls = NullBuffer::from_iter(values.iter().map(|value| !value.is_null()));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let items = typed(&items, element.data_type())?;
    Ok(Arc::new(ListArray::try_new(Arc::clone(element), offsets, items, Some(nulls))?))
}
