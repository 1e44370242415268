//! A small cache of decompressed pages, one a thread: neighbouring dictionary values, bitmaps or
//! sketches are read one after the other, and a page is to be decompressed once for them.
//!
//! It needs no lock, and its memory is bounded by the thread, not by the number of open segments.

use std::cell::RefCell;
use std::rc::Rc;

use crate::error::Result;
use crate::format::codec::BlockCodec;
use crate::format::piece::{Piece, Source};
use henge_types::narrow::place;

/// Slots of a thread's cache.
const SLOTS: usize = 32;

/// Pages larger than this are not kept.
const KEPT_BYTES: usize = 128 << 10;

/// Which page of a segment it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageKey {
    column: u32,
    kind: u8,
    page: usize,
}

impl PageKey {
    pub(crate) fn dictionary(column: u32, page: usize) -> Self {
        Self { column, kind: 0, page }
    }

    pub(crate) fn bitmaps(column: u32, page: usize) -> Self {
        Self { column, kind: 1, page }
    }

    pub(crate) fn complex(column: u32, page: usize) -> Self {
        Self { column, kind: 2, page }
    }

    fn slot(self, instance: u64) -> usize {
        let mixed = instance
            .wrapping_mul(31)
            .wrapping_add(u64::from(self.column).wrapping_mul(7))
            .wrapping_add(u64::from(self.kind).wrapping_mul(3))
            .wrapping_add(self.page as u64);
        place(mixed % SLOTS as u64)
    }
}

type Slot = Option<(u64, PageKey, Rc<[u8]>)>;

thread_local! {
    static CACHE: RefCell<Vec<Slot>> = RefCell::new(vec![None; SLOTS]);
}

/// Calls `use_raw` with a piece's decompressed bytes.
pub(crate) fn with_raw<R>(
    source: &Source,
    piece: &Piece,
    container: &[u8],
    verified: bool,
    key: PageKey,
    use_raw: impl FnOnce(&[u8]) -> Result<R>,
) -> Result<R> {
    if piece.codec() == BlockCodec::None {
        return use_raw(source.stored(piece, container, verified)?);
    }
    let slot = key.slot(source.instance);
    let kept = CACHE.with_borrow(|slots| match slots.get(slot) {
        Some(Some((instance, kept, raw))) if (*instance, *kept) == (source.instance, key) => {
            Some(Rc::clone(raw))
        }
        _ => None,
    });
    if let Some(raw) = kept {
        return use_raw(&raw);
    }
    if piece.raw_length() > KEPT_BYTES {
        return source.with_raw(piece, container, verified, use_raw);
    }
    let raw: Rc<[u8]> = source.with_raw(piece, container, verified, |raw| Ok(Rc::from(raw)))?;
    CACHE.with_borrow_mut(|slots| {
        if let Some(slot) = slots.get_mut(slot) {
            *slot = Some((source.instance, key, Rc::clone(&raw)));
        }
    });
    use_raw(&raw)
}
