//! Messages in pieces: a transport carries a long message in several, so that none of them is large,
//! and what a message takes is charged before there is room for it.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use henge_exec::{MemoryLease, QueryMemory};

use super::WireError;
use crate::error::NodeError;

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its bytes.
    pub bytes: Bytes,
    /// Bytes of the message that follow in further pieces; 0 in the last one.
    pub rest_bytes: u64,
}

impl Piece {
    /// A message in one piece.
    #[must_use]
    pub fn whole(message: Bytes) -> Self {
        Self { bytes: message, rest_bytes: 0 }
    }

    /// A message in pieces of at most `piece_bytes`.
    pub fn cut(mut message: Bytes, piece_bytes: usize) -> impl Iterator<Item = Self> {
        let mut is_done = false;
        std::iter::from_fn(move || {
            if is_done {
                return None;
            }
            let bytes = message.split_to(message.len().min(piece_bytes.max(1)));
            is_done = message.is_empty();
            Some(Self { bytes, rest_bytes: message.len() as u64 })
        })
    }
}

/// The pieces that answer a call.
pub type Pieces = BoxStream<'static, Result<Piece, NodeError>>;

/// A message that was put together, and what it holds until it is read.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    _lease: Option<MemoryLease>,
}

/// The messages that answer a call.
pub(super) struct Messages {
    pieces: Pieces,
    /// Charged for messages in several pieces; without one there are none.
    memory: Option<QueryMemory>,
}

impl Messages {
    pub(super) fn of(pieces: Pieces, memory: Option<QueryMemory>) -> Self {
        Self { pieces, memory }
    }

    /// The next message; `None` after the last.
    ///
    /// # Errors
    /// When the transport fails, a message ends early, or is more than the account has room for.
    pub(super) async fn next(&mut self) -> Result<Option<Whole>, NodeError> {
        let Some(first) = self.pieces.next().await else { return Ok(None) };
        let Piece { bytes, rest_bytes } = first?;
        if rest_bytes == 0 {
            return Ok(Some(Whole { bytes, _lease: None }));
        }
        let memory = self.memory.as_ref().ok_or(WireError::TooLong)?;
        let rest = usize::try_from(rest_bytes).unwrap_or(usize::MAX);
        let length = bytes.len().saturating_add(rest);
        let mut lease = memory.lease();
        lease.set(length)?;
        let mut message = Vec::with_capacity(length);
        message.extend_from_slice(&bytes);
        while message.len() < length {
            let piece = self.pieces.next().await.ok_or(WireError::CutShort)??;
            let missing = length - message.len();
            let left = missing.checked_sub(piece.bytes.len()).map(|left| left as u64);
            if left != Some(piece.rest_bytes) || piece.bytes.is_empty() {
                return Err(WireError::Damaged.into());
            }
            message.extend_from_slice(&piece.bytes);
        }
        Ok(Some(Whole { bytes: message.into(), _lease: Some(lease) }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::stream;
    use henge_exec::MemoryPool;
    use henge_types::ErrorClass;

    use super::*;

    fn pieces_of(message: &[u8], piece_bytes: usize) -> Vec<Piece> {
        Piece::cut(Bytes::copy_from_slice(message), piece_bytes).collect()
    }

    fn messages(pieces: Vec<Piece>, budget_bytes: usize) -> Messages {
        let memory = QueryMemory::new(Arc::new(MemoryPool::new(1 << 20)), budget_bytes);
        Messages::of(stream::iter(pieces.into_iter().map(Ok)).boxed(), Some(memory))
    }

    #[tokio::test]
    async fn messages_are_put_together_as_they_were_cut() {
        for piece_bytes in [1, 3, 5, 10, 100] {
            let pieces = [pieces_of(b"0123456789", piece_bytes), pieces_of(b"", piece_bytes)];
            assert_eq!(pieces[0].len(), 10_usize.div_ceil(piece_bytes));
            let mut messages = messages(pieces.concat(), 10);
            assert_eq!(messages.next().await.unwrap().unwrap().bytes, "0123456789");
            assert_eq!(messages.next().await.unwrap().unwrap().bytes, "");
            assert!(messages.next().await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn pieces_that_do_not_fit_are_errors() {
        let whole = pieces_of(b"0123456789", 4);
        let wrong = |change: fn(&mut Vec<Piece>)| {
            let mut pieces = whole.clone();
            change(&mut pieces);
            pieces
        };
        for pieces in [
            wrong(|pieces| drop(pieces.pop())),
            wrong(|pieces| drop(pieces.remove(1))),
            wrong(|pieces| pieces.swap(1, 2)),
            wrong(|pieces| pieces[0].rest_bytes = 7),
            wrong(|pieces| pieces[1].bytes = Bytes::new()),
        ] {
            let error = messages(pieces, 1_000).next().await.unwrap_err();
            assert_eq!(error.class(), ErrorClass::Corrupt, "{error}");
        }
    }

    #[tokio::test]
    async fn f_63_a_message_is_charged_before_there_is_room_for_it() {
        let mut claimed = pieces_of(b"0123456789", 4);
        claimed[0].rest_bytes = u64::MAX;
        for (pieces, budget) in [(claimed, 1 << 20), (pieces_of(b"0123456789", 4), 9)] {
            let error = messages(pieces, budget).next().await.unwrap_err();
            assert_eq!(error.class(), ErrorClass::ResourceLimit, "{error}");
        }
        let pieces = stream::iter(pieces_of(b"0123456789", 4).into_iter().map(Ok)).boxed();
        let error = Messages::of(pieces, None).next().await.unwrap_err();
        assert_eq!(error, WireError::TooLong.into());
    }
}
