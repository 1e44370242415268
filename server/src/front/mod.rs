//! The front door: a process with a broker serves the whole API, and sends on to others what their roles
//! answer. A coordinator that does not lead sends on to the one that does.

mod choose;
mod elsewhere;
mod forward;
mod push;
mod to_leader;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use henge_platform::config::Secret;
use henge_platform::http::{BodyLimits, DruidError};
use henge_platform::metadata::MetadataStore;

use crate::cluster::Company;
use crate::leader::LeaderLease;
use choose::Choice;
use forward::Forwarder;

pub(crate) use elsewhere::elsewhere;
pub(crate) use push::PushOn;
pub(crate) use to_leader::{by_leader, to_leader};

/// Sends requests on.
#[derive(Debug)]
pub(crate) struct Front {
    company: Company,
    lease: LeaderLease,
    choice: Choice,
    forwarder: Forwarder,
}

impl Front {
    /// Requests have the same limits as at the nodes that answer them, and `token` is shown to those.
    pub(crate) fn new(
        company: Company,
        metadata: Arc<dyn MetadataStore>,
        limits: BodyLimits,
        token: Option<Secret>,
    ) -> Self {
        let forwarder = Forwarder::new(limits, token);
        let lease = LeaderLease { metadata: Arc::clone(&metadata) };
        Self { choice: Choice::new(company.clone(), metadata), company, lease, forwarder }
    }

    async fn to_realtime(&self, request: Request) -> Result<Response, DruidError> {
        let nodes = self.choice.nodes(request.method(), request.uri().path()).await?;
        self.forwarder.send(&nodes, request).await
    }
}

/// The routes that realtime nodes answer, for a process that is none.
pub(crate) fn to_realtime(front: Arc<Front>) -> Router {
    Router::new()
        .route("/v1/datasources", any(send_on))
        .route("/v1/datasources/{name}", any(send_on))
        .route("/v1/datasources/{name}/{*rest}", any(send_on))
        .route("/v1/realtime/{*rest}", any(send_on))
        .route("/v1/uploads/{*rest}", any(send_on))
        .route("/druid/indexer/{*rest}", any(send_on))
        .with_state(front)
}

async fn send_on(
    State(front): State<Arc<Front>>,
    request: Request,
) -> Result<Response, DruidError> {
    front.to_realtime(request).await
}
