//! Encodings of 32-bit ids and counts: byte-aligned ones that are read in place, packed, and runs.
#![expect(
    clippy::cast_possible_truncation,
    reason = "ids are cut to the width that holds the largest of them"
)]

use std::ops::Range;

use zerocopy::{FromBytes, IntoBytes};

use crate::block::IdBlock;
use crate::encoding::residual::{self, Layout, Stream, for_each_chunk};
use crate::encoding::{Candidate, CodecUse, Encoding, Plan, Profile, runs};
use crate::error::Result;
use crate::format::bytes::{ByteReader, ByteWriter};
use crate::format::corrupt;
use crate::packed::PackedInts;
use crate::packed::bitpack::{self, width_of};

/// A byte-aligned block is read in place by whoever scans it.
const ALIGNED_WEIGHT: f32 = 0.98;

/// Runs are filled faster than anything is unpacked.
const RUNS_WEIGHT: f32 = 0.95;

/// A block of ids and what is known of it.
#[derive(Debug)]
pub struct Ids<'a> {
    ids: &'a [u32],
    min: u32,
    max: u32,
    runs: usize,
}

impl<'a> Ids<'a> {
    /// Looks a block over.
    #[must_use]
    pub fn of(ids: &'a [u32]) -> Self {
        let (min, max) =
            ids.iter().fold((u32::MAX, 0), |(min, max), id| (min.min(*id), max.max(*id)));
        Self { ids, min: min.min(max), max, runs: runs::count(ids, |a, b| a == b) }
    }

    /// The smallest id.
    #[must_use]
    pub fn min(&self) -> u32 {
        self.min
    }

    /// The largest id.
    #[must_use]
    pub fn max(&self) -> u32 {
        self.max
    }
}

impl Profile for Ids<'_> {
    fn rows(&self) -> usize {
        self.ids.len()
    }

    fn plans(&self) -> Vec<Plan> {
        let rows = self.ids.len();
        let width = width_of(self.max);
        let framed_width = width_of(self.max - self.min);
        let mut plans = Vec::new();
        let mut push = |encoding, raw_bytes, weight, codec| {
            let layout = Layout::Aligned;
            plans.push(Plan { encoding, integers: encoding, layout, raw_bytes, weight, codec });
        };
        let (encoding, each) = match width {
            0..=8 => (Encoding::Ids8, 1),
            9..=16 => (Encoding::Ids16, 2),
            _ => (Encoding::Ids32, 4),
        };
        push(encoding, each * rows, ALIGNED_WEIGHT, CodecUse::Either);
        if framed_width < width {
            let bytes = 5 + bitpack::packed_bytes(rows, framed_width);
            push(Encoding::IdsFrame, bytes, 1.0, CodecUse::Never);
        } else if !matches!(width, 8 | 16 | 32) {
            let bytes = 1 + bitpack::packed_bytes(rows, width);
            push(Encoding::IdsPacked, bytes, 1.0, CodecUse::Never);
        }
        if self.runs < rows / 4 {
            let lengths = residual::bytes(self.runs, (rows / self.runs) as u64, Layout::Aligned);
            let heads = residual::bytes(self.runs, u64::from(self.max), Layout::Aligned);
            push(Encoding::IdsRunLength, lengths + heads, RUNS_WEIGHT, CodecUse::Either);
        }
        if width > 8 {
            let max = u64::from(self.max - self.min);
            let encoding = Encoding::IdsResidual;
            // Of more than a byte, whole values are in the aligned ids already.
            let layouts = Layout::for_codec(max).iter();
            let layouts = layouts.filter(|layout| **layout != Layout::Aligned || max <= 0xff);
            plans.extend(layouts.map(|&layout| Plan {
                encoding,
                integers: encoding,
                layout,
                raw_bytes: 5 + residual::bytes(rows, max, layout),
                weight: 1.0,
                codec: CodecUse::Always,
            }));
        }
        plans
    }

    fn encode(&self, plan: &Plan, rows: Range<usize>) -> Vec<u8> {
        let ids = &self.ids[rows];
        let mut raw = Vec::new();
        match plan.encoding {
            Encoding::Ids8 => raw.extend(ids.iter().map(|id| *id as u8)),
            Encoding::Ids16 => ids.iter().for_each(|id| raw.extend((*id as u16).to_le_bytes())),
            Encoding::IdsFrame => {
                let width = width_of(self.max - self.min);
                raw.put_varint(u64::from(self.min));
                raw.push(width as u8);
                residual::pack_map(ids, width, &mut raw, |id| id - self.min);
            }
            Encoding::IdsPacked => {
                let width = width_of(self.max);
                raw.push(width as u8);
                bitpack::pack(ids, width, &mut raw);
            }
            Encoding::IdsRunLength => {
                let (heads, lengths) = runs::split(ids, |a, b| a == b);
                runs::write_lengths(&lengths, &mut raw);
                let max = u64::from(self.max);
                residual::encode_map(&heads, max, Layout::Aligned, &mut raw, u64::from);
            }
            Encoding::IdsResidual => {
                raw.put_varint(u64::from(self.min));
                let (min, max) = (self.min, u64::from(self.max - self.min));
                residual::encode_map(ids, max, plan.layout, &mut raw, |id| u64::from(id - min));
            }
            _ => raw.extend_from_slice(ids.as_bytes()),
        }
        raw
    }

    fn cuts(&self, plan: &Plan, rows: usize) -> Vec<usize> {
        match plan.encoding {
            Encoding::IdsResidual => plan.layout.cuts(rows, u64::from(self.max - self.min)),
            _ => Vec::new(),
        }
    }
}

