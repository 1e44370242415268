//! References to pieces and the source they are read from.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{PieceAt, Result};
use crate::format::ahead::Ahead;
use crate::format::bytes::{ByteReader, ByteWriter};
use crate::format::codec::{self, BlockCodec};
use crate::format::holes::Holes;
use crate::format::recent;
use crate::format::{SMALL_ALIGNMENT, checksum, corrupt};
use henge_types::narrow::narrow;

/// The bytes of a segment file: a memory map, a vector, anything shared that stays put.
pub type SegmentBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Where a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Inside the structure that refers to it, and covered by that structure's checksum.
    Inline(Range<u32>),
    /// In the file.
    Stored(StoredPiece),
}

/// A piece of its own in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredPiece {
    pub(crate) offset: u64,
    pub(crate) stored_length: u32,
    pub(crate) raw_length: u32,
    pub(crate) codec: BlockCodec,
    pub(crate) checksum: u64,
}

impl Piece {
    pub(crate) fn raw_length(&self) -> usize {
        match self {
            Self::Inline(range) => range.len(),
            Self::Stored(stored) => stored.raw_length as usize,
        }
    }

    pub(crate) fn stored_length(&self) -> usize {
        match self {
            Self::Inline(range) => range.len(),
            Self::Stored(stored) => stored.stored_length as usize,
        }
    }

    pub(crate) fn is_inline(&self) -> bool {
        matches!(self, Self::Inline(_))
    }

    pub(crate) fn codec(&self) -> BlockCodec {
        match self {
            Self::Inline(_) => BlockCodec::None,
            Self::Stored(stored) => stored.codec,
        }
    }

    /// Reads a reference. The bounds of a stored piece are checked when it is read.
    pub(crate) fn read(reader: &mut ByteReader<'_>) -> Result<Self> {
        let tag = reader.u8()?;
        if tag == 0 {
            let length = reader.varint_usize()?;
            let start = reader.position();
            reader.take(length)?;
            let end = u32::try_from(start + length).map_err(|_| corrupt("inline piece"))?;
            return Ok(Self::Inline(narrow(start)..end));
        }
        if tag & 1 == 0 {
            return Err(corrupt(format!("unknown kind of piece {tag}")));
        }
        let codec = BlockCodec::from_byte(tag >> 1)?;
        let offset = reader
            .varint()?
            .checked_mul(SMALL_ALIGNMENT as u64)
            .and_then(|offset| offset.checked_add(reader.base()))
            .ok_or_else(|| corrupt("a piece lies outside the file"))?;
        let stored_length = reader.varint_u32()?;
        let raw_length = match codec {
            BlockCodec::None => stored_length,
            _ => reader.varint_u32()?,
        };
        if !codec::plausible(raw_length as usize, stored_length as usize) {
            return Err(corrupt("a piece claims an implausible length"));
        }
        let checksum = reader.u64_le()?;
        Ok(Self::Stored(StoredPiece { offset, stored_length, raw_length, codec, checksum }))
    }
}

impl StoredPiece {
    /// Where it ends.
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.stored_length))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(1 | (self.codec as u8) << 1);
        out.put_varint(self.offset / SMALL_ALIGNMENT as u64);
        out.put_varint(u64::from(self.stored_length));
        if self.codec != BlockCodec::None {
            out.put_varint(u64::from(self.raw_length));
        }
        out.extend_from_slice(&self.checksum.to_le_bytes());
    }
}

/// What all columns of an open segment share.
pub(crate) struct Source {
    bytes: SegmentBytes,
    /// How what is not here of it, or not in memory, gets there.
    pub(crate) supply: Supply,
    pub(crate) footer: Vec<u8>,
    /// Distinguishes open segments in the per-thread page cache.
    pub(crate) instance: u64,
    pub(crate) row_count: usize,
}

/// How bytes of a file get where they can be read.
#[derive(Debug, Default)]
pub(crate) struct Supply {
    /// Where the file is not whole.
    pub(crate) holes: Option<Holes>,
    /// Where it may not be in memory.
    pub(crate) ahead: Option<Ahead>,
}

impl Supply {
    /// That of a segment inside of this one.
    pub(crate) fn within(&self, offset: u64) -> Self {
        let holes = self.holes.as_ref().map(|holes| holes.within(offset));
        Self { holes, ahead: self.ahead.as_ref().map(|ahead| ahead.within(offset)) }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl Source {
    /// The format version that the file says it is of.
    pub(crate) fn format_version(&self) -> u32 {
        let version = (*self.bytes).as_ref().get(8..12).unwrap_or_default();
        version.iter().rev().fold(0, |version, byte| version << 8 | u32::from(*byte))
    }

    pub(crate) fn new(
        bytes: SegmentBytes,
        supply: Supply,
        footer: Vec<u8>,
        row_count: usize,
    ) -> Self {
        static INSTANCES: AtomicU64 = AtomicU64::new(1);
        let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
        Self { bytes, supply, footer, instance, row_count }
    }

    pub(crate) fn file(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }

    /// A piece as stored. `container` is the structure that an inline piece lies in; `verified`
    /// skips the checksum.
    pub(crate) fn stored<'a>(
        &'a self,
        piece: &Piece,
        container: &'a [u8],
        verified: bool,
    ) -> Result<&'a [u8]> {
        let stored = match piece {
            Piece::Inline(range) => {
                return container
                    .get(range.start as usize..range.end as usize)
                    .ok_or_else(|| corrupt("an inline piece lies outside its container"));
            }
            Piece::Stored(stored) => stored,
        };
        if let Some(ahead) = &self.supply.ahead {
            ahead.before(stored);
        }
        let bytes = self.bytes_of(stored)?;
        match verified || checksum(bytes) == stored.checksum {
            true => {
                if let Some(holes) = self.supply.holes.as_ref().filter(|_| !verified) {
                    holes.note_read(stored);
                }
                Ok(bytes)
            }
            false => self.fetched(stored),
        }
    }

