//! Request bodies: bounded on the wire, bounded when inflated, and not slower than a minimum.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use henge_types::ErrorClass;
use tokio::time::{Instant, timeout_at};

use super::error::{Closing, DruidError, closing};
use crate::compression::{ContentEncoding, InflateLimits, inflate, refuse_compressed};
use crate::runtime::{AccountFull, Charge, MemoryAccount, blocking};

/// Bounds of one request's body.
#[derive(Debug, Clone)]
pub struct BodyLimits {
    /// Most bytes on the wire.
    pub max_body_bytes: usize,
    /// Bounds of inflating it.
    pub inflate: InflateLimits,
    /// Longest silence between two pieces.
    pub idle_timeout: Duration,
    /// After `idle_timeout`, a body slower than this is cut off.
    pub min_bytes_per_second: u64,
    /// What bodies are charged to, from their first byte until nothing of them is left.
    pub account: MemoryAccount,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            max_body_bytes: 16 << 20,
            inflate: InflateLimits::default(),
            idle_timeout: Duration::from_secs(10),
            min_bytes_per_second: 1_024,
            account: MemoryAccount::unbounded(),
        }
    }
}

/// A body that says how long it is gets room for so many times what came of it.
const ROOM_AHEAD: usize = 8;
/// Bodies above this are inflated off the network's threads.
const INFLATE_INLINE_BYTES: usize = 16 << 10;

/// Reads and inflates a body. The bytes are charged to the limits' account until their last clone is
/// gone, whoever holds it.
///
/// # Errors
/// 413 as soon as a limit is passed, 415 for an unknown encoding or for what says that it is no text in
/// UTF-8, 400 for a malformed body, 408 for one that comes too slowly, 429 when all bodies together take
/// too much memory.
pub(super) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    limits: &BodyLimits,
) -> Result<Bytes, DruidError> {
    let encoding = content_encoding(headers)?;
    check_content_type(headers)?;
    let (wire, wire_charge) = read_wire(body, limits).await?;
    if encoding == ContentEncoding::Identity {
        refuse_compressed(&wire)?;
        return Ok(wire_charge.hold(wire));
    }
    let (bounds, account) = (limits.inflate, limits.account.clone());
    let (inflated, charge) = if wire.len() <= INFLATE_INLINE_BYTES {
        inflate(encoding, &wire, bounds, &account)?
    } else {
        blocking(move || inflate(encoding, &wire, bounds, &account))
            .await
            .map_err(|error| DruidError::new(ErrorClass::Internal, error.to_string()))??
    };
    drop(wire_charge);
    Ok(charge.hold(inflated.into()))
}

impl From<AccountFull> for DruidError {
    fn from(full: AccountFull) -> Self {
        Self::new(full.class(), full.to_string())
    }
}

/// The inflated body, under the [`BodyLimits`] that the router carries as an extension.
#[derive(Debug, Clone)]
pub struct LimitedBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for LimitedBody {
    type Rejection = Closing;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Closing> {
        let (parts, body) = request.into_parts();
        let limits = parts.extensions.get::<Arc<BodyLimits>>().cloned().unwrap_or_default();
        read_body(&parts.headers, body, &limits).await.map(Self).map_err(closing)
    }
}

/// The body as it came on the wire, whatever is in it, under the same [`BodyLimits`].
#[derive(Debug, Clone)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Closing;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Closing> {
        let (parts, body) = request.into_parts();
        let limits = parts.extensions.get::<Arc<BodyLimits>>().cloned().unwrap_or_default();
        let (wire, charge) = read_wire(body, &limits).await.map_err(closing)?;
        Ok(Self(charge.hold(wire)))
    }
}

fn content_encoding(headers: &HeaderMap) -> Result<ContentEncoding, DruidError> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let Some(value) = values.next() else {
        return Ok(ContentEncoding::Identity);
    };
    if values.next().is_some() {
        return Err(DruidError::invalid("content-encoding is given twice: send it once"));
    }
    let text = value
        .to_str()
        .map_err(|_| DruidError::invalid("content-encoding is not printable ASCII"))?;
    Ok(ContentEncoding::parse(text)?)
}

/// All that is read here is JSON, which is UTF-8, whatever it is called (`curl` calls it a form). What
/// says that it is something else would be read as what it is not.
fn check_content_type(headers: &HeaderMap) -> Result<(), DruidError> {
    for value in headers.get_all(CONTENT_TYPE) {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let charset = parts.find_map(|part| part.strip_prefix("charset="));
        let is_utf_8 = charset.is_none_or(|charset| {
            matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii")
        });
        let is_text = !media_type.starts_with("multipart/") && !media_type.ends_with("smile");
        if !is_text || !is_utf_8 {
            let text = text.escape_default();
            return Err(DruidError::invalid(format!(
                "content-type '{text}' is not read here: send JSON in UTF-8 as application/json"
            ))
            .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
    }
    Ok(())
}

async fn read_wire(body: Body, limits: &BodyLimits) -> Result<(Bytes, Charge), DruidError> {
    let mut charge = limits.account.nothing();
    let started = Instant::now();
    let expected = HttpBody::size_hint(&body).exact();
    let expected = expected.and_then(|bytes| usize::try_from(bytes).ok());
    let mut pieces = body.into_data_stream();
    let mut first: Option<Bytes> = None;
    let mut joined = BytesMut::new();
    let mut total = 0;
    loop {
        let deadline = piece_deadline(started, total, limits);
        let piece = match timeout_at(deadline, pieces.next()).await {
            Err(_) => return Err(too_slow()),
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                return Err(DruidError::invalid(format!("the body broke off: {error}")));
            }
            Ok(Some(Ok(piece))) => piece,
        };
        total += piece.len();
        if total > limits.max_body_bytes {
            return Err(too_large(limits.max_body_bytes));
        }
        // The common body of one piece is passed on without a copy.
        if total == piece.len() {
            charge.set(total)?;
            first = Some(piece);
            continue;
        }
        if joined.capacity() < total {
            let room = room(total, expected.map(|bytes| bytes.min(limits.max_body_bytes)));
            // A buffer that grows doubles at least.
            charge.set(room.max(2 * joined.capacity()))?;
            joined.reserve(room - joined.len());
        }
        if let Some(first) = first.take() {
            joined.extend_from_slice(&first);
        }
        joined.extend_from_slice(&piece);
    }
    Ok((first.unwrap_or_else(|| joined.freeze()), charge))
}

/// Room for a body of which so many bytes came: for all of it, unless it is much more than that.
fn room(received: usize, expected: Option<usize>) -> usize {
    expected.map_or(2 * received, |bytes| bytes.clamp(received, ROOM_AHEAD * received))
}

/// The next piece must come within the idle time, and the whole must keep up with the minimum rate.
fn piece_deadline(started: Instant, received: usize, limits: &BodyLimits) -> Instant {
    let idle = Instant::now() + limits.idle_timeout;
    let rate = limits.min_bytes_per_second.max(1);
    let earned = Duration::from_secs(received as u64 / rate);
    idle.min(started + limits.idle_timeout + earned)
}

fn too_large(limit: usize) -> DruidError {
    DruidError::new(
        ErrorClass::ResourceLimit,
        format!("the body has more than {limit} bytes: send smaller batches"),
    )
    .with_status(StatusCode::PAYLOAD_TOO_LARGE)
}

fn too_slow() -> DruidError {
    DruidError::new(ErrorClass::Timeout, "the body came too slowly")
        .with_status(StatusCode::REQUEST_TIMEOUT)
}

#[cfg(test)]
mod tests;
