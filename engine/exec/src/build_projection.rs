//! Building a projection: the rows are grouped as a groupBy query would group them, and the states
//! are written as the columns of a little segment.

use std::cmp::Ordering;

use henge_query::aggregate::Count;
use henge_query::ingest::ProjectionSpec;
use henge_query::{
    AggregatorSpec, DataSource, DimensionSpec, GroupByQuery, Query, QueryBase, QueryContext,
    TimeseriesQuery,
};
use henge_scan::{ExecError, Result};
use henge_segment::{
    ColumnData, ColumnView, ProjectionFile, SegmentView, SegmentWriter, StringTable, WriteOptions,
};
use henge_types::narrow::{narrow, to_float};
use henge_types::{
    ColumnRole, ColumnSchema, ColumnType, Granularity, Interval, MetricSpec, SegmentSchema,
    TIME_COLUMN, ValueType,
};
use henge_vector::{Array, ArrowPrimitiveType, Column, PrimitiveArray};

use crate::context::ExecContext;
use crate::partial::{GroupedPartial, Partial};

/// Builds a projection of a segment's rows.
///
/// # Errors
/// `Unsupported` when rows have several values in a grouping column, limits, and what is wrong with
/// the segment. A segment can always do without the projection.
pub fn build_projection(
    view: &dyn SegmentView,
    spec: &ProjectionSpec,
    write: WriteOptions,
    ctx: &ExecContext,
) -> Result<ProjectionFile> {
    let columns = grouping_types(view, spec)?;
    let ctx = ExecContext { max_buckets: usize::MAX, dictionaries: None, ..ctx.clone() };
    let groups = Groups::of(view, spec, &columns, &ctx)?;
    let bytes = groups.write(view, spec, &columns, write)?;
    Ok(ProjectionFile { definition: spec.definition(), bytes })
}

/// The type of each grouping column: that of the segment's column, which the answer depends on.
fn grouping_types(view: &dyn SegmentView, spec: &ProjectionSpec) -> Result<Vec<ValueType>> {
    let value_type = |name: &str, declared: Option<ValueType>| {
        let computed = spec.virtual_columns.iter().find(|column| column.name == name);
        if let Some(column) = computed {
            return Ok(column.output_type.unwrap_or(ValueType::String));
        }
        Ok(match view.column(name)? {
            None => declared.unwrap_or(ValueType::String),
            Some(ColumnView::Long(_)) => ValueType::Long,
            Some(ColumnView::Float(_)) => ValueType::Float,
            Some(ColumnView::Double(_)) => ValueType::Double,
            Some(ColumnView::String(column)) if !column.is_multi_value() => ValueType::String,
            Some(ColumnView::String(_)) => return Err(several_values(&spec.name)),
            Some(ColumnView::Complex(_)) => {
                return Err(ExecError::Unsupported(format!(
                    "projection '{}': column '{name}' holds sketches and cannot be grouped by",
                    spec.name
                )));
            }
        })
    };
    spec.grouping_columns.iter().map(|c| value_type(&c.name, c.column_type)).collect()
}

fn several_values(projection: &str) -> ExecError {
    ExecError::Unsupported(format!(
        "projection '{projection}': rows have several values in a grouping column"
    ))
}

/// The groups of the rows, in the order they are written.
struct Groups {
    partial: GroupedPartial,
    /// The time of each group's row, in milliseconds.
    times: Vec<i64>,
    /// Groups that have rows, sorted by keys and time.
    order: Vec<u32>,
}

