//! The columns of an answer as they were declared: picked by name, cast, null where the answer has none.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, Float64Array, ListArray, RecordBatch, RecordBatchOptions, new_null_array,
};
use arrow_schema::{ArrowError, DataType, SchemaRef, TimeUnit};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::TimestampMillisecondType;
use henge_types::TIME_COLUMN;

use super::print::print_lists;
use crate::aggregates;

const MILLISECONDS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// `names` are the columns of the answer, one for each field of `schema`.
pub(super) fn align(
    batch: &RecordBatch,
    names: &[String],
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let columns = names
        .iter()
        .zip(schema.fields())
        .map(|(name, field)| match found(batch, name) {
            Some(column) => declared(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// A column by name. The start of a bucket is `timestamp` in Druid's JSON and `__time` in our Arrow.
fn found<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a ArrayRef> {
    let bucket_start =
        || (name == "timestamp").then(|| batch.column_by_name(TIME_COLUMN)).flatten();
    batch.column_by_name(name).or_else(bucket_start)
}

/// A column in the type that was declared for it. What has it already is not copied.
fn declared(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    match (column.data_type(), wanted) {
        (found, wanted) if found == wanted => Ok(Arc::clone(column)),
        // What is nothing but null has no type: natively it is text or a number.
        (DataType::Null, _) | (_, DataType::Null) => Ok(new_null_array(wanted, column.len())),
        (DataType::List(_), DataType::Utf8) => print_lists(column.as_list()),
        (found, DataType::List(_)) if !found.is_nested() => lists_of_one(column, wanted),
        // Milliseconds of UTC either way.
        (
            DataType::Timestamp(TimeUnit::Millisecond, Some(_)),
            DataType::Timestamp(TimeUnit::Millisecond, None),
        ) => {
            let times = column.as_primitive::<TimestampMillisecondType>();
            Ok(Arc::new(times.clone().with_timezone_opt::<Arc<str>>(None)))
        }
        // Days are milliseconds natively as well.
        (DataType::Int64, DataType::Date32) => cast(&declared(column, &MILLISECONDS)?, wanted),
        // A sum of LONGs that 64 bits do not hold is a DOUBLE natively.
        (DataType::Float64, DataType::Int64) => whole(column.as_primitive()),
        // A number that a native query prints as text.
        (DataType::Utf8, DataType::Timestamp(..) | DataType::Date32) => {
            declared(&cast(column, &DataType::Int64)?, wanted)
        }
        _ => cast(column, wanted),
    }
}

/// Each value as a list; null is none.
fn lists_of_one(values: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    let lists = cast(values, wanted)?;
    let (field, offsets, items, _) = lists.as_list::<i32>().clone().into_parts();
    Ok(Arc::new(ListArray::try_new(field, offsets, items, values.nulls().cloned())?))
}

/// Doubles as integers.
fn whole(doubles: &Float64Array) -> Result<ArrayRef, ArrowError> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    let fits = |double: f64| (-BEYOND..BEYOND).contains(&double) || double.is_nan();
    if !doubles.iter().flatten().all(fits) {
        return Err(ArrowError::ExternalError(Box::new(aggregates::too_wide())));
    }
    cast(doubles, &DataType::Int64)
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringArray, TimestampMillisecondArray};
    use arrow_schema::{Field, Schema};
    use datafusion::arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn nulls_without_a_type_are_nulls_whatever_came() {
        let texts = Arc::new(StringArray::from(vec![None::<&str>, None])) as ArrayRef;
        let nulls = declared(&texts, &DataType::Null).unwrap();
        assert_eq!((nulls.data_type(), nulls.len()), (&DataType::Null, 2));
    }

    #[test]
    fn no_text_is_no_list() {
        let texts = Arc::new(StringArray::from(vec![Some("x"), None])) as ArrayRef;
        let item = Arc::new(Field::new("item", DataType::Utf8, true));
        let lists = declared(&texts, &DataType::List(item)).unwrap();
        let lists: &ListArray = lists.as_list();
        assert_eq!(lists.value(0).as_string::<i32>().value(0), "x");
        assert!(lists.is_null(1));
    }

    #[test]
    fn a_sum_beyond_64_bits_is_no_bigint() {
        let sum = |value: f64| {
            let sums = Arc::new(Float64Array::from(vec![value])) as ArrayRef;
            declared(&sums, &DataType::Int64)
        };
        assert_eq!(sum(5.0).unwrap().as_primitive::<Int64Type>().value(0), 5);
        let error = sum(1e19).unwrap_err().to_string();
        assert!(error.contains("beyond 64 bits"), "{error}");
    }

    #[test]
    fn columns_are_picked_cast_and_filled() {
        let answer = RecordBatch::try_from_iter([
            ("b", Arc::new(Int64Array::from(vec![1, 0])) as ArrayRef),
            (
                "t",
                Arc::new(TimestampMillisecondArray::from(vec![5, 6]).with_timezone("UTC"))
                    as ArrayRef,
            ),
            ("s", Arc::new(StringArray::from(vec![Some("x"), None])) as ArrayRef),
        ])
        .unwrap();
        let schema = Arc::new(Schema::new(vec![
            Field::new("time", MILLISECONDS, true),
            Field::new("yes", DataType::Boolean, true),
            Field::new("text", DataType::Utf8, true),
            Field::new("none", DataType::Float64, true),
        ]));
        let names = ["t", "b", "s", "missing"].map(str::to_owned);
        let aligned = align(&answer, &names, &schema).unwrap();
        assert_eq!(aligned.schema(), schema);
        let bools: Vec<Option<bool>> = aligned.column(1).as_boolean().iter().collect();
        assert_eq!(bools, [Some(true), Some(false)]);
        assert_eq!(aligned.column(3).null_count(), 2);
        let times = aligned.column(0).as_primitive::<TimestampMillisecondType>();
        assert_eq!(times.values()[..], [5, 6]);
    }
}
