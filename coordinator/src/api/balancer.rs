//! `/henge/v1/coordinator/balancer/explain`: the last moves, and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use henge_platform::http::DruidError;
use serde::Serialize;

use super::asked::Parameters;
use crate::{Coordinator, ExplainedMove};

/// Moves, and whether anything is left to be done.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    moves: Vec<ExplainedMove>,
    /// True when the last plan found nothing to do, and nothing has changed since.
    settled: bool,
}

/// The last moves, the newest first; `?limit=`.
pub(super) async fn explain(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Json<Explanation>, DruidError> {
    let mut moves = coordinator.explained_moves();
    moves.truncate(parameters.number("limit")?.unwrap_or(100));
    let settled = coordinator.settled.lock().is_some();
    Ok(Json(Explanation { moves, settled }))
}
