//! `GET /v1/schema/query`: how native queries are written, as JSON Schema.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use henge_query::reference::json_schema;

/// The same as long as the program is.
static SCHEMA: LazyLock<String> = LazyLock::new(|| json_schema().to_string());

/// Answers it.
pub(super) async fn of_queries() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/schema+json")], SCHEMA.as_str())
}
