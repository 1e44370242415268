//! Block codecs: general compression on top of the encodings, one choice a segment, kept piece by
//! piece only where it shrinks.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::format::corrupt;

/// A general compressor of pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum BlockCodec {
    /// No compression: pieces are read in place.
    None = 0,
    /// LZ4 block format: a fifth larger than ZSTD, several times faster to decode.
    Lz4 = 1,
    /// ZSTD: the compact form, the default of deep storage.
    #[default]
    Zstd = 2,
    /// Snappy.
    Snappy = 3,
}

/// All codecs, for tests and reports.
pub const ALL_CODECS: [BlockCodec; 4] =
    [BlockCodec::None, BlockCodec::Lz4, BlockCodec::Zstd, BlockCodec::Snappy];

impl BlockCodec {
    pub(crate) fn from_byte(byte: u8) -> Result<Self> {
        match byte {
            0 => Ok(Self::None),
            1 => Ok(Self::Lz4),
            2 => Ok(Self::Zstd),
            3 => Ok(Self::Snappy),
            _ => Err(corrupt(format!("unknown block codec {byte}"))),
        }
    }
}

/// How many raw bytes a stored piece may claim: decompression allocates no more than this for a
/// given number of stored bytes, and the writer keeps no piece that claims more.
pub(crate) fn plausible(raw_length: usize, stored_length: usize) -> bool {
    raw_length <= 1 << 20 || raw_length / 1024 <= stored_length
}

/// Bytes from which on a piece is cut: each part has a head of its own.
const MIN_CUT_BYTES: usize = 4096;

/// The compressed bytes, or `None` when the codec does not save a twelfth (ZSTD: a fortieth, since the
/// compact form is for size): decompressing costs every reader more than that is worth.
///
/// ZSTD begins a new frame at each of `cuts`, which count from the end and descend: frames have tables
/// of their own, and what lies at both sides has nothing in common.
pub(crate) fn compress(
    codec: BlockCodec,
    zstd_level: i32,
    raw: &[u8],
    cuts: &[usize],
) -> Option<Vec<u8>> {
    let stored = match codec {
        BlockCodec::None => return None,
        BlockCodec::Lz4 => lz4_flex::block::compress(raw),
        BlockCodec::Snappy => snap::raw::Encoder::new().compress_vec(raw).ok()?,
        BlockCodec::Zstd => zstd_frames(zstd_level, raw, cuts)?,
    };
    let least_saved = if codec == BlockCodec::Zstd { raw.len() / 40 } else { raw.len() / 12 };
    let kept = stored.len() < raw.len() - least_saved && plausible(raw.len(), stored.len());
    kept.then_some(stored)
}

/// Fills `raw` with exactly the decompressed bytes.
///
/// # Errors
/// `Corrupt` when the bytes are damaged or decompress to another length.
pub(crate) fn decompress(codec: BlockCodec, stored: &[u8], raw: &mut [u8]) -> Result<()> {
    let length = match codec {
        BlockCodec::None => return Err(corrupt("an uncompressed piece has a compressed length")),
        BlockCodec::Lz4 => lz4_flex::block::decompress_into(stored, raw)
            .map_err(|error| corrupt(format!("lz4: {error}")))?,
        BlockCodec::Snappy => snap::raw::Decoder::new()
            .decompress(stored, raw)
            .map_err(|error| corrupt(format!("snappy: {error}")))?,
        BlockCodec::Zstd => zstd_decompress(stored, raw)?,
    };
    if length != raw.len() {
        return Err(corrupt(format!("{length} bytes decompressed, {} expected", raw.len())));
    }
    Ok(())
}

thread_local! {
    // Contexts are large; making one a piece would cost more than the piece.
    static COMPRESSOR: RefCell<Option<(i32, zstd::bulk::Compressor<'static>)>> =
        const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> =
        const { RefCell::new(None) };
}

fn zstd_frames(level: i32, raw: &[u8], cuts: &[usize]) -> Option<Vec<u8>> {
    if raw.len() < MIN_CUT_BYTES || cuts.is_empty() {
        return zstd_compress(level, raw);
    }
    let mut frames = Vec::with_capacity(raw.len() / 2);
    let mut rest = raw;
    for cut in cuts.iter().chain([&0]) {
        let (part, after) = rest.split_at(rest.len().saturating_sub(*cut));
        if !part.is_empty() {
            frames.extend(zstd_compress(level, part)?);
        }
        rest = after;
    }
    Some(frames)
}

fn zstd_compress(level: i32, raw: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        match slot {
            Some((kept, _)) if *kept == level => {}
            Some((kept, compressor)) => {
                compressor.set_compression_level(level).ok()?;
                *kept = level;
            }
            None => *slot = Some((level, zstd::bulk::Compressor::new(level).ok()?)),
        }
        slot.as_mut()?.1.compress(raw).ok()
    })
}

fn zstd_decompress(stored: &[u8], raw: &mut [u8]) -> Result<usize> {
    DECOMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(zstd::bulk::Decompressor::new()?);
        }
        match slot {
            Some(decompressor) => decompressor
                .decompress_to_buffer(stored, raw)
                .map_err(|error| corrupt(format!("zstd: {error}"))),
            None => Err(corrupt("zstd is not available")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_round_trip_and_refuse_damage() {
        let raw: Vec<u8> = (0..50_000_u32).flat_map(|i| (i / 7 % 50).to_le_bytes()).collect();
        for codec in ALL_CODECS.into_iter().filter(|codec| *codec != BlockCodec::None) {
            let stored = compress(codec, 3, &raw, &[150_000, 7]).unwrap();
            let mut out = vec![0; raw.len()];
            decompress(codec, &stored, &mut out).unwrap();
            assert_eq!(out, raw);
            assert!(decompress(codec, &stored, &mut vec![0; raw.len() - 1]).is_err());
            assert!(decompress(codec, &stored, &mut vec![0; raw.len() + 1]).is_err());
            assert!(decompress(codec, &stored[..stored.len() / 2], &mut out).is_err());
        }
    }

    #[test]
    fn h_46_claims_beyond_the_ratio_are_implausible() {
        assert!(plausible(1 << 20, 1));
        assert!(!plausible(1 << 30, 1000));
        assert!(plausible(1 << 30, 1 << 20));
    }
}
