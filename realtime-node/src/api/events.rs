//! `POST /v1/datasources/{name}/events` and the dead letter.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use henge_platform::http::{DruidError, LimitedBody};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::node::RealtimeNode;
use crate::push::{MAX_KEY_BYTES, PushReply};

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const MAX_LETTERS: usize = 10_000;

/// Stores events; answers once they are durable and queryable.
pub(super) async fn push(
    State(node): State<Arc<RealtimeNode>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    LimitedBody(body): LimitedBody,
) -> Result<Json<PushReply>, DruidError> {
    let key = idempotency_key(&headers)?;
    Ok(Json(node.push(&name, body, key).await?))
}

/// Where a listing goes on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LetterRange {
    #[serde(default)]
    after: u64,
    #[serde(default = "default_limit")]
    limit: usize,
}

fn default_limit() -> usize {
    100
}

/// Lists refused events, oldest first.
pub(super) async fn dead_letters(
    State(node): State<Arc<RealtimeNode>>,
    Path(name): Path<String>,
    range: Result<Query<LetterRange>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, DruidError> {
    let Query(range) = range.map_err(|error| DruidError::invalid(error.body_text()))?;
    let metadata = &node.shared.metadata;
    let limit = range.limit.min(MAX_LETTERS);
    let letters = metadata.list_dead_letters(&name, range.after, limit).await?;
    let totals = metadata.dead_letter_totals(&name).await?;
    let letters: Vec<Value> = letters
        .into_iter()
        .map(|stored| {
            json!({
                "number": stored.number,
                "received": henge_types::format_timestamp(stored.letter.received_ms),
                "origin": stored.letter.origin,
                "position": stored.letter.position,
                "offsetBytes": stored.letter.offset_bytes,
                "reason": stored.letter.reason,
                "raw": stored.letter.raw,
            })
        })
        .collect();
    Ok(Json(json!({ "datasource": name, "totals": totals, "deadLetters": letters })))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<Arc<str>>, DruidError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(DruidError::invalid(
            "the header Idempotency-Key is there more than once: a request has one key",
        ));
    }
    checked_key(value.to_str().unwrap_or_default()).map(Some)
}

/// A key as it may be sent in a header, wherever it was sent.
pub(super) fn checked_key(key: &str) -> Result<Arc<str>, DruidError> {
    let is_printable = key.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    if key.is_empty() || key.len() > MAX_KEY_BYTES || !is_printable {
        return Err(DruidError::invalid(format!(
            "Idempotency-Key must be 1 to {MAX_KEY_BYTES} printable ASCII characters"
        )));
    }
    Ok(key.into())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_request_has_one_key() {
        let mut headers = HeaderMap::new();
        assert_eq!(idempotency_key(&headers).unwrap(), None);
        headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("a"));
        assert_eq!(idempotency_key(&headers).unwrap().as_deref(), Some("a"));
        headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("a"));
        let error = idempotency_key(&headers).unwrap_err().error_message;
        assert!(error.contains("the header Idempotency-Key is there more than once"), "{error}");
    }
}
