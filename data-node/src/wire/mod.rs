//! What travels between a broker and a data node of another process: every request, reply and error
//! as bytes, without the transport that carries them. Values are JSON, partial results the bytes of
//! [`Partial::encode`](henge_exec::Partial::encode).

mod client;
mod error;
mod frame;
mod inventory;
mod loopback;
mod pieces;
mod rank;
mod reply;
mod request;
mod service;

use henge_types::ErrorClass;

pub use client::{Transport, WireNode};
pub use frame::{Kind, VERSION};
pub use loopback::Loopback;
pub use pieces::{Piece, Pieces};
pub use service::answer;

use crate::error::NodeError;

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// They end before the message does.
    #[error("a message is cut short")]
    CutShort,
    /// In several pieces, where messages are short.
    #[error("a message is longer than any can be here")]
    TooLong,
    /// They are not those that were written.
    #[error("a message was damaged on its way")]
    Damaged,
    /// Not a message.
    #[error("the bytes are no message of a data node")]
    Unknown,
    /// A later version wrote them.
    #[error("a message of version {0}: this build reads up to version {VERSION}; update it first")]
    Version(u32),
    /// A message of another kind than there can be here.
    #[error("a message of kind {0:?} where there can be none")]
    Unexpected(Kind),
    /// A part is not what it should be.
    #[error("a message's {part} cannot be read: {reason}")]
    Part {
        /// Which part.
        part: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl WireError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Version(_) => ErrorClass::Unsupported,
            Self::CutShort
            | Self::TooLong
            | Self::Damaged
            | Self::Unknown
            | Self::Unexpected(_)
            | Self::Part { .. } => ErrorClass::Corrupt,
        }
    }

    fn part(part: &'static str, reason: &impl ToString) -> Self {
        Self::Part { part, reason: reason.to_string() }
    }
}

impl From<WireError> for NodeError {
    fn from(error: WireError) -> Self {
        Self::failed(error.class(), error.to_string())
    }
}

#[cfg(test)]
mod tests;
