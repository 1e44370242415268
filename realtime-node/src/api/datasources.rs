//! `/v1/datasources`: schemas of datasources that take pushes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use henge_platform::http::{DruidError, LimitedBody};
use henge_platform::metadata::PublishedSegment;
use henge_query::ingest::DataSchema;
use henge_types::{Interval, Timeline, format_timestamp};
use serde_json::{Value, json};

use crate::error::RealtimeError;
use crate::node::RealtimeNode;
use crate::priority::PUSH_PRIORITY;
use crate::task::PARSED_FACTOR;

/// Creates a datasource or changes its schema.
pub(super) async fn put(
    State(node): State<Arc<RealtimeNode>>,
    Path(name): Path<String>,
    LimitedBody(body): LimitedBody,
) -> Result<Json<Value>, DruidError> {
    let _parsed = node.shared.requests.charge(body.len().saturating_mul(PARSED_FACTOR))?;
    let (asked, pool) = (name.clone(), &node.shared.ingest_pool);
    let schema = pool.spawn(PUSH_PRIORITY, move || parse(&body, &asked)).await??;
    let put = node.put_datasource(&schema).await?;
    let mut answer = json!({ "datasource": name, "schemaVersion": put.version });
    if !put.warnings.is_empty() {
        answer["warnings"] = put.warnings.into();
    }
    Ok(Json(answer))
}

/// A schema may have megabytes: this is work for a CPU thread.
fn parse(body: &[u8], name: &str) -> Result<DataSchema, DruidError> {
    let value = henge_query::parse_json(body).map_err(RealtimeError::from)?;
    Ok(DataSchema::for_pushes(&value, name).map_err(RealtimeError::from)?)
}

/// A datasource's schema and what became of its events.
pub(super) async fn get(
    State(node): State<Arc<RealtimeNode>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, DruidError> {
    let datasource = node.datasource(&name).await?;
    let schema = datasource.schema();
    Ok(Json(json!({
        "datasource": name,
        "schemaVersion": schema.version,
        "schema": schema.data_schema.to_value(),
        "eventsSinceStart": datasource.totals(),
        "valuesChangedSinceStart": datasource.changed(),
        "fieldsIgnoredSinceStart": datasource.ignored(),
        "handoff": datasource.backlog(),
    })))
}

/// All datasources that take pushes or have published rows, however they were made.
pub(super) async fn list(
    State(node): State<Arc<RealtimeNode>>,
) -> Result<Json<Vec<Value>>, DruidError> {
    let used = node.shared.metadata.used_segments().await.map_err(RealtimeError::from)?;
    let names: Vec<String> = node.datasources.read().keys().cloned().collect();
    let pool = &node.shared.ingest_pool;
    let listed = pool.spawn(PUSH_PRIORITY, move || listed(&names, &used.segments)).await;
    Ok(Json(listed.map_err(RealtimeError::from)?))
}

/// What is published of a datasource.
#[derive(Debug, Default)]
struct Published {
    segments: u64,
    rows: u64,
    size_bytes: u64,
    /// First and last time, in milliseconds.
    times: Option<(i64, i64)>,
}

impl Published {
    fn add(&mut self, segment: &PublishedSegment) {
        self.segments += 1;
        self.rows += segment.row_count;
        self.size_bytes += segment.size_bytes;
        if segment.row_count > 0 {
            let (first, last) = self.times.unwrap_or((i64::MAX, i64::MIN));
            self.times = Some((first.min(segment.min_time_ms), last.max(segment.max_time_ms)));
        }
    }
}

/// By name. Rows of segments that newer ones hide do not count; buffered ones are not known here.
fn listed(taking_pushes: &[String], used: &[PublishedSegment]) -> Vec<Value> {
    let mut timelines: BTreeMap<&str, Timeline<&PublishedSegment>> = BTreeMap::new();
    for name in taking_pushes {
        timelines.entry(name).or_default();
    }
    for segment in used {
        let timeline = timelines.entry(&segment.id.datasource).or_default();
        timeline.add(segment.id.clone(), segment.shard_spec, segment);
    }
    let entry = |(name, timeline): (&str, Timeline<&PublishedSegment>)| {
        let mut published = Published::default();
        let mut counted = HashSet::new();
        for holder in timeline.lookup(Interval::ETERNITY) {
            for chunk in holder.chunks {
                if counted.insert(chunk.id.clone()) {
                    published.add(chunk.payload);
                }
            }
        }
        let takes_pushes = taking_pushes.iter().any(|known| known == name);
        let state = match (takes_pushes, published.rows) {
            (true, _) => "takes pushes",
            (false, 0) => "empty",
            (false, _) => "loaded",
        };
        json!({
            "name": name,
            "state": state,
            "rows": published.rows,
            "sizeBytes": published.size_bytes,
            "segments": published.segments,
            "minTime": published.times.map(|(first, _)| format_timestamp(first)),
            "maxTime": published.times.map(|(_, last)| format_timestamp(last)),
        })
    };
    timelines.into_iter().map(entry).collect()
}