    /// A piece that is not here, once it is.
    #[cold]
    fn fetched(&self, stored: &StoredPiece) -> Result<&[u8]> {
        if let Some(holes) = &self.supply.holes {
            holes.bring_ahead(stored)?;
            // The compiler is not to know that it has read these bytes before.
            let bytes = std::hint::black_box(self).bytes_of(stored)?;
            if checksum(bytes) == stored.checksum {
                holes.note_read(stored);
                return Ok(bytes);
            }
        }
        let start = stored.offset;
        let error = corrupt(format!("the checksum of the piece at {start} does not match"));
        let piece = PieceAt { instance: self.instance, offset: start };
        Err(error.at(|damage| damage.piece = Some(piece)))
    }

    fn bytes_of(&self, stored: &StoredPiece) -> Result<&[u8]> {
        let start = usize::try_from(stored.offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(stored.stored_length as usize);
        let bytes = self.file().get(start..end);
        bytes.ok_or_else(|| corrupt(format!("the piece at {start} lies outside the file")))
    }

    /// Fetches those of these pieces that are not here, all at once: for who is about to read them. Nothing is
    /// done where the file is whole.
    pub(crate) fn bring<'p>(&self, pieces: impl Iterator<Item = &'p Piece>) -> Result<()> {
        let Some(holes) = &self.supply.holes else { return Ok(()) };
        let mut missing = Vec::new();
        for piece in pieces {
            if let Piece::Stored(stored) = piece
                && checksum(self.bytes_of(stored)?) != stored.checksum
            {
                missing.push(*stored);
            }
        }
        if missing.is_empty() { Ok(()) } else { holes.bring(missing) }
    }

    /// Calls `use_raw` with the decompressed bytes, held in a buffer of this thread if need be.
    pub(crate) fn with_raw<R>(
        &self,
        piece: &Piece,
        container: &[u8],
        verified: bool,
        use_raw: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<R> {
        let stored = self.stored(piece, container, verified)?;
        if piece.codec() == BlockCodec::None {
            return use_raw(stored);
        }
        let mut buffer = BUFFER.take();
        buffer.resize(piece.raw_length(), 0);
        let result =
            codec::decompress(piece.codec(), stored, &mut buffer).and_then(|()| use_raw(&buffer));
        if buffer.capacity() <= BUFFER_KEPT_BYTES {
            BUFFER.set(buffer);
        }
        result
    }

    /// [`Source::with_raw`] for a piece in the footer. Unless the whole of it is `used`, its
    /// decompressed bytes stay with the thread for the next part.
    pub(crate) fn with_rows<R>(
        &self,
        piece: &Piece,
        verified: bool,
        used: bool,
        use_raw: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<R> {
        match piece {
            Piece::Stored(stored) if stored.codec != BlockCodec::None && !used => {
                recent::with_raw(self, piece, stored.offset, verified, use_raw)
            }
            _ => self.with_raw(piece, &self.footer, verified, use_raw),
        }
    }

    /// Decompresses into `raw`, whose length must be the piece's.
    pub(crate) fn decompress_into(
        &self,
        piece: &Piece,
        container: &[u8],
        verified: bool,
        raw: &mut [u8],
    ) -> Result<()> {
        if piece.raw_length() != raw.len() {
            return Err(corrupt(format!(
                "a piece of {} bytes should have {}",
                piece.raw_length(),
                raw.len()
            )));
        }
        let stored = self.stored(piece, container, verified)?;
        match piece.codec() {
            BlockCodec::None => raw.copy_from_slice(stored),
            codec => codec::decompress(codec, stored, raw)?,
        }
        Ok(())
    }

    /// The decompressed, verified bytes in a vector of their own.
    pub(crate) fn raw_to_vec(&self, piece: &Piece, container: &[u8]) -> Result<Vec<u8>> {
        let stored = self.stored(piece, container, false)?;
        if piece.codec() == BlockCodec::None {
            return Ok(stored.to_vec());
        }
        let mut raw = vec![0; piece.raw_length()];
        codec::decompress(piece.codec(), stored, &mut raw)?;
        Ok(raw)
    }
}

/// A buffer larger than this is given back rather than kept by the thread.
const BUFFER_KEPT_BYTES: usize = 4 << 20;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// One bit a piece: set once its checksum has been found right.
#[derive(Debug, Default)]
pub(crate) struct VerifiedBits(Box<[AtomicU64]>);

impl VerifiedBits {
    pub(crate) fn new(pieces: usize) -> Self {
        Self((0..pieces.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    #[inline]
    pub(crate) fn get(&self, piece: usize) -> bool {
        self.0.get(piece / 64).is_some_and(|w| w.load(Ordering::Relaxed) >> (piece % 64) & 1 == 1)
    }

    #[inline]
    pub(crate) fn set(&self, piece: usize) {
        if let Some(word) = self.0.get(piece / 64) {
            word.fetch_or(1 << (piece % 64), Ordering::Relaxed);
        }
    }
}