impl Groups {
    fn of(
        view: &dyn SegmentView,
        spec: &ProjectionSpec,
        columns: &[ValueType],
        ctx: &ExecContext,
    ) -> Result<Self> {
        let mut partial = grouped(crate::run::run(&group_query(spec, columns), view, ctx)?)?;
        let rows = grouped(crate::run::run(&count_query(spec), view, ctx)?)?;
        let (counts, selected) = (counts(&partial)?, counts(&rows)?);
        if counts.iter().sum::<i64>() != selected.iter().sum::<i64>() {
            return Err(several_values(&spec.name));
        }
        let first_ms = view.time_range().map_or(0, |(first, _)| first);
        let mut times = std::mem::take(&mut partial.bucket_starts).into_shown(first_ms);
        // So that no bucket of a query begins between the time of a stored row and its rows.
        times.iter_mut().for_each(|time| *time = (*time).max(first_ms));
        for keys in &mut partial.keys {
            if let Column::Text(text) = keys {
                *text = text.with_sorted_values();
            }
        }
        let groups = 0..narrow(times.len());
        let mut order: Vec<u32> = groups.filter(|group| counts[*group as usize] > 0).collect();
        let (leading, others) = partial.keys.split_at(spec.time_position);
        order.sort_unstable_by(|a, b| {
            let (a, b) = (*a as usize, *b as usize);
            let by_keys = |keys: &[Column]| {
                let mut orders = keys.iter().map(|keys| keys.compare(a, b));
                orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            };
            let by_time = || times[a].cmp(&times[b]);
            by_keys(leading).then_with(by_time).then_with(|| by_keys(others))
        });
        Ok(Self { partial, times, order })
    }

    fn write(
        self,
        view: &dyn SegmentView,
        spec: &ProjectionSpec,
        columns: &[ValueType],
        write: WriteOptions,
    ) -> Result<Vec<u8>> {
        let Self { partial, times, order } = self;
        let schema = schema(spec, columns);
        let rows = order.len();
        let mut writer = SegmentWriter::new(Vec::new(), view.id().clone(), schema, rows, write)?;
        let times: Vec<i64> = order.iter().map(|group| times[*group as usize]).collect();
        writer.write_column(TIME_COLUMN, ColumnData::Long { values: &times, nulls: None })?;
        for (column, keys) in spec.grouping_columns.iter().zip(&partial.keys) {
            write_column(&mut writer, &column.name, keys, &order)?;
        }
        for (aggregator, states) in spec.aggregators.iter().zip(partial.states) {
            write_column(&mut writer, &aggregator.name, &as_stored(states), &order)?;
        }
        let (_, bytes) = writer.finish_into()?;
        Ok(bytes)
    }
}

/// The query whose groups are the projection's rows; its last aggregator counts the rows of each.
fn group_query(spec: &ProjectionSpec, columns: &[ValueType]) -> Query {
    let dimension = |name: &String, output_type: ValueType| DimensionSpec {
        dimension: name.clone(),
        output_name: name.clone(),
        output_type,
    };
    let dimensions =
        spec.grouping_columns.iter().zip(columns).map(|(c, given)| dimension(&c.name, *given));
    let mut aggregations = spec.aggregators.clone();
    aggregations.push(row_count());
    Query::GroupBy(GroupByQuery {
        base: base(spec),
        granularity: spec.granularity.clone(),
        dimensions: dimensions.collect(),
        aggregations,
        post_aggregations: Vec::new(),
        having: None,
        limit_spec: None,
        subtotals: None,
    })
}

/// The query for the number of rows.
fn count_query(spec: &ProjectionSpec) -> Query {
    Query::Timeseries(TimeseriesQuery {
        base: base(spec),
        granularity: Granularity::All,
        aggregations: vec![row_count()],
        post_aggregations: Vec::new(),
        descending: false,
        limit: None,
    })
}

fn base(spec: &ProjectionSpec) -> QueryBase {
    QueryBase {
        data_source: DataSource::Table(String::new()),
        intervals: vec![Interval::ETERNITY],
        filter: spec.filter.clone(),
        virtual_columns: spec.virtual_columns.clone(),
        context: QueryContext { no_projections: true, ..QueryContext::default() },
    }
}

fn row_count() -> AggregatorSpec {
    AggregatorSpec { name: String::new(), kind: Count.into(), filter: None }
}

fn grouped(partial: Partial) -> Result<GroupedPartial> {
    match partial {
        Partial::Grouped(grouped) => Ok(grouped),
        _ => Err(ExecError::Internal("a groupBy query gave no groups".to_owned())),
    }
}

/// The states of the last aggregator.
fn counts(partial: &GroupedPartial) -> Result<Vec<i64>> {
    let Some(Column::Long(counts)) = partial.states.last() else {
        return Err(ExecError::Internal("the rows of a projection were not counted".to_owned()));
    };
    Ok(counts.values().to_vec())
}

