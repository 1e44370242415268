//! What HTTP answers while the process starts: that it lives, and what it waits for. Then the roles answer.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use henge_platform::http::DruidError;
use henge_types::ErrorClass;
use parking_lot::Mutex;
use serde_json::json;
use tower::ServiceExt;

use crate::status;

/// The door of a process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    roles: OnceLock<Router>,
    waits_for: Mutex<String>,
}

impl Gate {
    /// Says what is waited for.
    pub(crate) fn waits_for(&self, what: impl Into<String>) {
        *self.0.waits_for.lock() = what.into();
    }

    /// The roles answer from now on.
    pub(crate) fn open(&self, roles: Router) {
        // It is opened once.
        let _ = self.0.roles.set(roles);
    }

    /// Answers before and after.
    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }
}

async fn answer(State(gate): State<Gate>, request: Request) -> Result<Response, Infallible> {
    if let Some(roles) = gate.0.roles.get() {
        return roles.clone().oneshot(request).await;
    }
    let waits_for = gate.0.waits_for.lock().clone();
    Ok(match request.uri().path() {
        "/status" => {
            let mut shown = status::program();
            shown["ready"] = json!(false);
            shown["waitsFor"] = json!([waits_for]);
            Json(shown).into_response()
        }
        "/status/health" => status::health().await.into_response(),
        "/status/ready" => {
            let body = Json(json!({ "ready": false, "waitsFor": [waits_for] }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
        _ => {
            let message = format!("the server starts: {waits_for}; GET /status/ready says more");
            DruidError::new(ErrorClass::Unavailable, message).into_response()
        }
    })
}
