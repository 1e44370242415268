//! SQL's types as Arrow's, and which of two types Druid reads both in.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType as SqlType};

/// TIMESTAMP: milliseconds since 1970 in UTC.
pub(crate) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// Field metadata of VARCHAR columns of which a row may have several values.
pub(crate) const MULTI_VALUE: &str = "henge.multi_value";

/// Field metadata that names the native type of a COMPLEX column.
pub(crate) const DRUID_TYPE: &str = "druid.type";

/// Reads SQL's names of types: all integers are BIGINT, all decimals DOUBLE, times are milliseconds.
#[derive(Debug)]
pub(crate) struct DruidTypes;

impl TypePlanner for DruidTypes {
    fn plan_type(&self, sql_type: &SqlType) -> Result<Option<DataType>> {
        Ok(data_type(sql_type))
    }
}

fn data_type(sql_type: &SqlType) -> Option<DataType> {
    use SqlType as S;
    Some(match sql_type {
        S::Char(_)
        | S::Character(_)
        | S::Varchar(_)
        | S::CharVarying(_)
        | S::CharacterVarying(_)
        | S::Nvarchar(_)
        | S::Text
        | S::String(_) => DataType::Utf8,
        S::TinyInt(_) | S::SmallInt(_) | S::Int(_) | S::Integer(_) | S::BigInt(_) => {
            DataType::Int64
        }
        S::Float(_) => DataType::Float32,
        S::Real | S::Double(_) | S::DoublePrecision | S::Decimal(_) | S::Dec(_) | S::Numeric(_) => {
            DataType::Float64
        }
        S::Boolean | S::Bool => DataType::Boolean,
        S::Date => DataType::Date32,
        S::Timestamp(..) | S::Datetime(_) => TIMESTAMP,
        S::Array(
            ArrayElemTypeDef::AngleBracket(element)
            | ArrayElemTypeDef::SquareBracket(element, _)
            | ArrayElemTypeDef::Parenthesis(element),
        ) => array_of(data_type(element)?),
        S::Array(ArrayElemTypeDef::None) => array_of(DataType::Utf8),
        _ => return None,
    })
}

/// An ARRAY of these.
#[must_use]
pub(crate) fn array_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

/// The type itself when it is an ARRAY, else an ARRAY of it.
#[must_use]
pub(crate) fn as_array(data_type: DataType) -> DataType {
    if is_array(&data_type) { data_type } else { array_of(data_type) }
}

/// The type of an ARRAY's elements; what is no ARRAY is its own.
#[must_use]
pub(crate) fn element(data_type: DataType) -> DataType {
    match data_type {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            field.data_type().clone()
        }
        scalar => scalar,
    }
}

/// True for ARRAY.
#[must_use]
pub(crate) fn is_array(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
}

/// True for VARCHAR, however Arrow holds it.
#[must_use]
pub(crate) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// True for TIMESTAMP and DATE.
#[must_use]
pub(crate) fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}

/// The type that SQL has for any of Arrow's.
#[must_use]
pub(crate) fn normal(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => DataType::Float64,
        DataType::Timestamp(..) => TIMESTAMP,
        DataType::Date64 => DataType::Date32,
        integer if integer.is_integer() => DataType::Int64,
        list if is_array(list) => array_of(normal(&element(list.clone()))),
        other => other.clone(),
    }
}

/// The type in which all of these can be read: text over double over float over long; times with times.
#[must_use]
pub(crate) fn widest(types: &[DataType]) -> DataType {
    let known = types.iter().filter(|data_type| **data_type != DataType::Null);
    known.map(normal).reduce(|a, b| wider(&a, &b)).unwrap_or(DataType::Null)
}

fn wider(a: &DataType, b: &DataType) -> DataType {
    if a == b {
        return a.clone();
    }
    if is_array(a) || is_array(b) {
        return array_of(wider(&element(a.clone()), &element(b.clone())));
    }
    match (a, b) {
        (DataType::Null, other) | (other, DataType::Null) => other.clone(),
        (
            DataType::Int64 | DataType::Boolean,
            number @ (DataType::Int64 | DataType::Float32 | DataType::Float64),
        )
        | (
            number @ (DataType::Int64 | DataType::Float32 | DataType::Float64),
            DataType::Int64 | DataType::Boolean,
        ) => number.clone(),
        (DataType::Float32 | DataType::Float64, DataType::Float32 | DataType::Float64) => {
            DataType::Float64
        }
        (a, b) if is_time(a) && is_time(b) => TIMESTAMP,
        (time, DataType::Int64) | (DataType::Int64, time) if is_time(time) => DataType::Int64,
        _ => DataType::Utf8,
    }
}

/// Druid's name of the native type of a column.
#[must_use]
pub(crate) fn native_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        list if is_array(list) => match native_name(&element(list.clone())) {
            "DOUBLE" => "ARRAY<DOUBLE>",
            "FLOAT" => "ARRAY<FLOAT>",
            "LONG" => "ARRAY<LONG>",
            _ => "ARRAY<STRING>",
        },
        text if is_text(text) || *text == DataType::Null => "STRING",
        _ => "LONG",
    }
}
