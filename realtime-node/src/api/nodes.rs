//! `/v1/realtime/{node}`: what an operator says of another realtime node.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use henge_platform::http::DruidError;

use crate::node::{GivenUp, RealtimeNode};

/// Gives up a node that does not come back; says what is lost.
pub(super) async fn give_up(
    State(node): State<Arc<RealtimeNode>>,
    Path(name): Path<String>,
) -> Result<Json<GivenUp>, DruidError> {
    Ok(Json(node.give_up(&name).await?))
}