/// Writes the groups of a column in their order.
fn write_column(
    writer: &mut SegmentWriter<Vec<u8>>,
    name: &str,
    column: &Column,
    order: &[u32],
) -> Result<()> {
    match column {
        Column::Text(text) => {
            let ids = 1..narrow(text.id_count());
            let dictionary: StringTable = ids.filter_map(|id| text.value(id)).collect();
            let ids: Vec<u32> = order.iter().map(|group| text.ids()[*group as usize]).collect();
            let data = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: true };
            writer.write_column(name, data)?;
        }
        Column::Long(longs) => {
            let (values, nulls) = in_order(longs, order);
            let data = ColumnData::Long { values: &values, nulls: nulls.as_deref() };
            writer.write_column(name, data)?;
        }
        Column::Double(doubles) => {
            let (values, nulls) = in_order(doubles, order);
            let data = ColumnData::Double { values: &values, nulls: nulls.as_deref() };
            writer.write_column(name, data)?;
        }
        Column::WideFloat(doubles) => {
            let (values, nulls) = in_order(doubles, order);
            let values: Vec<f32> = values.into_iter().map(to_float).collect();
            let data = ColumnData::Float { values: &values, nulls: nulls.as_deref() };
            writer.write_column(name, data)?;
        }
        Column::Wide(_) => {
            return Err(ExecError::Invalid(format!(
                "aggregator '{name}': a sum is beyond 64 bits, which no stored column holds"
            )));
        }
        Column::Objects(objects) => {
            let mut rows = order.iter().map(|group| Ok(objects.image(*group as usize)));
            writer.write_column(name, ColumnData::Complex { rows: &mut rows })?;
        }
        Column::Null(_)
        | Column::Float(_)
        | Column::Lists(_)
        | Column::Timed(_)
        | Column::Mixed(_)
        | Column::SegmentIds(_)
        | Column::NodeIds(_) => {
            let kind = column.kind();
            return Err(ExecError::Internal(format!("groups have a column '{name}' of {kind}")));
        }
    }
    Ok(())
}

/// The values of some groups, and the null words of those; no words without nulls.
fn in_order<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    order: &[u32],
) -> (Vec<T::Native>, Option<Vec<u64>>) {
    let values = order.iter().map(|group| column.values()[*group as usize]).collect();
    let mut words = vec![0_u64; order.len().div_ceil(64)];
    for (row, group) in order.iter().enumerate() {
        words[row / 64] |= u64::from(column.is_null(*group as usize)) << (row % 64);
    }
    (values, words.iter().any(|word| *word != 0).then_some(words))
}

/// States of floats are stored as doubles.
fn as_stored(states: Column) -> Column {
    if let Column::WideFloat(values) = states { Column::Double(values) } else { states }
}

fn schema(spec: &ProjectionSpec, columns: &[ValueType]) -> SegmentSchema {
    let column = |name: &str, column_type: ColumnType, role| ColumnSchema {
        name: name.to_owned(),
        column_type,
        role,
        multi_value: false,
        has_nulls: true,
    };
    let mut all = vec![column(TIME_COLUMN, ColumnType::Long, ColumnRole::Time)];
    for (grouping, value_type) in spec.grouping_columns.iter().zip(columns) {
        all.push(column(&grouping.name, (*value_type).into(), ColumnRole::Dimension));
    }
    let metrics: Vec<MetricSpec> = spec
        .aggregators
        .iter()
        .filter_map(|aggregator| {
            // A spec whose states cannot be stored was refused when it was read.
            let kind = aggregator.kind.stored_states()?;
            let field = Some(aggregator.name.clone());
            Some(MetricSpec { name: aggregator.name.clone(), field, kind })
        })
        .collect();
    for metric in &metrics {
        all.push(column(&metric.name, metric.kind.column_type(), ColumnRole::Metric));
    }
    let query_granularity = spec.granularity.clone();
    let mut schema = SegmentSchema { columns: all, metrics, rollup: true, query_granularity };
    let leading = spec.grouping_columns.iter().take(spec.time_position);
    let leading: Vec<String> = leading.map(|column| column.name.clone()).collect();
    schema.sort_before_time(&leading);
    schema
}
