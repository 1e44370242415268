//! `/henge/v1/coordinator/audit`: who marked and deleted segments of a datasource.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use henge_platform::http::DruidError;

use super::asked::Parameters;
use crate::Coordinator;
use crate::audit::AuditEntry;

/// What was done, the newest first; `?limit=`.
pub(super) async fn list(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Json<Vec<AuditEntry>>, DruidError> {
    Ok(Json(coordinator.audit.of(&name, parameters.limit()?).await?))
}
