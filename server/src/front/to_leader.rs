//! Requests that the leader of the coordinators answers.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{any, delete};
use henge_coordinator::Coordinator;
use henge_platform::http::DruidError;
use henge_types::ErrorClass;

use super::Front;

/// On a request that was sent on once: whoever gets it answers it, or says that it does not lead.
const SENT_ON: HeaderName = HeaderName::from_static("x-henge-sent-on");

/// The routes of the coordinator, for a process that has none.
pub(crate) fn to_leader(front: Arc<Front>) -> Router {
    Router::new()
        .route("/druid/coordinator/v1/{*rest}", any(send_on))
        .route("/henge/v1/coordinator/{*rest}", any(send_on))
        .route("/druid/indexer/v1/compaction/{*rest}", any(send_on))
        .route("/v1/datasources/{name}", delete(send_on))
        .with_state(front)
}

/// The same routes of a process that has a coordinator: answered here while it leads.
pub(crate) fn by_leader(
    front: Arc<Front>,
    coordinator: Arc<Coordinator>,
    routes: Router,
) -> Router {
    routes.route_layer(from_fn_with_state((front, coordinator), answer_or_send_on))
}

async fn answer_or_send_on(
    State((front, coordinator)): State<(Arc<Front>, Arc<Coordinator>)>,
    request: Request,
    next: Next,
) -> Result<Response, DruidError> {
    if coordinator.leader().is_leading {
        return Ok(next.run(request).await);
    }
    front.to_leader(request).await
}

async fn send_on(
    State(front): State<Arc<Front>>,
    request: Request,
) -> Result<Response, DruidError> {
    front.to_leader(request).await
}

impl Front {
    async fn to_leader(&self, mut request: Request) -> Result<Response, DruidError> {
        let leader = self.lease.leading_member(&self.company).await?;
        if request.headers_mut().insert(SENT_ON, HeaderValue::from_static("true")).is_some() {
            let message = format!("the leader changes to '{}' just now; try again", leader.node_id);
            return Err(DruidError::new(ErrorClass::Unavailable, message));
        }
        self.forwarder.send(&[leader], request).await
    }
}
