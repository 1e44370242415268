//! `/status` and `/status/health`: what clients and load balancers ask first, and what the process is within
//! its cluster; `/status/ready`: what it waits for, and what can be queried and what not; `/metrics`: numbers
//! for operators.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use henge_broker::Broker;
use henge_historical_node::HistoricalNode;
use henge_platform::http::DruidError;
use henge_platform::membership::Role;
use henge_platform::runtime::machine::{memory_bytes, resident_bytes};
use henge_platform::telemetry::Metrics;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::formats::Formats;

use crate::ground::Ground;
use crate::options::Options;
use crate::roles::Roles;

/// The routes.
pub(crate) fn router(options: &Options, ground: &Ground, roles: &Roles) -> Router {
    let watched = Watched {
        started: Instant::now(),
        cluster: Arc::clone(&ground.queries.cluster),
        node: Arc::clone(&options.node.name),
        roles: options.node.roles.iter().copied().collect(),
        broker: roles.broker.clone(),
        historical: roles.historical.clone(),
    };
    let of_process = Router::new()
        .route("/status", get(status))
        .route("/status/ready", get(ready))
        .with_state(Arc::new(watched));
    Router::new()
        .route("/status/health", get(health))
        .route("/metrics", get(numbers))
        .with_state(ground.metrics.clone())
        .merge(of_process)
}

/// What readiness depends on.
#[derive(Debug)]
struct Watched {
    started: Instant,
    cluster: Arc<str>,
    node: Arc<str>,
    roles: Vec<Role>,
    broker: Option<Arc<Broker>>,
    historical: Option<Arc<HistoricalNode>>,
}

impl Watched {
    /// What a broker has still to see before it answers for the cluster, and disks that hang.
    fn waits_for(&self) -> Vec<String> {
        let awaited = self.broker.iter().flat_map(|broker| broker.awaited());
        let disks = self.historical.iter().filter_map(|historical| historical.disk_trouble());
        awaited.map(|awaited| awaited.to_string()).chain(disks).collect()
    }
}

/// Prometheus' text format.
async fn numbers(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render())
}

/// The Druid whose API is spoken: clients ask for it and refuse what they take for an old one.
const DRUID_VERSION: &str = "36.0.0";

/// What the program is, as Druid says it, and the versions of what it writes.
pub(crate) fn program() -> Value {
    let most = memory_bytes().unwrap_or(0);
    let used = resident_bytes().unwrap_or(0);
    json!({
        "version": DRUID_VERSION,
        "hengeVersion": env!("CARGO_PKG_VERSION"),
        "modules": [],
        "memory": {
            "maxMemory": most,
            "totalMemory": used,
            "freeMemory": most.saturating_sub(used),
            "usedMemory": used,
            "directMemory": 0,
        },
        "product": "henge",
        "formats": Formats::of_this_program(),
    })
}

/// The program, and what this process of it is.
async fn status(State(watched): State<Arc<Watched>>) -> Json<Value> {
    let mut shown = program();
    let waits_for = watched.waits_for();
    let uptime = watched.started.elapsed().as_millis();
    shown["modules"] = watched.roles.iter().map(|role| module(*role)).collect();
    shown["node"] = json!(&*watched.node);
    shown["roles"] = watched.roles.iter().map(|role| role.name()).collect();
    shown["cluster"] = json!(&*watched.cluster);
    shown["uptimeMs"] = json!(u64::try_from(uptime).unwrap_or(u64::MAX));
    shown["ready"] = json!(waits_for.is_empty());
    shown["waitsFor"] = json!(waits_for);
    Json(shown)
}

/// A role, as Druid lists what a server has loaded.
fn module(role: Role) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({ "name": role.name(), "artifact": "henge", "version": version })
}

/// Whether the process can do its work: 503 while it waits for something. `complete` says whether
/// everything that is used is served. `endangeredSegments` names those that are served while their object
/// in deep storage is damaged and could not be mended so far.
async fn ready(State(watched): State<Arc<Watched>>) -> Result<impl IntoResponse, DruidError> {
    let waits_for = watched.waits_for();
    let is_ready = waits_for.is_empty();
    let names: Vec<&str> = watched.roles.iter().map(|role| role.name()).collect();
    let mut shown = json!({
        "ready": is_ready,
        "node": &*watched.node,
        "roles": names,
        "waitsFor": waits_for,
    });
    if let Some(historical) = &watched.historical {
        let endangered = historical.endangered().into_iter();
        let endangered: Map<String, Value> =
            endangered.map(|(id, trouble)| (id.to_string(), json!(trouble))).collect();
        shown["endangeredSegments"] = Value::Object(endangered);
    }
    if let Some(broker) = &watched.broker {
        tell_available(broker, &mut shown).await?;
    }
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((code, Json(shown)))
}

async fn tell_available(broker: &Broker, shown: &mut Value) -> Result<(), DruidError> {
    let available = broker.availability().await?;
    let by_datasource: Map<String, Value> = available
        .unavailable
        .iter()
        .map(|(name, unavailable)| {
            let mut shown = unavailable.to_json();
            let troubles =
                unavailable.troubles.iter().map(|(id, text)| (id.to_string(), json!(text)));
            shown["troubles"] = Value::Object(troubles.collect());
            (name.clone(), shown)
        })
        .collect();
    shown["complete"] = json!(by_datasource.is_empty() && available.metadata_away.is_none());
    shown["unavailableSegments"] = json!(available.count());
    shown["unavailable"] = Value::Object(by_datasource);
    shown["metadataAway"] = json!(available.metadata_away);
    Ok(())
}

/// The process lives; whether it can do its work, `/status/ready` says. Clients compare this with `true`.
pub(crate) async fn health() -> Json<bool> {
    Json(true)
}
