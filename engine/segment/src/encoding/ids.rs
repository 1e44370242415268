//! Encodings of 32-bit ids and counts: byte-aligned ones that are read in place, packed, and runs.

use std::ops::Range;

use zerocopy::{FromBytes, IntoBytes};

use crate::encoding::bitpack::width_of;
use crate::encoding::residual::{self, Layout, Stream, for_each_chunk};
use crate::encoding::{Candidate, Encoding, bitpack, runs};
use crate::error::Result;
use crate::format::bytes::ByteReader;
use crate::format::corrupt;
use crate::packed::PackedInts;
use crate::view::IdBlock;

/// A byte-aligned block is read in place by whoever scans it: worth a third more bytes when nothing
/// has to be decompressed, and a little when it has.
const ALIGNED_WEIGHT: f32 = 0.74;
const ALIGNED_WEIGHT_UNDER_CODEC: f32 = 0.95;

/// The encodings worth comparing for a block that is not constant.
#[must_use]
pub fn candidates(ids: &[u32], codec: bool) -> Vec<Candidate> {
    let max = ids.iter().copied().max().unwrap_or(0);
    let width = width_of(max);
    let mut candidates = vec![aligned(ids, width, codec)];
    if !matches!(width, 8 | 16 | 32) {
        let mut raw = vec![width as u8];
        bitpack::pack(ids, width, &mut raw);
        candidates.push(Candidate { encoding: Encoding::IdsPacked, raw, weight: 1.0 });
    }
    if runs::count(ids, |a, b| a == b) < ids.len() / 4 {
        let (heads, lengths) = runs::split(ids, |a, b| a == b);
        let heads: Vec<u64> = heads.into_iter().map(u64::from).collect();
        let mut raw = Vec::new();
        runs::write_lengths(&lengths, &mut raw);
        residual::encode(&heads, Layout::Aligned, &mut raw);
        candidates.push(Candidate { encoding: Encoding::IdsRunLength, raw, weight: 0.95 });
    }
    candidates
}

fn aligned(ids: &[u32], width: u32, codec: bool) -> Candidate {
    let (encoding, raw) = match width {
        0..=8 => (Encoding::Ids8, ids.iter().map(|id| *id as u8).collect()),
        9..=16 => (Encoding::Ids16, ids.iter().flat_map(|id| (*id as u16).to_le_bytes()).collect()),
        _ => (Encoding::Ids32, ids.as_bytes().to_vec()),
    };
    let weight = if codec { ALIGNED_WEIGHT_UNDER_CODEC } else { ALIGNED_WEIGHT };
    Candidate { encoding, raw, weight }
}

/// Bytes that `count` byte-aligned ids take; `None` for encodings that need decoding.
#[must_use]
pub fn aligned_bytes(encoding: Encoding, count: usize) -> Option<usize> {
    match encoding {
        Encoding::Ids8 => Some(count),
        Encoding::Ids16 => Some(2 * count),
        Encoding::Ids32 => Some(4 * count),
        _ => None,
    }
}

/// Byte-aligned ids in place; `None` when the bytes are not aligned in memory or have another
/// length.
#[must_use]
pub fn view(encoding: Encoding, raw: &[u8], count: usize) -> Option<IdBlock<'_>> {
    if aligned_bytes(encoding, count)? != raw.len() {
        return None;
    }
    match encoding {
        Encoding::Ids8 => Some(IdBlock::U8(raw)),
        Encoding::Ids16 => <[u16]>::ref_from_bytes(raw).ok().map(IdBlock::U16),
        Encoding::Ids32 => <[u32]>::ref_from_bytes(raw).ok().map(IdBlock::U32),
        _ => None,
    }
}

/// Decodes any id encoding but `Constant`, which has no bytes.
///
/// # Errors
/// `Corrupt` when the bytes do not encode exactly `out.len()` ids.
pub fn decode(encoding: Encoding, raw: &[u8], out: &mut [u32]) -> Result<()> {
    decode_rows(encoding, raw, out.len(), 0, out)
}

