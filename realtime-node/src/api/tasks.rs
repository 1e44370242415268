//! `/druid/indexer/v1`: batch tasks.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use henge_platform::http::{DruidError, LimitedBody};
use henge_platform::metadata::{TaskFilter, TaskRecord, TaskStatus};
use henge_types::format_timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::node::RealtimeNode;

const MAX_LISTED: usize = 10_000;

/// Accepts a task.
pub(super) async fn submit(
    State(node): State<Arc<RealtimeNode>>,
    LimitedBody(body): LimitedBody,
) -> Result<Json<Value>, DruidError> {
    let id = node.tasks.submit(body).await?;
    Ok(Json(json!({ "task": id })))
}

/// Stops a task that waits or runs.
pub(super) async fn shutdown(
    State(node): State<Arc<RealtimeNode>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, DruidError> {
    node.stop_task(&id).await?;
    Ok(Json(json!({ "task": id })))
}

/// Stops all tasks of a datasource.
pub(super) async fn shutdown_all(
    State(node): State<Arc<RealtimeNode>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, DruidError> {
    node.stop_tasks(&name).await?;
    Ok(Json(json!({ "dataSource": name })))
}

/// A task as it was sent.
pub(super) async fn payload(
    State(node): State<Arc<RealtimeNode>>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, DruidError> {
    // It was JSON when it was stored, and may have megabytes: it is passed on as it is.
    let payload = node.tasks.payload(&id).await?;
    let body = format!("{{\"task\":{},\"payload\":{payload}}}", Value::from(id));
    Ok(([(CONTENT_TYPE, "application/json")], body))
}

/// How a task stands.
pub(super) async fn status(
    State(node): State<Arc<RealtimeNode>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, DruidError> {
    let record = node.tasks.get(&id).await?;
    Ok(Json(json!({ "task": id, "status": status_json(&node, &record) })))
}

/// What a task has done so far, as Druid reports it.
pub(super) async fn reports(
    State(node): State<Arc<RealtimeNode>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, DruidError> {
    let record = node.tasks.get(&id).await?;
    let progress = &record.progress;
    let state = if record.status == TaskStatus::Running { "BUILD_SEGMENTS" } else { "COMPLETED" };
    let report = &progress.report;
    let totals = json!({
        "processed": progress.accepted,
        "processedBytes": progress.processed_bytes,
        "processedWithError": 0,
        "thrownAway": progress.filtered,
        "unparseable": progress.rejected,
    });
    let payload = json!({
        "ingestionState": state,
        "unparseableEvents": {},
        "refusals": report.refusals,
        "changedColumns": report.changes,
        "ignoredFields": report.ignored,
        "notes": report.notes,
        "warnings": report.warnings,
        "inputs": report.inputs,
        "replaced": report.replaced,
        "rowStats": { "totals": { "buildSegments": totals } },
        "errorMsg": record.error,
        "segmentsPublished": progress.segments,
        "totalRows": progress.total_rows,
        "totalBytes": progress.total_bytes,
    });
    Ok(Json(json!({
        "ingestionStatsAndErrors": {
            "taskId": record.id, "type": "ingestionStatsAndErrors", "payload": payload,
        },
    })))
}

/// What to list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListParameters {
    state: Option<String>,
    datasource: Option<String>,
    max: Option<usize>,
}

/// Lists tasks, newest first.
pub(super) async fn list(
    State(node): State<Arc<RealtimeNode>>,
    parameters: Result<Query<ListParameters>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<Value>>, DruidError> {
    let Query(parameters) = parameters.map_err(|error| DruidError::invalid(error.body_text()))?;
    let (state, datasource) = (parameters.state.as_deref(), parameters.datasource);
    let status = match state {
        None | Some("complete") => None,
        // Those that wait for their turn are pending; none waits for a lock on its intervals.
        Some("running" | "pending") => Some(TaskStatus::Running),
        Some("waiting") => return Ok(Json(Vec::new())),
        Some(other) => {
            return Err(DruidError::invalid(format!(
                "state '{}' is unknown: use running, complete, pending or waiting",
                other.escape_debug()
            )));
        }
    };
    let limit = parameters.max.unwrap_or(1_000).min(MAX_LISTED);
    let filter = TaskFilter { status, datasource, limit, ..TaskFilter::default() };
    let mut records = node.tasks.list(&filter).await?;
    match state {
        Some("complete") => records.retain(|record| record.status != TaskStatus::Running),
        Some("running") => records.retain(|record| !node.tasks.is_waiting(record)),
        Some("pending") => records.retain(|record| node.tasks.is_waiting(record)),
        _ => {}
    }
    Ok(Json(records.iter().map(|record| status_json(&node, record)).collect()))
}

fn status_json(node: &RealtimeNode, record: &TaskRecord) -> Value {
    let runner = match record.status {
        TaskStatus::Running if node.tasks.is_waiting(record) => "PENDING",
        TaskStatus::Running => "RUNNING",
        TaskStatus::Success | TaskStatus::Failed => "NONE",
    };
    json!({
        "id": record.id,
        "groupId": record.id,
        "type": record.task_type,
        "createdTime": format_timestamp(record.created_ms),
        "queueInsertionTime": format_timestamp(record.created_ms),
        "statusCode": record.status.as_str(),
        "status": record.status.as_str(),
        "runnerStatusCode": runner,
        "duration": record.duration_ms.unwrap_or(-1),
        "location": location_json(node.http_address_of(&record.owner).as_deref()),
        "node": record.owner,
        "dataSource": record.datasource,
        "errorMsg": record.error,
        "progress": record.progress,
    })
}

/// Where the node of a task is reached, as Druid says it; `address` is host and port.
fn location_json(address: Option<&str>) -> Value {
    let parts = address.and_then(|address| {
        let (host, port) = address.rsplit_once(':')?;
        Some((host, port.parse::<u16>().ok()?))
    });
    match parts {
        Some((host, port)) => json!({ "host": host, "port": port, "tlsPort": -1 }),
        None => json!({ "host": null, "port": -1, "tlsPort": -1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_that_of_druid() {
        let there = json!({ "host": "10.0.0.7", "port": 8888, "tlsPort": -1 });
        assert_eq!(location_json(Some("10.0.0.7:8888")), there);
        assert_eq!(location_json(Some("[::1]:80"))["host"], "[::1]");
        for unknown in [None, Some("")] {
            assert_eq!(location_json(unknown), json!({ "host": null, "port": -1, "tlsPort": -1 }));
        }
    }
}
