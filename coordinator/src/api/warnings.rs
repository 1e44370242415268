//! What was done and may not be meant, in a header: bodies are as Druid's.

use axum::http::{HeaderName, HeaderValue};
use serde_json::json;

const WARNINGS: HeaderName = HeaderName::from_static("x-henge-warnings");
/// Warnings in one header, at most.
const MOST: usize = 10;

/// A list of JSON; nothing when there is nothing to say.
pub(super) fn header(mut warnings: Vec<String>) -> Option<[(HeaderName, HeaderValue); 1]> {
    warnings.truncate(MOST);
    let value = HeaderValue::from_str(&json!(warnings).to_string()).ok();
    value.filter(|_| !warnings.is_empty()).map(|value| [(WARNINGS, value)])
}
