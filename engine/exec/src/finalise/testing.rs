//! Small partials for the tests of this module.

use henge_query::aggregate::{Count, Numeric};
use henge_query::{AggregatorInput, AggregatorSpec};
use henge_types::{NumericOp, ValueType};
use henge_vector::{Column, Text};

use crate::bucket_starts::BucketStarts;
use crate::partial::GroupedPartial;

pub(crate) fn partial(
    bucket_start_ms: &[i64],
    keys: Vec<Column>,
    states: Vec<Column>,
) -> GroupedPartial {
    let range = bucket_start_ms.iter().min().copied().zip(bucket_start_ms.iter().max().copied());
    GroupedPartial {
        bucket_starts: BucketStarts::At(bucket_start_ms.to_vec()),
        keys,
        states,
        data_range_ms: vec![range],
    }
}

pub(crate) fn text_keys(values: &[Option<&str>]) -> Column {
    Column::Text(Text::of(values.iter().copied()))
}

pub(crate) fn longs(values: &[i64]) -> Column {
    Column::longs(values.to_vec(), None)
}

pub(crate) fn nullable_longs(values: &[Option<i64>]) -> Column {
    Column::Long(values.iter().copied().collect())
}

pub(crate) fn count(name: &str) -> AggregatorSpec {
    AggregatorSpec { name: name.to_owned(), kind: Count.into(), filter: None }
}

pub(crate) fn long_sum(name: &str, field: &str) -> AggregatorSpec {
    AggregatorSpec {
        name: name.to_owned(),
        kind: Numeric {
            op: NumericOp::Sum,
            column_type: ValueType::Long,
            input: AggregatorInput::Field(field.to_owned()),
        }
        .into(),
        filter: None,
    }
}
