//! The endpoints of the historical role over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use henge_platform::http::DruidError;

use crate::HistoricalNode;
use crate::dial::Dial;
use crate::error::HistoricalError;

/// The routes of the role.
pub fn router(node: Arc<HistoricalNode>) -> Router {
    Router::new().route("/henge/v1/dial", get(dial)).with_state(node)
}

/// What the node's segments take and how they do.
async fn dial(State(node): State<Arc<HistoricalNode>>) -> Result<Json<Dial>, DruidError> {
    Ok(Json(Dial::clone(&*node.dial().await?)))
}

impl From<HistoricalError> for DruidError {
    fn from(error: HistoricalError) -> Self {
        Self::new(error.class(), error.to_string())
    }
}
