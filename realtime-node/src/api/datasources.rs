//! `/v1/datasources`: schemas of datasources that take pushes.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use henge_platform::http::{DruidError, LimitedBody};
use henge_query::ingest::DataSchema;
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

/// The names of the datasources that take pushes.
pub(super) async fn list(State(node): State<Arc<RealtimeNode>>) -> Json<Vec<String>> {
    Json(node.datasources.read().keys().cloned().collect())
}
