//! The endpoints of the realtime role over HTTP, one group a file, and over gRPC.

mod datasources;
mod events;
mod grpc;
mod network_peers;
mod nodes;
mod peers;
mod tasks;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use henge_platform::http::DruidError;

pub use grpc::{PushRoute, PushService, TakeBatches, push_service};
pub use network_peers::NetworkPeers;
pub use peers::{PeerRoute, PeerService, connect_peer, peer_service};

use crate::error::RealtimeError;
use crate::node::RealtimeNode;

/// The routes of the role.
pub fn router(node: Arc<RealtimeNode>) -> Router {
    Router::new()
        .route("/v1/datasources", get(datasources::list))
        .route("/v1/datasources/{name}", put(datasources::put).get(datasources::get))
        .route("/v1/datasources/{name}/events", post(events::push))
        .route("/v1/datasources/{name}/dead-letters", get(events::dead_letters))
        .route("/v1/realtime/{node}/give-up", post(nodes::give_up))
        .route("/v1/uploads/{upload}/{part}", post(uploads::put))
        .route("/druid/indexer/v1/task", post(tasks::submit))
        .route("/druid/indexer/v1/task/{id}", get(tasks::payload))
        .route("/druid/indexer/v1/task/{id}/status", get(tasks::status))
        .route("/druid/indexer/v1/task/{id}/shutdown", post(tasks::shutdown))
        .route("/druid/indexer/v1/datasources/{name}/shutdownAllTasks", post(tasks::shutdown_all))
        .route("/druid/indexer/v1/task/{id}/reports", get(tasks::reports))
        .route("/druid/indexer/v1/tasks", get(tasks::list))
        .with_state(node)
}

impl From<RealtimeError> for DruidError {
    fn from(error: RealtimeError) -> Self {
        let shown = Self::new(error.class(), error.to_string());
        if matches!(error, RealtimeError::Stopping) { shown.not_taken() } else { shown }
    }
}
