//! Long lists, written as they are read: a million segments are never one text in memory.

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Serialize;

/// Bytes of one piece, about.
const PIECE_BYTES: usize = 64 << 10;

/// An array of JSON of what an iterator gives.
pub(super) fn json_array<T: Serialize>(
    items: impl Iterator<Item = T> + Send + 'static,
) -> Response {
    let pieces = Pieces { items, is_begun: false, is_ended: false };
    let body = Body::from_stream(stream::iter(pieces));
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

struct Pieces<I> {
    items: I,
    is_begun: bool,
    is_ended: bool,
}

impl<I: Iterator<Item: Serialize>> Iterator for Pieces<I> {
    type Item = Result<Bytes, serde_json::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_ended {
            return None;
        }
        let mut piece = Vec::with_capacity(PIECE_BYTES + 4_096);
        while piece.len() < PIECE_BYTES {
            let Some(item) = self.items.next() else {
                piece.extend_from_slice(if self.is_begun { b"]" } else { b"[]" });
                self.is_ended = true;
                break;
            };
            piece.push(if self.is_begun { b',' } else { b'[' });
            self.is_begun = true;
            if let Err(error) = serde_json::to_writer(&mut piece, &item) {
                self.is_ended = true;
                return Some(Err(error));
            }
        }
        Some(Ok(piece.into()))
    }
}
