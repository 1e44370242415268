//! Small partials and queries for these tests.

use henge_answer::Form;
use henge_exec::{Answer, BucketStarts, ExecContext, GroupedPartial, Partial, finalise};
use henge_query::aggregate::{Count, Numeric};
use henge_query::{
    AggregatorInput, AggregatorSpec, DataSource, DimensionSpec, GroupByQuery, Query, QueryBase,
    TimeseriesQuery, TopNMetric, TopNQuery,
};
use henge_types::{Granularity, Interval, NumericOp, ValueType};
use henge_vector::{Column, Text};

pub(crate) const DAY_MS: i64 = 86_400_000;

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

pub(crate) fn doubles(values: &[f64]) -> Column {
    Column::doubles(values.to_vec(), None)
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

pub(crate) fn dimension(name: &str, output_type: ValueType) -> DimensionSpec {
    DimensionSpec { dimension: name.to_owned(), output_name: name.to_owned(), output_type }
}

pub(crate) fn base(start_ms: i64, end_ms: i64) -> QueryBase {
    QueryBase::new(DataSource::Table("t".to_owned()), vec![Interval { start_ms, end_ms }])
}

pub(crate) fn day() -> Granularity {
    Granularity::parse_name("day").unwrap()
}

pub(crate) fn timeseries(aggregations: Vec<AggregatorSpec>) -> TimeseriesQuery {
    TimeseriesQuery::new(base(0, 10 * DAY_MS), day(), aggregations)
}

pub(crate) fn top_n(
    dimension: DimensionSpec,
    metric: TopNMetric,
    threshold: u64,
    aggregations: Vec<AggregatorSpec>,
) -> TopNQuery {
    TopNQuery::new(base(0, 10 * DAY_MS), dimension, metric, threshold, aggregations)
}

pub(crate) fn group_by(
    dimensions: Vec<DimensionSpec>,
    aggregations: Vec<AggregatorSpec>,
) -> GroupByQuery {
    GroupByQuery::new(base(0, 10 * DAY_MS), dimensions, aggregations)
}

/// The JSON text of a finished partial.
pub(crate) fn text(query: &Query, partial: Partial) -> String {
    let partial = in_buckets_of(query, partial);
    let result = finalise(query, partial, &ExecContext::default()).unwrap();
    let text = String::from_utf8(henge_answer::to_json(query, &result).unwrap()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(indented(query, &result), serde_json::to_string_pretty(&value).unwrap());
    text
}

fn indented(query: &Query, answer: &Answer) -> String {
    let mut out = Vec::new();
    henge_answer::write(query, answer, Form::IndentedJson, &mut out, &mut |_| Ok(())).unwrap();
    String::from_utf8(out).unwrap()
}

/// The message of a refusal.
pub(crate) fn refusal(query: &Query, partial: Partial) -> String {
    let partial = in_buckets_of(query, partial);
    finalise(query, partial, &ExecContext::default()).unwrap_err().to_string()
}

/// Groups of a query with granularity `all` are in one bucket.
fn in_buckets_of(query: &Query, partial: Partial) -> Partial {
    match (query.grouped(), partial) {
        (Some(query), Partial::Grouped(groups)) if query.has_one_bucket() => {
            let bucket_starts = BucketStarts::All(groups.group_count());
            Partial::Grouped(GroupedPartial { bucket_starts, ..groups })
        }
        (_, partial) => partial,
    }
}
