//! Reading views row by row, and short ways to say what tests need.

#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::Arc;

use henge_index::{DimensionSchema, IndexLimits, IndexSchema, MultiValueHandling, WriteIndex};
use henge_segment::{BLOCK_ROWS, ColumnView, MultiScratch, NumericColumn, SegmentView};
use henge_types::{
    ColumnType, Granularity, HllType, Interval, MetricKind, MetricSpec, NumericOp, SegmentId,
    Value, ValueType, Version,
};

pub(crate) const NO_LIMITS: IndexLimits =
    IndexLimits { max_rows: usize::MAX, max_bytes: usize::MAX };

pub(crate) fn segment_id() -> SegmentId {
    SegmentId {
        datasource: Arc::from("test"),
        interval: Interval::ETERNITY,
        version: Version(1),
        partition: 0,
    }
}

pub(crate) fn metric(name: &str, kind: MetricKind) -> MetricSpec {
    MetricSpec { name: name.into(), field: Some(format!("{name}_in")), kind }
}

pub(crate) fn numeric(name: &str, op: NumericOp, column_type: ValueType) -> MetricSpec {
    metric(name, MetricKind::Numeric { op, column_type })
}

pub(crate) fn count() -> MetricSpec {
    MetricSpec { name: "count".into(), field: None, kind: MetricKind::Count }
}

/// The greatest of its numbers.
pub(crate) fn highest() -> MetricSpec {
    numeric("highest", NumericOp::Max, ValueType::Float)
}

/// A sketch of distinct values.
pub(crate) fn people() -> MetricSpec {
    metric("people", MetricKind::HllBuild { lg_k: 10, hll_type: HllType::Hll4 })
}

/// Rows by second: a text, texts that are a set, a whole number and a decimal; a count, a sum and a
/// minimum, and other metrics behind them.
pub(crate) fn schema(rollup: bool, other_metrics: Vec<MetricSpec>) -> IndexSchema {
    let tags = DimensionSchema {
        multi_value: MultiValueHandling::SortedSet,
        ..DimensionSchema::string("tags")
    };
    let mut metrics = vec![
        count(),
        numeric("amount", NumericOp::Sum, ValueType::Long),
        numeric("lowest", NumericOp::Min, ValueType::Double),
    ];
    metrics.extend(other_metrics);
    IndexSchema {
        dimensions: vec![
            DimensionSchema::string("text"),
            tags,
            DimensionSchema::new("code", ColumnType::Long),
            DimensionSchema::new("ratio", ColumnType::Double),
        ],
        metrics,
        before_time: Vec::new(),
        query_granularity: Granularity::parse_name("second").unwrap(),
        rollup,
    }
}

pub(crate) fn index(
    dimensions: Vec<DimensionSchema>,
    metrics: Vec<MetricSpec>,
    rollup: bool,
) -> WriteIndex {
    let schema = IndexSchema {
        dimensions,
        before_time: Vec::new(),
        metrics,
        query_granularity: Granularity::None,
        rollup,
    };
    WriteIndex::new(schema, NO_LIMITS).unwrap()
}

/// A column of a view as values, one a row.
pub(crate) fn column(view: &dyn SegmentView, name: &str) -> Vec<Value> {
    match view.column(name).unwrap().unwrap() {
        ColumnView::Long(column) => numbers(view, column, Value::Long),
        ColumnView::Float(column) => numbers(view, column, Value::Float),
        ColumnView::Double(column) => numbers(view, column, Value::Double),
        ColumnView::String(column) => strings(view, column),
        ColumnView::Complex(column) => (0..view.row_count())
            .map(|row| column.get(row).unwrap().map_or(Value::Null, |b| Value::Complex(b.into())))
            .collect(),
    }
}

fn numbers<T: Copy>(
    view: &dyn SegmentView,
    column: &dyn NumericColumn<T>,
    value: fn(T) -> Value,
) -> Vec<Value> {
    let mut all = Vec::new();
    for block in 0..view.block_count() {
        let mut scratch = Vec::new();
        let read = column.block(block, &mut scratch).unwrap();
        for row in 0..view.block_rows(block) {
            let is_null = read.nulls.is_some_and(|nulls| nulls.is_null(row));
            all.push(if is_null { Value::Null } else { value(read.values.get(row)) });
        }
    }
    all
}

fn strings(view: &dyn SegmentView, column: &dyn henge_segment::StringColumn) -> Vec<Value> {
    let text = |id: u32| column.dictionary().get(id).unwrap().map(|text| text.into_owned());
    let mut all = Vec::new();
    for block in 0..view.block_count() {
        let (mut ids, mut lists) = (Vec::new(), MultiScratch::default());
        if column.is_multi_value() {
            let read = column.multi_block(block, &mut lists).unwrap();
            all.extend((0..view.block_rows(block)).map(|row| match read.row(row) {
                [] => Value::Null,
                [id] => text(*id).map_or(Value::Null, Value::String),
                ids => Value::Multi(ids.iter().map(|id| text(*id)).collect()),
            }));
        } else {
            let read = column.id_block(block, &mut ids).unwrap();
            let rows = 0..view.block_rows(block);
            all.extend(rows.map(|row| text(read.get(row)).map_or(Value::Null, Value::String)));
        }
    }
    all
}

/// All rows, each as its values in the order of the schema.
pub(crate) fn rows(view: &dyn SegmentView) -> Vec<Vec<Value>> {
    let columns: Vec<Vec<Value>> =
        view.schema().columns.iter().map(|schema| column(view, &schema.name)).collect();
    assert!(columns.iter().all(|column| column.len() == view.row_count()));
    assert_eq!(view.block_count(), view.row_count().div_ceil(BLOCK_ROWS));
    (0..view.row_count()).map(|row| columns.iter().map(|c| c[row].clone()).collect()).collect()
}
