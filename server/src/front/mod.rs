//! The front door: a process with a broker serves the whole API, and sends on to others what their roles
//! answer.

mod choose;
mod forward;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use henge_platform::config::Secret;
use henge_platform::http::{BodyLimits, DruidError};
use henge_platform::metadata::MetadataStore;

use crate::cluster::Company;
use choose::Choice;
use forward::Forwarder;

/// Sends requests on.
#[derive(Debug)]
struct Front {
    choice: Choice,
    forwarder: Forwarder,
}

/// The routes that realtime nodes answer, for a process that is none.
pub(crate) fn to_realtime(
    company: Company,
    metadata: Arc<dyn MetadataStore>,
    limits: BodyLimits,
    token: Option<Secret>,
) -> Router {
    let forwarder = Forwarder::new(limits, token);
    let front = Arc::new(Front { choice: Choice::new(company, metadata), forwarder });
    Router::new()
        .route("/v1/datasources", any(send_on))
        .route("/v1/datasources/{*rest}", any(send_on))
        .route("/v1/realtime/{*rest}", any(send_on))
        .route("/druid/indexer/{*rest}", any(send_on))
        .with_state(front)
}

async fn send_on(
    State(front): State<Arc<Front>>,
    request: Request,
) -> Result<Response, DruidError> {
    let nodes = front.choice.nodes(request.method(), request.uri().path()).await?;
    front.forwarder.send(&nodes, request).await
}
