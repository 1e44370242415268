//! Answers that were not yet read: their bytes are charged to an account until the client has them,
//! so that clients who read slowly cannot fill the memory with what waits for them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::error::DruidError;
use crate::runtime::{Charge, MemoryAccount};

/// Smaller answers fit into the buffers of their connection, and their number is bounded by that of
/// connections.
const SMALL_BYTES: u64 = 4 << 10;

/// Middleware: charges the bytes of an answer until they are sent. When there is no room, the client
/// gets 429 instead.
pub async fn charge_answers(
    State(account): State<MemoryAccount>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let size_bytes = HttpBody::size_hint(response.body()).exact().unwrap_or(0);
    if size_bytes <= SMALL_BYTES {
        return response;
    }
    let size_bytes = usize::try_from(size_bytes).unwrap_or(usize::MAX);
    match account.charge(size_bytes) {
        Ok(charge) => response.map(|body| Body::new(Charged { body, charge: Arc::new(charge) })),
        Err(full) => DruidError::from(full).into_response(),
    }
}

/// A body whose bytes hold its charge.
struct Charged {
    body: Body,
    charge: Arc<Charge>,
}

/// A piece of it, on its way to the socket.
struct Piece {
    bytes: Bytes,
    _charge: Arc<Charge>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for Charged {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map_ok(|frame| {
            frame.map_data(|bytes| {
                Bytes::from_owner(Piece { bytes, _charge: Arc::clone(&self.charge) })
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        HttpBody::size_hint(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use futures::StreamExt;
    use tower::ServiceExt;

    use super::*;

    async fn ask(router: &Router, path: &str) -> Response {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn f_62_answers_are_charged_until_their_last_byte_is_gone() {
        let account = MemoryAccount::root("answers", "memory.answers_bytes", 15_000);
        let router = Router::new()
            .route("/large", get(|| async { vec![b'x'; 10_000] }))
            .route("/small", get(|| async { "x" }))
            .layer(from_fn_with_state(account.clone(), charge_answers));
        let first = ask(&router, "/large").await;
        assert_eq!((first.status().as_u16(), account.used_bytes()), (200, 10_000));
        let refused = ask(&router, "/large").await;
        assert_eq!((refused.status().as_u16(), account.used_bytes()), (429, 10_000));
        assert_eq!(ask(&router, "/small").await.status(), 200);
        let mut pieces = first.into_body().into_data_stream();
        let piece = pieces.next().await.unwrap().unwrap();
        assert!(pieces.next().await.is_none());
        drop(pieces);
        // What the socket has not taken yet is still held.
        assert_eq!((piece.len(), account.used_bytes()), (10_000, 10_000));
        drop(piece);
        assert_eq!(account.used_bytes(), 0);
        assert_eq!(ask(&router, "/large").await.status(), 200);
    }
}