/// Decodes the ids of a block of `count` from row `first` on, as many as `out` holds.
///
/// # Errors
/// `Corrupt` when the bytes do not encode exactly `count` ids, or `out` reaches beyond them.
pub fn decode_rows(
    encoding: Encoding,
    raw: &[u8],
    count: usize,
    first: usize,
    out: &mut [u32],
) -> Result<()> {
    let rows = super::check_rows(count, first, out.len())?;
    match encoding {
        Encoding::IdsPacked => {
            let ints = packed(raw, count)?;
            for_each_chunk(&ints, first, out, |values, out| out.copy_from_slice(values));
            Ok(())
        }
        Encoding::IdsRunLength => {
            let mut reader = ByteReader::new(raw);
            let runs = runs::read(&mut reader, count, &rows)?;
            let stream = Stream::parse(reader.rest(), runs.count)?;
            let mut heads = vec![0; runs.lengths.len()];
            stream.decode(runs.first, &mut heads, |id| u32::try_from(id).unwrap_or(u32::MAX));
            runs::fill(&runs.lengths, &heads, out);
            Ok(())
        }
        _ => decode_aligned(encoding, raw, count, &rows, out),
    }
}

/// The ids of an [`Encoding::IdsPacked`] block as they are stored.
///
/// # Errors
/// `Corrupt` when the bytes do not encode exactly `count` ids.
pub(crate) fn packed(raw: &[u8], count: usize) -> Result<PackedInts<'_>> {
    let (width, bytes) = raw.split_first().ok_or_else(|| corrupt("a packed block is empty"))?;
    PackedInts::new(bytes, u32::from(*width), count, 0, 1)
        .ok_or_else(|| corrupt(format!("a packed block of width {width} has a wrong length")))
}

fn decode_aligned(
    encoding: Encoding,
    raw: &[u8],
    count: usize,
    rows: &Range<usize>,
    out: &mut [u32],
) -> Result<()> {
    let expected = aligned_bytes(encoding, count)
        .ok_or_else(|| corrupt(format!("{} is no encoding of ids", encoding.name())))?;
    if raw.len() != expected {
        return Err(corrupt("a block of ids has another length than its rows"));
    }
    match encoding {
        Encoding::Ids8 => {
            out.iter_mut().zip(&raw[rows.clone()]).for_each(|(o, id)| *o = u32::from(*id));
        }
        Encoding::Ids16 => {
            let chunks = &raw.as_chunks::<2>().0[rows.clone()];
            out.iter_mut().zip(chunks).for_each(|(o, id)| *o = u32::from(u16::from_le_bytes(*id)));
        }
        _ => out.as_mut_bytes().copy_from_slice(&raw[4 * rows.start..4 * rows.end]),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ids: &[u32]) -> Vec<Encoding> {
        let candidates = candidates(ids, false);
        for candidate in &candidates {
            let mut out = vec![9; ids.len()];
            decode(candidate.encoding, &candidate.raw, &mut out).unwrap();
            assert_eq!(out, ids, "{:?}", candidate.encoding);
            assert!(decode(candidate.encoding, &candidate.raw, &mut out[8..]).is_err());
            for first in [1, 1024, 2000] {
                let mut out = vec![9; 700];
                decode_rows(candidate.encoding, &candidate.raw, ids.len(), first, &mut out).unwrap();
                assert_eq!(out, ids[first..first + 700], "{:?}", candidate.encoding);
            }
            let cut = &candidate.raw[..candidate.raw.len() - 1];
            assert!(decode(candidate.encoding, cut, &mut vec![0; ids.len()]).is_err());
        }
        candidates.iter().map(|candidate| candidate.encoding).collect()
    }

    #[test]
    fn every_encoding_round_trips() {
        let of = |max: u32| -> Vec<u32> { (0..3000_u32).map(|i| i * 31 % (max + 1)).collect() };
        assert_eq!(check(&of(255)), [Encoding::Ids8]);
        assert_eq!(check(&of(20)), [Encoding::Ids8, Encoding::IdsPacked]);
        assert_eq!(check(&of(1000)), [Encoding::Ids16, Encoding::IdsPacked]);
        let large: Vec<u32> = (0..3000_u32).map(|i| i * 70_001).collect();
        assert_eq!(check(&large), [Encoding::Ids32, Encoding::IdsPacked]);
        let runs: Vec<u32> = (0..3000_u32).map(|i| i / 64).collect();
        assert!(check(&runs).contains(&Encoding::IdsRunLength));
    }

    #[test]
    fn misaligned_memory_is_not_cast() {
        let bytes = [0_u8; 17];
        let odd = if bytes.as_ptr().addr() % 2 == 0 { &bytes[1..] } else { &bytes[..16] };
        assert!(view(Encoding::Ids16, odd, 8).is_none());
        assert!(view(Encoding::Ids8, odd, 16).is_some());
    }
}
