//! Bodies that are made while they are read: a piece is asked for when the connection has taken the one before, so
//! that a slow reader slows down who makes them.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt};
use hyper::body::Frame;

/// A part of such a body.
#[derive(Debug)]
pub enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// Fields after the last byte; clients get them that said `TE: trailers`, when `Trailer` names them.
    Trailers(HeaderMap),
}

/// A body of these pieces. An error ends the connection, so that the client cannot take what it has for the whole.
pub fn streamed(pieces: impl Stream<Item = Result<Piece, BoxError>> + Send + 'static) -> Body {
    Body::new(Streamed { pieces: pieces.fuse().boxed() })
}

struct Streamed {
    pieces: BoxStream<'static, Result<Piece, BoxError>>,
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.pieces.poll_next_unpin(context).map_ok(|piece| match piece {
            Piece::Bytes(bytes) => Frame::data(bytes),
            Piece::Trailers(trailers) => Frame::trailers(trailers),
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    async fn next(body: &mut Body) -> Option<Result<Frame<Bytes>, axum::Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
    }

    #[tokio::test]
    async fn pieces_are_frames_and_what_fails_ends_the_body() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x", HeaderValue::from_static("1"));
        let pieces = vec![Ok(Piece::Bytes("ab".into())), Ok(Piece::Trailers(trailers))];
        let mut body = streamed(futures::stream::iter(pieces));
        assert_eq!(next(&mut body).await.unwrap().unwrap().into_data().unwrap(), "ab");
        assert_eq!(next(&mut body).await.unwrap().unwrap().into_trailers().unwrap()["x"], "1");
        assert!(next(&mut body).await.is_none());
        let failing = futures::stream::iter(vec![Err::<Piece, BoxError>("broken".into())]);
        assert!(next(&mut streamed(failing)).await.unwrap().is_err());
    }
}
