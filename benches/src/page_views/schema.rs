//! The schemas of the table: for ingestion, and of a segment.

use henge_query::ingest::DataSchema;
use henge_types::{
    ColumnRole, ColumnSchema, ColumnType, Granularity, MetricKind, MetricSpec, NumericOp,
    SegmentSchema, TIME_COLUMN, ValueType,
};

use super::{TEXT_FIELDS, TextField};

/// The name of the datasource.
pub const DATA_SOURCE: &str = "page_views";

/// The ingestion spec's `dataSchema`: the texts are dimensions, the numbers summed metrics, nothing
/// is rolled up.
pub const DATA_SCHEMA: &str = r#"{
  "dataSource": "page_views",
  "timestampSpec": {"column": "time", "format": "iso"},
  "dimensionsSpec": {"dimensions": ["site", "uri", "referrer", "country", "browser", "device",
    "visitor_id", "event_type"]},
  "metricsSpec": [
    {"type": "longSum", "name": "duration_ms", "fieldName": "duration_ms"},
    {"type": "longSum", "name": "bytes", "fieldName": "bytes"},
    {"type": "doubleSum", "name": "revenue", "fieldName": "revenue"}
  ],
  "granularitySpec": {"segmentGranularity": "day", "queryGranularity": "none", "rollup": false}
}"#;

/// [`DATA_SCHEMA`], parsed.
///
/// # Errors
/// When this version of the engine no longer takes it.
pub fn data_schema() -> henge_query::Result<DataSchema> {
    DataSchema::parse(DATA_SCHEMA.as_bytes())
}

/// The schema of a segment of the table.
#[must_use]
pub fn segment_schema() -> SegmentSchema {
    let column = |name: &str, column_type: ColumnType, role: ColumnRole| ColumnSchema {
        name: name.to_owned(),
        column_type,
        role,
        multi_value: false,
        has_nulls: name == TextField::Referrer.name(),
    };
    let metrics: Vec<MetricSpec> = [
        ("duration_ms", ValueType::Long),
        ("bytes", ValueType::Long),
        ("revenue", ValueType::Double),
    ]
    .into_iter()
    .map(|(name, column_type)| MetricSpec {
        name: name.to_owned(),
        field: Some(name.to_owned()),
        kind: MetricKind::Numeric { op: NumericOp::Sum, column_type },
    })
    .collect();
    let mut columns = vec![column(TIME_COLUMN, ColumnType::Long, ColumnRole::Time)];
    columns.extend(
        TEXT_FIELDS
            .iter()
            .map(|field| column(field.name(), ColumnType::String, ColumnRole::Dimension)),
    );
    columns.extend(
        metrics
            .iter()
            .map(|metric| column(&metric.name, metric.kind.column_type(), ColumnRole::Metric)),
    );
    SegmentSchema { columns, metrics, rollup: false, query_granularity: Granularity::None }
}
