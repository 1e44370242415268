//! The messages of an IPC stream, one after the other, within bounds.

use arrow_ipc::{Message, root_as_message};

use crate::error::{Result, VectorError};

/// What stands before the length of a message.
const CONTINUATION: u32 = 0xFFFF_FFFF;

/// A message and the bytes it speaks of.
pub(super) struct Frame<'b> {
    pub(super) message: Message<'b>,
    pub(super) body: &'b [u8],
}

/// Takes the next message off the bytes; `None` where the stream ends.
pub(super) fn next<'b>(bytes: &mut &'b [u8]) -> Result<Option<Frame<'b>>> {
    if word(bytes)? != CONTINUATION {
        return Err(corrupt("a message does not begin as one"));
    }
    let length = word(bytes)? as usize;
    if length == 0 {
        return Ok(None);
    }
    let metadata = split(bytes, length)?;
    let message = root_as_message(metadata).map_err(|_| corrupt("a message is malformed"))?;
    let body = usize::try_from(message.bodyLength()).map_err(|_| corrupt("a negative length"))?;
    Ok(Some(Frame { message, body: split(bytes, body)? }))
}

fn word(bytes: &mut &[u8]) -> Result<u32> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut_short)?;
    *bytes = rest;
    Ok(u32::from_le_bytes(*head))
}

fn split<'b>(bytes: &mut &'b [u8], length: usize) -> Result<&'b [u8]> {
    let (head, rest) = bytes.split_at_checked(length).ok_or_else(cut_short)?;
    *bytes = rest;
    Ok(head)
}

fn cut_short() -> VectorError {
    corrupt("the stream is cut short")
}

pub(super) fn corrupt(reason: &str) -> VectorError {
    VectorError::Corrupt(reason.to_owned())
}
