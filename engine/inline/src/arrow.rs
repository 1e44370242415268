//! Rows of Arrow record batches.

use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, GenericListArray, GenericStringArray,
    OffsetSizeTrait, PrimitiveArray, RecordBatch, StringViewArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use henge_exec::{ExecError, QueryMemory, Result};
use henge_expr::ExprValue;
use henge_types::ValueType;

use crate::build::{Kind, of_values};
use crate::objects::objects_of;
use crate::segment::InlineSegment;

/// Field metadata that names the type of stored objects.
const DRUID_TYPE: &str = "druid.type";

/// The milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Rows of record batches of a schema: integers, truth values, dates and times are LONG (times in
/// milliseconds), floats FLOAT and DOUBLE, texts STRING, lists of texts STRING with several values a
/// row, lists of numbers arrays; texts whose field says `druid.type` are the stored objects of that type. A column
/// `__time` is the rows' time.
///
/// # Errors
/// For other types, and when the query's account has no room.
pub fn rows_of_batches(
    schema: &Schema,
    batches: &[RecordBatch],
    memory: Option<&QueryMemory>,
) -> Result<InlineSegment> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (at, field) in schema.fields().iter().enumerate() {
        let kind = kind_of(field.data_type()).ok_or_else(|| {
            let (name, data_type) = (field.name(), field.data_type());
            ExecError::Invalid(format!(
                "column '{name}' is {data_type}, which cannot be aggregated"
            ))
        })?;
        let mut values = Vec::with_capacity(rows);
        for batch in batches {
            push_all(batch.column(at), &mut values)?;
        }
        let values = match object_type(field) {
            Some(type_name) => objects_of(field.name(), type_name, values)?,
            None => of_values(kind, values.into_iter()),
        };
        columns.push((field.name().clone(), values));
    }
    InlineSegment::new(columns, rows, memory)
}

/// The type of the objects that a column of text holds. JSON documents are texts.
fn object_type(field: &Field) -> Option<&str> {
    let name = field.metadata().get(DRUID_TYPE)?;
    let name = name.strip_prefix("COMPLEX<")?.strip_suffix('>')?;
    (name != "json" && kind_of(field.data_type()) == Some(Kind::Text)).then_some(name)
}

fn kind_of(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Float32 => Kind::Float,
        DataType::Float64 => Kind::Double,
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::List(item) | DataType::LargeList(item) => match kind_of(item.data_type())? {
            Kind::Long => Kind::Array(ValueType::Long),
            Kind::Float | Kind::Double => Kind::Array(ValueType::Double),
            Kind::Text => Kind::Lists,
            _ => return None,
        },
        DataType::Boolean | DataType::Date32 | DataType::Timestamp(..) => Kind::Long,
        integer if integer.is_integer() => Kind::Long,
        _ => return None,
    })
}

fn push_all(array: &ArrayRef, values: &mut Vec<ExprValue>) -> Result<()> {
    match array.data_type() {
        DataType::Null => values.extend((0..array.len()).map(|_| ExprValue::Null)),
        DataType::Boolean => {
            let array = cast::<BooleanArray>(array)?;
            values.extend(array.iter().map(|value| ExprValue::from(value.map(i64::from))));
        }
        DataType::Int8 => numbers::<Int8Type>(array, values, |value| i64::from(value).into())?,
        DataType::Int16 => numbers::<Int16Type>(array, values, |value| i64::from(value).into())?,
        DataType::Int32 => numbers::<Int32Type>(array, values, |value| i64::from(value).into())?,
        DataType::Int64 => numbers::<Int64Type>(array, values, Into::into)?,
        DataType::UInt8 => numbers::<UInt8Type>(array, values, |value| i64::from(value).into())?,
        DataType::UInt16 => numbers::<UInt16Type>(array, values, |value| i64::from(value).into())?,
        DataType::UInt32 => numbers::<UInt32Type>(array, values, |value| i64::from(value).into())?,
        DataType::UInt64 => numbers::<UInt64Type>(array, values, |value| {
            i64::try_from(value).unwrap_or(i64::MAX).into()
        })?,
        DataType::Float32 => {
            numbers::<Float32Type>(array, values, |value| f64::from(value).into())?;
        }
        DataType::Float64 => numbers::<Float64Type>(array, values, Into::into)?,
        DataType::Date32 => {
            numbers::<Date32Type>(array, values, |days| (i64::from(days) * DAY_MS).into())?;
        }
        DataType::Timestamp(unit, _) => times(array, *unit, values)?,
        DataType::Utf8 => texts::<i32>(array, values)?,
        DataType::LargeUtf8 => texts::<i64>(array, values)?,
        DataType::Utf8View => {
            let array = cast::<StringViewArray>(array)?;
            values.extend(array.iter().map(ExprValue::from));
        }
        DataType::List(_) => lists::<i32>(array, values)?,
        DataType::LargeList(_) => lists::<i64>(array, values)?,
        other => return Err(ExecError::Internal(format!("no values of {other}"))),
    }
    Ok(())
}

fn cast<A: 'static>(array: &ArrayRef) -> Result<&A> {
    array
        .as_any()
        .downcast_ref()
        .ok_or_else(|| ExecError::Internal("an array is not what its type says".to_owned()))
}

fn numbers<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    values: &mut Vec<ExprValue>,
    value: impl Fn(T::Native) -> ExprValue,
) -> Result<()> {
    let array = cast::<PrimitiveArray<T>>(array)?;
    values.extend(array.iter().map(|item| item.map_or(ExprValue::Null, &value)));
    Ok(())
}

fn times(array: &ArrayRef, unit: TimeUnit, values: &mut Vec<ExprValue>) -> Result<()> {
    match unit {
        TimeUnit::Second => {
            numbers::<TimestampSecondType>(array, values, |s| s.saturating_mul(1_000).into())
        }
        TimeUnit::Millisecond => numbers::<TimestampMillisecondType>(array, values, Into::into),
        TimeUnit::Microsecond => {
            numbers::<TimestampMicrosecondType>(array, values, |us| us.div_euclid(1_000).into())
        }
        TimeUnit::Nanosecond => {
            numbers::<TimestampNanosecondType>(array, values, |ns| ns.div_euclid(1_000_000).into())
        }
    }
}

fn texts<O: OffsetSizeTrait>(array: &ArrayRef, values: &mut Vec<ExprValue>) -> Result<()> {
    let array = cast::<GenericStringArray<O>>(array)?;
    values.extend(array.iter().map(ExprValue::from));
    Ok(())
}

fn lists<O: OffsetSizeTrait>(array: &ArrayRef, values: &mut Vec<ExprValue>) -> Result<()> {
    let array = cast::<GenericListArray<O>>(array)?;
    for item in array.iter() {
        let Some(item) = item else {
            values.push(ExprValue::Null);
            continue;
        };
        let mut elements = Vec::with_capacity(item.len());
        push_all(&item, &mut elements)?;
        values.push(elements.into());
    }
    Ok(())
}