/// Every encoding worth comparing for a block that is not constant.
#[must_use]
pub fn candidates(ids: &[u32], codec: bool) -> Vec<Candidate> {
    Ids::of(ids).candidates(codec)
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
            let ints = packed(encoding, raw, count)?;
            for_each_chunk(&ints, first, out, |values, out| out.copy_from_slice(values));
            Ok(())
        }
        Encoding::IdsFrame => {
            let ints = packed(encoding, raw, count)?;
            let base = u32::try_from(ints.base()).map_err(|_| corrupt("an id exceeds 32 bits"))?;
            for_each_chunk(&ints, first, out, |values, out| {
                out.iter_mut().zip(values).for_each(|(id, value)| *id = base.wrapping_add(*value));
            });
            Ok(())
        }
        Encoding::IdsResidual => {
            let mut reader = ByteReader::new(raw);
            let min = reader.varint_u32()?;
            let stream = Stream::parse(reader.rest(), count)?;
            stream.decode(first, out, |more| {
                let id = u64::from(min).saturating_add(more);
                u32::try_from(id).unwrap_or(u32::MAX)
            });
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

/// The ids of an [`Encoding::IdsPacked`] or [`Encoding::IdsFrame`] block as they are stored.
///
/// # Errors
/// `Corrupt` when the bytes do not encode exactly `count` ids.
pub(crate) fn packed(encoding: Encoding, raw: &[u8], count: usize) -> Result<PackedInts<'_>> {
    let mut reader = ByteReader::new(raw);
    let base = if encoding == Encoding::IdsFrame { reader.varint_u32()? } else { 0 };
    let width = reader.u8()?;
    PackedInts::new(reader.rest(), u32::from(width), count, i64::from(base), 1)
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
                decode_rows(candidate.encoding, &candidate.raw, ids.len(), first, &mut out)
                    .unwrap();
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
        for ids in [of(255), of(1000), (0..3000).map(|i| 1_000_000 + i * 7 % 200).collect()] {
            for candidate in super::candidates(&ids, true) {
                let mut out = vec![9; ids.len() - 1024];
                decode_rows(candidate.encoding, &candidate.raw, ids.len(), 1024, &mut out).unwrap();
                assert_eq!(out, ids[1024..], "{:?}", candidate.encoding);
                let cut = &candidate.raw[..candidate.raw.len() - 1];
                assert!(decode(candidate.encoding, cut, &mut vec![0; ids.len()]).is_err());
            }
        }
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
