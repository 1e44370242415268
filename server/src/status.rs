//! `/status` and `/status/health`: what clients and load balancers ask first.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

/// The routes.
pub fn router() -> Router {
    Router::new().route("/status", get(status)).route("/status/health", get(health))
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
