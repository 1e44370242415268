//! `henge.v1.Push` of a process without the realtime role: each batch is sent on as the request over HTTP
//! that it is, so that keys, retries at other nodes and limits are those of that.

use std::sync::{Arc, OnceLock};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use henge_platform::http::DruidError;
use henge_proto::v1::PushStored;
use henge_realtime_node::TakeBatches;
use henge_types::ErrorClass;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::Front;

/// Most bytes of an answer: it counts events and shows the first that were refused.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Sends batches on, once the process is in its cluster.
#[derive(Debug)]
pub(crate) struct PushOn {
    front: Arc<OnceLock<Arc<Front>>>,
}

impl PushOn {
    /// The front door is set when there is one.
    pub(crate) fn through(front: Arc<OnceLock<Arc<Front>>>) -> Self {
        Self { front }
    }
}

/// What of an answer is known by name here.
#[derive(Deserialize)]
struct Counts {
    received: u64,
    accepted: u64,
    rejected: u64,
    filtered: u64,
    duplicate: bool,
}

/// What of an error is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    error_message: String,
}

#[tonic::async_trait]
impl TakeBatches for PushOn {
    async fn take(
        &self,
        datasource: &str,
        events: Bytes,
        idempotency_key: Option<Arc<str>>,
    ) -> Result<PushStored, DruidError> {
        let starts = || DruidError::new(ErrorClass::Unavailable, "this process starts");
        let front = self.front.get().ok_or_else(starts)?;
        let request = request(datasource, events, idempotency_key.as_deref())?;
        let answer = front.to_realtime(request).await?;
        let status = answer.status();
        let body = to_bytes(answer.into_body(), MAX_ANSWER_BYTES).await.map_err(|error| {
            let message = format!("the answer of a realtime node broke off: {error}");
            DruidError::new(ErrorClass::Unavailable, message)
        })?;
        match status {
            StatusCode::OK => stored(&body),
            status => Err(failed(status, &body)),
        }
    }
}

fn request(datasource: &str, events: Bytes, key: Option<&str>) -> Result<Request, DruidError> {
    let name = utf8_percent_encode(datasource, NON_ALPHANUMERIC);
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("/v1/datasources/{name}/events"))
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(key) = key {
        let key = HeaderValue::from_str(key);
        let key = key.map_err(|error| DruidError::invalid(format!("idempotency_key: {error}")))?;
        request = request.header("idempotency-key", key);
    }
    let wrong = |error| DruidError::invalid(format!("datasource: {error}"));
    request.body(Body::from(events)).map_err(wrong)
}

fn stored(body: &[u8]) -> Result<PushStored, DruidError> {
    let unclear = |error: String| {
        DruidError::new(ErrorClass::Internal, format!("the answer of a realtime node: {error}"))
    };
    let counts: Counts =
        serde_json::from_slice(body).map_err(|error| unclear(error.to_string()))?;
    let details = String::from_utf8(body.to_vec()).map_err(|error| unclear(error.to_string()))?;
    let Counts { received, accepted, rejected, filtered, duplicate: is_duplicate } = counts;
    Ok(PushStored { received, accepted, rejected, filtered, is_duplicate, details })
}

fn failed(status: StatusCode, body: &[u8]) -> DruidError {
    let said = serde_json::from_slice::<Failure>(body);
    let message = said.map_or_else(
        |_| format!("a realtime node answered {status}"),
        |failure| failure.error_message,
    );
    DruidError::new(class_of(status), message).with_status(status)
}

/// The class that `DruidError` shows with this status.
fn class_of(status: StatusCode) -> ErrorClass {
    match status {
        StatusCode::NOT_FOUND => ErrorClass::NotFound,
        StatusCode::NOT_IMPLEMENTED => ErrorClass::Unsupported,
        StatusCode::TOO_MANY_REQUESTS => ErrorClass::Capacity,
        StatusCode::GATEWAY_TIMEOUT => ErrorClass::Timeout,
        StatusCode::SERVICE_UNAVAILABLE => ErrorClass::Unavailable,
        StatusCode::CONFLICT => ErrorClass::Conflict,
        StatusCode::UNPROCESSABLE_ENTITY => ErrorClass::Contradiction,
        status if status.is_client_error() => ErrorClass::InvalidInput,
        _ => ErrorClass::Internal,
    }
}
