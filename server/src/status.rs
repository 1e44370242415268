//! `/status` and `/status/health`: what clients and load balancers ask first; `/metrics`: numbers
//! for operators.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use henge_platform::telemetry::Metrics;
use serde_json::{Value, json};

/// The routes.
pub fn router(metrics: Metrics) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/status/health", get(health))
        .route("/metrics", get(numbers))
        .with_state(metrics)
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

/// The server listens only once everything that was stored is queryable, so it is healthy.
async fn health() -> Json<bool> {
    Json(true)
}
