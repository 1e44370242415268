//! A segment as Druid writes it.

use std::sync::Arc;

use henge_platform::discovery::AnnouncedSegment;
use henge_platform::metadata::PublishedSegment;
use henge_types::{ColumnRole, Interval, SegmentId, SegmentSchema, ShardSpec, TIME_COLUMN};
use serde::Serialize;

/// The version of the segments' format that Druid's clients know.
const BINARY_VERSION: u32 = 9;

/// Druid's `DataSegment`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DataSegment {
    data_source: Arc<str>,
    interval: Interval,
    version: String,
    load_spec: LoadSpec,
    dimensions: Arc<str>,
    metrics: Arc<str>,
    shard_spec: ShardSpec,
    binary_version: u32,
    size: u64,
    identifier: String,
}

/// Where its object is; nothing for what is not published.
#[derive(Debug, Clone, Serialize)]
struct LoadSpec {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// Writes segments; most of a datasource have the columns of the one before.
#[derive(Debug, Default)]
pub(super) struct Writer {
    schema_json: String,
    dimensions: Arc<str>,
    metrics: Arc<str>,
}

impl Writer {
    pub(super) fn published(&mut self, segment: &PublishedSegment) -> DataSegment {
        if self.schema_json != segment.schema_json {
            self.schema_json.clone_from(&segment.schema_json);
            (self.dimensions, self.metrics) = columns(&segment.schema_json);
        }
        let load_spec = LoadSpec { kind: Some("henge"), key: Some(segment.object_key.clone()) };
        DataSegment {
            load_spec,
            dimensions: Arc::clone(&self.dimensions),
            metrics: Arc::clone(&self.metrics),
            ..bare(&segment.id, segment.shard_spec, segment.size_bytes)
        }
    }

    /// One that is served and not used: its rows are not published, or it is about to go.
    pub(super) fn announced(&self, segment: &AnnouncedSegment) -> DataSegment {
        let names = segment.schema.columns().iter().map(|column| &*column.name);
        let names: Vec<&str> = names.filter(|name| *name != TIME_COLUMN).collect();
        let dimensions = names.join(",").into();
        DataSegment { dimensions, ..bare(&segment.id, segment.shard_spec, segment.size_bytes) }
    }
}

fn bare(id: &SegmentId, shard_spec: ShardSpec, size: u64) -> DataSegment {
    DataSegment {
        data_source: Arc::clone(&id.datasource),
        interval: id.interval,
        version: id.version.to_string(),
        load_spec: LoadSpec { kind: None, key: None },
        dimensions: "".into(),
        metrics: "".into(),
        shard_spec,
        binary_version: BINARY_VERSION,
        size,
        identifier: id.to_string(),
    }
}

/// Names of dimensions and of metrics, between commas.
fn columns(schema_json: &str) -> (Arc<str>, Arc<str>) {
    let Ok(schema) = serde_json::from_str::<SegmentSchema>(schema_json) else {
        return ("".into(), "".into());
    };
    let names = |role: ColumnRole| {
        let columns = schema.columns.iter().filter(|column| column.role == role);
        columns.map(|column| column.name.as_str()).collect::<Vec<_>>().join(",").into()
    };
    (names(ColumnRole::Dimension), names(ColumnRole::Metric))
}
