//! The endpoints of the coordinator over HTTP, one family a file: Druid's under `/druid/coordinator/v1`, and
//! ours under `/henge/v1/coordinator`.

mod compaction;

use std::sync::Arc;

use axum::Router;
use henge_platform::http::DruidError;

use crate::Coordinator;
use crate::error::CoordinatorError;

/// The routes of the role.
pub fn router(coordinator: Arc<Coordinator>) -> Router {
    Router::new()
        .nest("/druid/coordinator/v1", compaction::druid())
        .nest("/henge/v1/coordinator", compaction::ours())
        .with_state(coordinator)
}

impl From<CoordinatorError> for DruidError {
    fn from(error: CoordinatorError) -> Self {
        Self::new(error.class(), error.to_string())
    }
}
