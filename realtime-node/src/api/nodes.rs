//! `/v1/realtime/{node}`: what an operator says of another realtime node.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use henge_platform::http::DruidError;
use serde::Deserialize;

use crate::node::{GivenUp, RealtimeNode};

/// Who is lost beside the node.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AlsoLost {
    /// Names of nodes that are lost with their disks, with commas between them.
    #[serde(default)]
    also_lost: String,
}

/// Gives up a node that does not come back; says what is lost.
pub(super) async fn give_up(
    State(node): State<Arc<RealtimeNode>>,
    Path(name): Path<String>,
    parameters: Result<Query<AlsoLost>, QueryRejection>,
) -> Result<Json<GivenUp>, DruidError> {
    let Query(parameters) = parameters.map_err(|error| DruidError::invalid(error.body_text()))?;
    let also_lost = parameters.also_lost.split(',').map(str::trim);
    let also_lost: BTreeSet<&str> = also_lost.filter(|name| !name.is_empty()).collect();
    Ok(Json(node.give_up(&name, &also_lost).await?))
}
