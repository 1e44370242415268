//! Files with holes: of a segment in deep storage only that is here which was read so far. Whether a piece is
//! here, its checksum says, so that nothing else has to be remembered, whatever was interrupted.
//!
//! What is missing is fetched when it is read. Blocks are fetched ahead of a reader that goes from one to the
//! next, so much that no more than a fifth of what was read may turn out to be of no use.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::error::Result;
use crate::format::piece::StoredPiece;
use crate::format::{LARGE_ALIGNMENT, checksum};
use henge_types::narrow::place;

/// Of what is read, the part that may be fetched in vain.
const AHEAD_SHARE: u64 = 5;

/// Fetches bytes of a segment file of which a part is here, mapped as a file with holes.
pub trait FetchBytes: Send + Sync + fmt::Debug {
    /// Bytes of the whole file, a vector for each range.
    ///
    /// # Errors
    /// `Fetch` when they cannot be had.
    fn fetch(&self, ranges: &[Range<u64>]) -> Result<Vec<Vec<u8>>>;

    /// Puts bytes where they belong in the file that is mapped.
    ///
    /// # Errors
    /// `Fetch` when there is no room for them, or they cannot be written.
    fn keep(&self, offset: u64, bytes: &[u8]) -> Result<()>;
}

/// How the holes of an open segment are filled.
#[derive(Debug)]
pub(crate) struct Holes {
    fetch: Arc<dyn FetchBytes>,
    /// Where the segment begins in the file: a projection lies inside of another segment.
    base: u64,
    /// The pieces of the blocks of each column, as they lie in the file.
    blocks: OnceLock<Vec<BlockPiece>>,
    read_bytes: AtomicU64,
    fetched_bytes: AtomicU64,
}

/// A piece of a block and the column that it is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockPiece {
    pub(crate) column: usize,
    pub(crate) piece: StoredPiece,
}

impl Holes {
    pub(crate) fn new(fetch: Arc<dyn FetchBytes>) -> Self {
        Self::at(fetch, 0)
    }

    fn at(fetch: Arc<dyn FetchBytes>, base: u64) -> Self {
        let (read_bytes, fetched_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { fetch, base, blocks: OnceLock::new(), read_bytes, fetched_bytes }
    }

    /// Those of a segment inside of this one.
    pub(crate) fn within(&self, offset: u64) -> Self {
        Self::at(Arc::clone(&self.fetch), self.base.saturating_add(offset))
    }

    /// Says where blocks lie, so that they can be fetched ahead.
    pub(crate) fn know_blocks(&self, mut blocks: Vec<BlockPiece>) {
        blocks.sort_unstable_by_key(|block| block.piece.offset);
        let _ = self.blocks.set(blocks);
    }

    /// Notes that a piece was found to be here, and right.
    pub(crate) fn note_read(&self, piece: &StoredPiece) {
        self.read_bytes.fetch_add(u64::from(piece.stored_length), Ordering::Relaxed);
    }

    /// Fetches ranges that no piece describes: the ends of the file, which say themselves whether they are
    /// right.
    pub(crate) fn fill(&self, ranges: &[Range<u64>]) -> Result<()> {
        let moved: Vec<_> = ranges.iter().map(|range| self.in_file(range)).collect();
        for (range, bytes) in moved.iter().zip(self.fetch.fetch(&moved)?) {
            self.fetch.keep(range.start, &bytes)?;
        }
        Ok(())
    }

    /// Fetches a piece, and blocks behind it as far as the share allows.
    pub(crate) fn bring_ahead(&self, piece: &StoredPiece) -> Result<()> {
        let mut wanted = vec![*piece];
        wanted.extend(self.ahead_of(piece));
        self.bring(wanted)
    }

    /// Fetches pieces, those that lie beside each other at once. Only what is right is kept.
    pub(crate) fn bring(&self, mut pieces: Vec<StoredPiece>) -> Result<()> {
        pieces.sort_unstable_by_key(|piece| piece.offset);
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for piece in &pieces {
            match ranges.last_mut() {
                Some(last) if piece.offset < last.end + LARGE_ALIGNMENT as u64 => {
                    last.end = last.end.max(piece.end());
                }
                _ => ranges.push(piece.offset..piece.end()),
            }
        }
        let moved: Vec<_> = ranges.iter().map(|range| self.in_file(range)).collect();
        let fetched = self.fetch.fetch(&moved)?;
        let fetched_bytes = ranges.iter().map(|range| range.end - range.start).sum();
        self.fetched_bytes.fetch_add(fetched_bytes, Ordering::Relaxed);
        let mut fetched = ranges.iter().zip(&fetched).peekable();
        for piece in pieces {
            while fetched.next_if(|(range, _)| range.end <= piece.offset).is_some() {}
            let Some((range, bytes)) = fetched.peek() else { break };
            let start = place(piece.offset - range.start);
            let bytes = bytes.get(start..start + piece.stored_length as usize);
            if let Some(bytes) = bytes.filter(|bytes| checksum(bytes) == piece.checksum) {
                self.fetch.keep(self.base + piece.offset, bytes)?;
            }
        }
        Ok(())
    }

    /// Blocks of the same column that lie behind a piece.
    fn ahead_of(&self, piece: &StoredPiece) -> Vec<StoredPiece> {
        let blocks = self.blocks.get().map_or(&[][..], Vec::as_slice);
        let at = blocks.partition_point(|block| block.piece.offset < piece.offset);
        let Some((this, behind)) = blocks.get(at..).and_then(<[_]>::split_first) else {
            return Vec::new();
        };
        if this.piece.offset != piece.offset {
            return Vec::new();
        }
        let length = u64::from(piece.stored_length);
        let read = self.read_bytes.load(Ordering::Relaxed) + length;
        let fetched = self.fetched_bytes.load(Ordering::Relaxed) + length;
        let mut left = (read + read / AHEAD_SHARE).saturating_sub(fetched);
        let of_column = behind.iter().take_while(|next| next.column == this.column);
        let fits = |next: &&BlockPiece| {
            let fits = u64::from(next.piece.stored_length) <= left;
            left = left.saturating_sub(next.piece.stored_length.into());
            fits
        };
        of_column.take_while(fits).map(|next| next.piece).collect()
    }

    fn in_file(&self, range: &Range<u64>) -> Range<u64> {
        self.base + range.start..self.base + range.end
    }
}
