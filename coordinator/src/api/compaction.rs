//! `/druid/coordinator/v1/config/compaction` and `/druid/coordinator/v1/compaction`: what is to be compacted,
//! how far that is, and why each part of the time waits, is compact or is left alone.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use henge_compaction::{CompactionConfig, Totals, choose, totals};
use henge_platform::http::{DruidError, LimitedBody};
use henge_types::json_read::read_named;
use henge_types::{Interval, format_timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::compaction::{CompactionChange, CompactionLimits};
use crate::duty::compact::JudgedDatasource;
use crate::{Coordinator, CoordinatorError};

/// Parts of the time that are explained where nothing is said.
const EXPLAINED: usize = 100;

/// Druid's paths, below `/druid/coordinator/v1`.
pub(super) fn druid() -> Router<Arc<Coordinator>> {
    Router::new()
        .route("/config/compaction", get(all).post(set))
        .route("/config/compaction/taskslots", post(set_slots))
        .route("/config/compaction/cluster", get(limits).post(set_limits))
        .route("/config/compaction/{name}", get(one).delete(remove))
        .route("/config/compaction/{name}/history", get(history))
        .route("/compaction/status", get(status))
        .route("/compaction/progress", get(progress))
        .route("/compaction/compact", post(look))
}

/// The same as Druid's overlord has it since 33, below `/druid/indexer/v1/compaction`.
pub(super) fn overlord() -> Router<Arc<Coordinator>> {
    Router::new()
        .route("/config/cluster", get(limits).post(set_limits))
        .route("/config/datasources", get(configs))
        .route("/config/datasources/{name}", get(one).post(set_named).delete(remove))
        .route("/config/datasources/{name}/history", get(entries))
        .route("/status/datasources", get(statuses))
        .route("/status/datasources/{name}", get(status_of))
}

/// Ours, below `/henge/v1/coordinator`.
pub(super) fn ours() -> Router<Arc<Coordinator>> {
    Router::new().route("/compaction/explain", get(explain))
}

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    data_source: Option<String>,
    ratio: Option<f64>,
    max: Option<u64>,
    limit: Option<usize>,
}

type Parameters = Result<Query<Asked>, axum::extract::rejection::QueryRejection>;

fn asked(parameters: Parameters) -> Result<Asked, DruidError> {
    let Query(asked) = parameters.map_err(|error| DruidError::invalid(error.body_text()))?;
    Ok(asked)
}

async fn configs(State(coordinator): State<Arc<Coordinator>>) -> Result<Json<Value>, DruidError> {
    let configs = coordinator.compaction.store.all().await?;
    let configs: Vec<Value> = configs.iter().map(|set| set.config.to_value()).collect();
    Ok(Json(json!({ "compactionConfigs": configs })))
}

async fn all(State(coordinator): State<Arc<Coordinator>>) -> Result<Json<Value>, DruidError> {
    let store = &coordinator.compaction.store;
    let configs = store.all().await?;
    let configs: Vec<Value> = configs.iter().map(|set| set.config.to_value()).collect();
    let mut answer = limits_json(store.limits().await?);
    answer["compactionConfigs"] = configs.into();
    Ok(Json(answer))
}

