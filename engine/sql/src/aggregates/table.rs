//! What the tables of aggregates are made of.

use datafusion::arrow::datatypes::DataType;

use super::native::{Call, NativeAggregate};
use crate::functions::Refusal;
use crate::functions::types;

/// An aggregate function of SQL that runs natively.
pub(super) struct Aggregate {
    /// Its name in lower case.
    pub(super) name: &'static str,
    /// Other names in lower case.
    pub(super) aliases: &'static [&'static str],
    /// Fewest arguments.
    pub(super) min: usize,
    /// Most arguments.
    pub(super) max: usize,
    /// What the first argument is read as.
    pub(super) takes: Takes,
    /// The type of its result.
    pub(super) returns: Returns,
    /// Its native aggregators.
    pub(super) native: fn(&mut Call<'_>) -> Result<NativeAggregate, Refusal>,
}

/// What the first argument is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Whatever it is.
    Any,
    /// A number; text and booleans are cast.
    Number,
    /// BIGINT.
    Long,
    /// VARCHAR.
    Text,
}

/// The type of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returns {
    Long,
    Double,
    Text,
    /// As the first argument.
    First,
    /// An array of the first argument.
    ArrayOfFirst,
    /// As the first argument, which is an array or becomes one.
    FirstAsArray,
    /// A complex type.
    Complex(&'static str),
}

impl Returns {
    pub(super) fn of(self, arguments: &[DataType]) -> DataType {
        let first = || arguments.first().map_or(DataType::Null, types::normal);
        match self {
            Self::Long => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Text | Self::Complex(_) => DataType::Utf8,
            Self::First => first(),
            Self::ArrayOfFirst => types::array_of(first()),
            Self::FirstAsArray => types::as_array(first()),
        }
    }
}

impl Takes {
    pub(super) fn read(self, given: &DataType) -> DataType {
        let given = types::normal(given);
        match self {
            Self::Any => given,
            Self::Number => match given {
                DataType::Int64 | DataType::Float32 | DataType::Float64 => given,
                DataType::Boolean | DataType::Timestamp(..) | DataType::Date32 => DataType::Int64,
                _ => DataType::Float64,
            },
            Self::Long => DataType::Int64,
            Self::Text => DataType::Utf8,
        }
    }
}
