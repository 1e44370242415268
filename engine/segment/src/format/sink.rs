//! The writing side: pieces are compressed and gathered by column, columns hashed and appended.

use std::io::Write;

use xxhash_rust::xxh3::Xxh3Default;

use crate::error::{Result, SegmentError};
use crate::format::bytes::ByteWriter;
use crate::format::codec::{self, BlockCodec};
use crate::format::piece::StoredPiece;
use crate::format::{INLINE_BYTES, LARGE_ALIGNMENT, LARGE_PIECE_BYTES, SMALL_ALIGNMENT, checksum};
use henge_types::narrow::place;

/// Raw bytes on their way into a file, with the form the codec gave them if it saved anything.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) raw: Vec<u8>,
    pub(crate) compressed: Option<Vec<u8>>,
    pub(crate) codec: BlockCodec,
}

impl Packed {
    /// `cuts` are as those of [`codec::compress`].
    pub(crate) fn new(raw: Vec<u8>, codec: BlockCodec, zstd_level: i32, cuts: &[usize]) -> Self {
        let compressed = match raw.len() > INLINE_BYTES {
            true => codec::compress(codec, zstd_level, &raw, cuts),
            false => None,
        };
        Self { raw, compressed, codec }
    }

    /// Bytes the piece will take.
    pub(crate) fn stored_length(&self) -> usize {
        self.compressed.as_ref().map_or(self.raw.len(), Vec::len)
    }
}

/// The pieces of one column, to be placed anywhere in a file at a multiple of [`LARGE_ALIGNMENT`]:
/// references count from their start.
#[derive(Debug, Default)]
pub(crate) struct PieceSink {
    pub(crate) bytes: Vec<u8>,
}

impl PieceSink {
    /// Stores a piece, or keeps it inline in `container` when it is small, and writes the
    /// reference to it into `container`.
    pub(crate) fn put(&mut self, piece: &Packed, container: &mut Vec<u8>) -> Result<()> {
        if piece.raw.len() <= INLINE_BYTES {
            container.push(0);
            container.put_varint(piece.raw.len() as u64);
            container.extend_from_slice(&piece.raw);
            return Ok(());
        }
        let (bytes, codec) = match &piece.compressed {
            Some(compressed) => (compressed, piece.codec),
            None => (&piece.raw, BlockCodec::None),
        };
        let length = |bytes: &[u8]| {
            u32::try_from(bytes.len())
                .map_err(|_| SegmentError::Limit(format!("a piece of {} bytes", bytes.len())))
        };
        let (stored_length, raw_length) = (length(bytes)?, length(&piece.raw)?);
        let large = bytes.len() >= LARGE_PIECE_BYTES;
        let alignment = if large { LARGE_ALIGNMENT } else { SMALL_ALIGNMENT };
        self.bytes.resize(self.bytes.len().next_multiple_of(alignment), 0);
        let offset = self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        StoredPiece { offset, stored_length, raw_length, codec, checksum: checksum(bytes) }
            .write(container);
        Ok(())
    }
}

/// A file being written: counts and hashes all that passes.
pub(crate) struct FileSink<W: Write> {
    out: W,
    version: u32,
    position: u64,
    hasher: Xxh3Default,
}

impl<W: Write> FileSink<W> {
    /// Nothing yet of a file of a format version.
    pub(crate) fn new(out: W, version: u32) -> Self {
        Self { out, version, position: 0, hasher: Xxh3Default::new() }
    }

    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The checksum of all bytes so far.
    pub(crate) fn checksum(&self) -> u64 {
        self.hasher.digest()
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes)?;
        self.hasher.update(bytes);
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Zeros up to a multiple of `alignment`, at most 64.
    pub(crate) fn align(&mut self, alignment: usize) -> Result<()> {
        let over = place(self.position % alignment as u64);
        match over {
            0 => Ok(()),
            _ => self.append(&[0; LARGE_ALIGNMENT][..alignment - over]),
        }
    }

    pub(crate) fn finish(mut self) -> Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
