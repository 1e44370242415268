//! `/status` and `/status/health`: what clients and load balancers ask first; `/status/ready`: what
//! can be queried and what not; `/metrics`: numbers for operators.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use henge_broker::Broker;
use henge_historical_node::HistoricalNode;
use henge_platform::http::DruidError;
use henge_platform::telemetry::Metrics;
use serde_json::{Value, json};

/// The routes.
pub(crate) fn router(
    metrics: Metrics,
    broker: Arc<Broker>,
    historical: Arc<HistoricalNode>,
) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/status/health", get(health))
        .route("/metrics", get(numbers))
        .with_state(metrics)
        .merge(Router::new().route("/status/ready", get(ready)).with_state((broker, historical)))
}

/// Prometheus' text format.
async fn numbers(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render())
}

async fn status() -> Json<Value> {
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "modules": [],
        "memory": {},
        "product": "henge",
    }))
}

/// The server listens, so it is ready; `complete` says whether everything that is used is served.
/// `endangeredSegments` names those that are served while their object in deep storage is damaged and
/// could not be mended so far.
async fn ready(
    State((broker, historical)): State<(Arc<Broker>, Arc<HistoricalNode>)>,
) -> Result<Json<Value>, DruidError> {
    let available = broker.availability().await?;
    let by_datasource: serde_json::Map<String, Value> = available
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
    let endangered = historical.endangered().into_iter();
    let endangered: serde_json::Map<String, Value> =
        endangered.map(|(id, trouble)| (id.to_string(), json!(trouble))).collect();
    Ok(Json(json!({
        "ready": true,
        "complete": by_datasource.is_empty() && available.metadata_away.is_none(),
        "unavailableSegments": available.count(),
        "unavailable": by_datasource,
        "endangeredSegments": endangered,
        "metadataAway": available.metadata_away,
    })))
}

/// The server listens only once everything that was stored is queryable, or could not be loaded and
/// is named by `/status/ready`. So the process is healthy; clients compare this with `true`.
async fn health() -> Json<bool> {
    Json(true)
}
