//! `DELETE /druid/v2/{id}`: cancels a query.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::Broker;

/// Always 202, also for unknown ids: clients cancel queries that may just have ended.
pub(super) async fn cancel(
    State(broker): State<Arc<Broker>>,
    Path(query_id): Path<String>,
) -> StatusCode {
    broker.cancel(&query_id).await;
    StatusCode::ACCEPTED
}
