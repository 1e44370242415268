//! `/v1/uploads`: files that clients send, part by part, for a task that reads them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use henge_platform::http::{DruidError, RawBody};
use serde_json::{Value, json};

use crate::node::RealtimeNode;
use crate::task::keep_part;

/// Takes a part of a file, as it is. Parts count from 0; one that is sent again changes nothing.
pub(super) async fn put(
    State(node): State<Arc<RealtimeNode>>,
    Path((upload, part)): Path<(String, u64)>,
    RawBody(body): RawBody,
) -> Result<Json<Value>, DruidError> {
    let size_bytes = body.len();
    keep_part(&*node.shared.storage, &upload, part, body).await?;
    Ok(Json(json!({ "upload": upload, "part": part, "sizeBytes": size_bytes })))
}
