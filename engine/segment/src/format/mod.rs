//! The byte layout around the columns: header, trailer, footer, and the references to pieces.
//!
//! ```text
//! header (16 bytes) | pieces, padded with zeros | footer | trailer (56 bytes)
//! ```
//!
//! A *piece* is the unit of storage, of the codec and of the checksum: the values of one block of
//! one column, a dictionary page, a bucket of bitmaps. See `docs/segment-format.md`.

pub(crate) mod ahead;
pub(crate) mod bytes;
pub(crate) mod codec;
pub(crate) mod footer;
pub(crate) mod holes;
pub(crate) mod pages;
pub(crate) mod piece;
pub(crate) mod projection;
mod recent;
pub(crate) mod sink;
pub(crate) mod trailer;

use crate::error::SegmentError;

#[cfg(target_endian = "big")]
compile_error!("segments are mapped as little-endian values");

/// The newest format version this build writes and reads: version 1 with layouts for a codec.
pub const FORMAT_VERSION: u32 = 2;

/// The oldest version this build reads; it still writes it where no layout of a later one occurs, as
/// in the hot form.
pub(crate) const FIRST_FORMAT_VERSION: u32 = 1;

/// The first and the last eight bytes of a file. The high bit and the line ends catch transfers
/// that are not eight-bit clean.
pub const MAGIC: [u8; 8] = *b"\x8aHENGE\r\n";

/// Magic, version, four zero bytes.
pub(crate) const HEADER_BYTES: usize = 16;

/// Pieces of at most this many bytes are kept inside the footer, or inside the index piece that
/// refers to them, so that small segments have no padding and open with one read.
pub(crate) const INLINE_BYTES: usize = 192;

/// Every stored piece starts at a multiple of this.
pub(crate) const SMALL_ALIGNMENT: usize = 8;

/// A stored piece of [`LARGE_PIECE_BYTES`] or more starts at a multiple of this.
pub(crate) const LARGE_ALIGNMENT: usize = 64;

/// See [`LARGE_ALIGNMENT`].
pub(crate) const LARGE_PIECE_BYTES: usize = 512;

/// The longest string value: bounds dictionary pages.
pub const MAX_STRING_BYTES: usize = 16 << 20;

/// The longest complex value: bounds chunks.
pub const MAX_COMPLEX_BYTES: usize = 64 << 20;

/// Most values in one block of a multi-value column: bounds what a hostile footer can ask for.
pub const MAX_BLOCK_VALUES: usize = 1 << 24;

/// The hash of every checksum.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// Shorthand for the error that hostile or damaged bytes lead to.
pub(crate) fn corrupt(what: impl Into<String>) -> SegmentError {
    SegmentError::corrupt(what)
}
