//! The blocks that a thread decompressed last: who reads a block of a compact segment part by part,
//! and several columns in turn, is to decompress each of them once.

use std::cell::RefCell;

use crate::error::Result;
use crate::format::piece::{Piece, Source};

/// Blocks a thread keeps: more columns than most queries read.
const SLOTS: usize = 12;

/// Larger blocks are not kept. A plain block of doubles takes half of it.
const KEPT_BYTES: usize = 1 << 20;

struct Recent {
    instance: u64,
    offset: u64,
    raw: Vec<u8>,
}

thread_local! {
    /// The latest last.
    static RECENT: RefCell<Vec<Recent>> = const { RefCell::new(Vec::new()) };
}

/// Calls `use_raw` with the decompressed bytes of the piece at `offset`.
pub(super) fn with_raw<R>(
    source: &Source,
    piece: &Piece,
    offset: u64,
    verified: bool,
    use_raw: impl FnOnce(&[u8]) -> Result<R>,
) -> Result<R> {
    if piece.raw_length() > KEPT_BYTES {
        return source.with_raw(piece, &source.footer, verified, use_raw);
    }
    let mut recent = RECENT.take();
    let found = recent.iter().position(|r| r.instance == source.instance && r.offset == offset);
    let taken = match found {
        Some(at) => Ok(recent.remove(at)),
        None => {
            let mut raw = match recent.len() < SLOTS {
                true => Vec::new(),
                false => recent.remove(0).raw,
            };
            raw.resize(piece.raw_length(), 0);
            source.decompress_into(piece, &source.footer, verified, &mut raw).map(|()| Recent {
                instance: source.instance,
                offset,
                raw,
            })
        }
    };
    let result = taken.and_then(|block| {
        let result = use_raw(&block.raw);
        recent.push(block);
        result
    });
    RECENT.set(recent);
    result
}