async fn one(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, DruidError> {
    let set = coordinator.compaction.store.get(&name).await?;
    set.map(|set| Json(set.config.to_value())).ok_or_else(|| not_configured(&name))
}

async fn set(
    State(coordinator): State<Arc<Coordinator>>,
    headers: HeaderMap,
    LimitedBody(body): LimitedBody,
) -> Result<(), DruidError> {
    let config = CompactionConfig::parse(&body).map_err(CoordinatorError::from)?;
    let name = config.data_source.clone();
    change(&coordinator, &name, Some(config.to_value()), &headers).await
}

/// The path and the body name the same datasource.
async fn set_named(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    LimitedBody(body): LimitedBody,
) -> Result<(), DruidError> {
    let config = CompactionConfig::parse(&body).map_err(CoordinatorError::from)?;
    if config.data_source != name {
        let message = "field 'dataSource' is another one than that of the path";
        return Err(DruidError::invalid(message));
    }
    change(&coordinator, &name, Some(config.to_value()), &headers).await
}

async fn remove(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<(), DruidError> {
    if coordinator.compaction.store.get(&name).await?.is_none() {
        return Err(not_configured(&name));
    }
    change(&coordinator, &name, None, &headers).await
}

async fn change(
    coordinator: &Coordinator,
    name: &str,
    config: Option<Value>,
    headers: &HeaderMap,
) -> Result<(), DruidError> {
    let said = |header: &str| -> String {
        let value = headers.get(header).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let change = CompactionChange {
        config,
        author: said("x-druid-author"),
        comment: said("x-druid-comment"),
        time_ms: coordinator.shared.clock.now_ms(),
    };
    let term = coordinator.leading()?;
    coordinator.compaction.store.set(name, &change, term.fence.as_ref()).await?;
    coordinator.compaction.wake.notify_one();
    Ok(())
}

async fn history(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
) -> Result<Json<Vec<Value>>, DruidError> {
    let changes = coordinator.compaction.store.history(&name).await?;
    let limits = limits_json(coordinator.compaction.store.limits().await?);
    let entry = |change: CompactionChange| {
        json!({
            "globalConfig": limits,
            "compactionConfig": change.config,
            "auditInfo": { "author": change.author, "comment": change.comment, "ip": "" },
            "auditTime": format_timestamp(change.time_ms),
        })
    };
    Ok(Json(changes.into_iter().map(entry).collect()))
}

async fn entries(
    coordinator: State<Arc<Coordinator>>,
    name: Path<String>,
) -> Result<Json<Value>, DruidError> {
    let Json(entries) = history(coordinator, name).await?;
    Ok(Json(json!({ "entries": entries })))
}

async fn limits(State(coordinator): State<Arc<Coordinator>>) -> Result<Json<Value>, DruidError> {
    Ok(Json(limits_json(coordinator.compaction.store.limits().await?)))
}

async fn set_slots(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<(), DruidError> {
    let Asked { ratio, max, .. } = asked(parameters)?;
    change_limits(&coordinator, ratio, max).await
}

/// `compactionTaskSlotRatio` and `maxCompactionTaskSlots`; Druid's other fields are of its own engines.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LimitsAsked {
    compaction_task_slot_ratio: Option<f64>,
    max_compaction_task_slots: Option<u64>,
}

async fn set_limits(
    State(coordinator): State<Arc<Coordinator>>,
    LimitedBody(body): LimitedBody,
) -> Result<(), DruidError> {
    let value: Value =
        serde_json::from_slice(&body).map_err(|error| DruidError::invalid(error.to_string()))?;
    let asked: LimitsAsked = read_named(&value).map_err(DruidError::invalid)?;
    change_limits(&coordinator, asked.compaction_task_slot_ratio, asked.max_compaction_task_slots)
        .await
}

async fn change_limits(
    coordinator: &Coordinator,
    ratio: Option<f64>,
    max: Option<u64>,
) -> Result<(), DruidError> {
    let store = &coordinator.compaction.store;
    let before = store.limits().await?;
    let limits = CompactionLimits {
        compaction_task_slot_ratio: ratio.unwrap_or(before.compaction_task_slot_ratio),
        max_compaction_task_slots: max.unwrap_or(before.max_compaction_task_slots),
    };
    if !(0.0..=1.0).contains(&limits.compaction_task_slot_ratio) {
        let message = "field 'compactionTaskSlotRatio' ('ratio') must be between 0 and 1";
        return Err(DruidError::invalid(message));
    }
    let term = coordinator.leading()?;
    store.set_limits(&limits, term.fence.as_ref()).await?;
    coordinator.compaction.wake.notify_one();
    Ok(())
}

fn limits_json(limits: CompactionLimits) -> Value {
    json!({
        "compactionTaskSlotRatio": limits.compaction_task_slot_ratio,
        "maxCompactionTaskSlots": limits.max_compaction_task_slots,
        "compactionPolicy": { "type": "newestSegmentFirst" },
        "useSupervisors": false,
        "engine": "native",
    })
}

/// The configured datasources, or the one that is asked for.
async fn judged(
    coordinator: &Coordinator,
    datasource: Option<&str>,
) -> Result<Vec<JudgedDatasource>, DruidError> {
    let store = &coordinator.compaction.store;
    let configured = match datasource {
        None => store.all().await?,
        Some(name) => vec![store.get(name).await?.ok_or_else(|| not_configured(name))?],
    };
    Ok(coordinator.judge(configured).await?)
}

async fn status(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Json<Value>, DruidError> {
    let judged = judged(&coordinator, asked(parameters)?.data_source.as_deref()).await?;
    Ok(Json(json!({ "latestStatus": judged.iter().map(status_row).collect::<Vec<Value>>() })))
}

async fn statuses(State(coordinator): State<Arc<Coordinator>>) -> Result<Json<Value>, DruidError> {
    let judged = judged(&coordinator, None).await?;
    Ok(Json(json!({ "compactionStatus": judged.iter().map(status_row).collect::<Vec<Value>>() })))
}

async fn status_of(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, DruidError> {
    let judged = judged(&coordinator, Some(&name)).await?;
    Ok(Json(judged.first().map(status_row).unwrap_or_default()))
}

fn status_row(JudgedDatasource { config, parts }: &JudgedDatasource) -> Value {
    let mut row = serde_json::to_value(totals(parts)).unwrap_or_default();
    row["dataSource"] = config.data_source.as_str().into();
    row["scheduleStatus"] = "RUNNING".into();
    row
}

async fn progress(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Json<Value>, DruidError> {
    let asked = asked(parameters)?;
    let name = asked
        .data_source
        .as_deref()
        .ok_or_else(|| DruidError::invalid("name the datasource: ?dataSource=…".to_owned()))?;
    let judged = judged(&coordinator, Some(name)).await?;
    let waiting = |totals: Totals| totals.bytes_awaiting_compaction;
    let bytes: u64 = judged.iter().map(|datasource| waiting(totals(&datasource.parts))).sum();
    Ok(Json(json!({ "remainingSegmentSize": bytes })))
}

/// Has the coordinator look now. A body that is not read would end the connection.
async fn look(
    State(coordinator): State<Arc<Coordinator>>,
    _body: LimitedBody,
) -> Result<(), DruidError> {
    coordinator.compaction.wake.notify_one();
    Ok(())
}

/// Each part of the time, the newest first, with what is thought of it and why, and when its turn comes.
async fn explain(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Json<Vec<Value>>, DruidError> {
    let asked = asked(parameters)?;
    let judged = judged(&coordinator, asked.data_source.as_deref()).await?;
    let parts = judged.iter().flat_map(|JudgedDatasource { config, parts }| {
        let order = choose(parts, usize::MAX).into_iter().map(|unit| unit.interval);
        let places: HashMap<Interval, usize> = order.zip(1..).collect();
        parts.iter().map(move |part| {
            json!({
                "dataSource": config.data_source,
                "interval": part.unit.interval,
                // Of those of the datasource that wait: 1 is the next.
                "place": places.get(&part.unit.interval),
                "segments": part.unit.segments().count(),
                "rows": part.unit.rows(),
                "bytes": part.unit.size_bytes(),
                "state": part.verdict.state(),
                "why": part.verdict.why(),
            })
        })
    });
    Ok(Json(parts.take(asked.limit.unwrap_or(EXPLAINED)).collect()))
}

fn not_configured(name: &str) -> DruidError {
    let name = name.escape_debug();
    DruidError::not_found(format!("nobody has set how datasource '{name}' is compacted"))
}
