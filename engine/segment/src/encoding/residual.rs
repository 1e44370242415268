//! Streams of unsigned residuals: what is left of integers after a frame or a delta.
//!
//! A stream is one header byte and the data. Header 0..=64 is the width of bit-packed values; 128
//! plus 1, 2, 4 or 8 says that each value takes that many bytes, which a block codec compresses
//! better than bits that straddle bytes. Two more are for a codec alone, which finds most where like
//! lies next to like: 160 plus 2 to 8 says that all first bytes lie together, then all second ones,
//! and so on; 192 plus 1 to 32 that the highest bits, at most eight, are a byte a value, and so many
//! low bits, in which there is nothing to find, are packed behind them.
#![expect(
    clippy::cast_possible_truncation,
    reason = "values are cut to the width that holds the largest of them"
)]

use crate::error::Result;
use crate::format::corrupt;
use crate::packed::PackedInts;
use crate::packed::bitpack::{self, packed_bytes};
use crate::simd::GROUP;

const ALIGNED: u8 = 128;
const PLANES: u8 = 160;
const SPLIT: u8 = 192;

/// The layouts of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// To the exact width.
    Packed,
    /// To whole bytes.
    Aligned,
    /// Two to eight bytes, each in a plane with those of all other values. Only for a codec.
    Planes,
    /// The highest bits in bytes of their own, at most eight, the others packed. Only for a codec,
    /// and for widths of 9 to 40.
    Split,
}

impl Layout {
    /// The layouts that only a codec makes small, for values up to `max`.
    #[must_use]
    pub fn for_codec(max: u64) -> &'static [Self] {
        match width(max) {
            0..=8 => &[Self::Aligned],
            9..=40 => &[Self::Aligned, Self::Planes, Self::Split],
            _ => &[Self::Aligned, Self::Planes],
        }
    }

    /// Where a codec begins anew within a stream of `count` values up to `max`: what lies before and
    /// behind has nothing in common. Counted from the end of the stream, the farthest first.
    #[must_use]
    pub fn cuts(self, count: usize, max: u64) -> Vec<usize> {
        let header = header(max, self);
        match self {
            Self::Packed | Self::Aligned => Vec::new(),
            Self::Planes => {
                (1..=usize::from(header - PLANES)).rev().map(|planes| planes * count).collect()
            }
            Self::Split => {
                let low = packed_bytes(count, u32::from(header - SPLIT));
                vec![low + count, low]
            }
        }
    }
}

fn width(max: u64) -> u8 {
    (u64::BITS - max.leading_zeros()) as u8
}

/// The header byte for values up to `max`.
#[must_use]
pub fn header(max: u64, layout: Layout) -> u8 {
    let width = width(max);
    match layout {
        Layout::Packed => width,
        Layout::Aligned => ALIGNED + width.div_ceil(8).max(1).next_power_of_two(),
        Layout::Planes => PLANES + width.div_ceil(8).max(2),
        Layout::Split => SPLIT + width.saturating_sub(8).clamp(1, 32),
    }
}

/// Bytes of a stream's data.
///
/// # Errors
/// `Corrupt` for an unknown header.
pub fn data_bytes(header: u8, count: usize) -> Result<usize> {
    match header {
        0..=32 => Ok(packed_bytes(count, u32::from(header))),
        33..=64 => Ok(4 * count + packed_bytes(count, u32::from(header) - 32)),
        129 | 130 | 132 | 136 => Ok(count * usize::from(header - ALIGNED)),
        162..=168 => Ok(count * usize::from(header - PLANES)),
        193..=224 => Ok(count + packed_bytes(count, u32::from(header - SPLIT))),
        _ => Err(corrupt(format!("unknown residual layout {header}"))),
    }
}

/// Bytes of a stream of `count` values up to `max`, header included.
#[must_use]
pub fn bytes(count: usize, max: u64, layout: Layout) -> usize {
    // Every header that is made here is known.
    1 + data_bytes(header(max, layout), count).unwrap_or_default()
}

/// Appends a stream: header and data.
pub fn encode(values: &[u64], layout: Layout, out: &mut Vec<u8>) {
    let max = values.iter().copied().max().unwrap_or(0);
    encode_map(values, max, layout, out, |value| value);
}

/// Appends a stream of what `map` makes of values, each at most `max`.
pub fn encode_map<T: Copy>(
    values: &[T],
    max: u64,
    layout: Layout,
    out: &mut Vec<u8>,
    map: impl Fn(T) -> u64,
) {
    let header = header(max, layout);
    out.push(header);
    match header {
        0..=32 => pack_map(values, u32::from(header), out, |value| map(value) as u32),
        33..=64 => {
            pack_map(values, 32, out, |value| map(value) as u32);
            pack_map(values, u32::from(header) - 32, out, |value| (map(value) >> 32) as u32);
        }
        129 => out.extend(values.iter().map(|v| map(*v) as u8)),
        130 => extend_chunks(out, values, |v| (map(v) as u16).to_le_bytes()),
        132 => extend_chunks(out, values, |v| (map(v) as u32).to_le_bytes()),
        136 => extend_chunks(out, values, |v| map(v).to_le_bytes()),
        PLANES..SPLIT => {
            for plane in 0..u32::from(header - PLANES) {
                out.extend(values.iter().map(|value| (map(*value) >> (8 * plane)) as u8));
            }
        }
        _ => {
            let low = u32::from(header - SPLIT);
            let mask = u32::MAX >> (32 - low);
            out.extend(values.iter().map(|value| (map(*value) >> low) as u8));
            pack_map(values, low, out, |value| map(value) as u32 & mask);
        }
    }
}

/// Packs what `map` makes of values, group by group.
pub(crate) fn pack_map<T: Copy>(
    values: &[T],
    width: u32,
    out: &mut Vec<u8>,
    map: impl Fn(T) -> u32,
) {
    out.reserve(packed_bytes(values.len(), width));
    let mut group = [0_u32; GROUP];
    for values in values.chunks(GROUP) {
        let group = &mut group[..values.len()];
        group.iter_mut().zip(values).for_each(|(slot, value)| *slot = map(*value));
        bitpack::pack(group, width, out);
    }
}

fn extend_chunks<T: Copy, const N: usize>(
    out: &mut Vec<u8>,
    values: &[T],
    map: impl Fn(T) -> [u8; N],
) {
    let start = out.len();
    out.resize(start + N * values.len(), 0);
    let (chunks, _) = out[start..].as_chunks_mut::<N>();
    chunks.iter_mut().zip(values).for_each(|(chunk, value)| *chunk = map(*value));
}

/// Decodes a stream (header and data) of exactly `out.len()` values, mapping each residual to an
/// output value. The mapping is inlined into the loop of each layout.
///
/// # Errors
/// `Corrupt` when the header is unknown or the length does not match.
pub fn decode_with<T>(stream: &[u8], out: &mut [T], map: impl Fn(u64) -> T) -> Result<()> {
    Stream::parse(stream, out.len())?.decode(0, out, map);
    Ok(())
}

/// A stream whose length was checked: any part of it can be read.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    count: usize,
    values: Values<'a>,
}

#[derive(Debug)]
enum Values<'a> {
    Narrow(PackedInts<'a>),
    Wide { low: PackedInts<'a>, high: PackedInts<'a> },
    Bytes { data: &'a [u8], each: usize },
    Planes { data: &'a [u8], count: usize },
    Split { high: &'a [u8], low: PackedInts<'a> },
}

impl<'a> Stream<'a> {
    /// A stream (header and data) of `count` values.
    pub(crate) fn parse(stream: &'a [u8], count: usize) -> Result<Self> {
        let (header, data) =
            stream.split_first().ok_or_else(|| corrupt("a residual stream is empty"))?;
        if data.len() != data_bytes(*header, count)? {
            return Err(corrupt(format!(
                "{} bytes of residuals for {count} values of layout {header}",
                data.len(),
            )));
        }
        let packed = |data, width| {
            PackedInts::new(data, width, count, 0, 1).ok_or_else(|| corrupt("packed residuals"))
        };
        let values = match *header {
            width @ 0..=32 => Values::Narrow(packed(data, u32::from(width))?),
            width @ 33..=64 => {
                let (low, high) = data.split_at(4 * count);
                Values::Wide { low: packed(low, 32)?, high: packed(high, u32::from(width) - 32)? }
            }
            header if header < PLANES => {
                Values::Bytes { data, each: usize::from(header - ALIGNED) }
            }
            header if header < SPLIT => Values::Planes { data, count },
            header => {
                let (high, low) = data.split_at(count);
                Values::Split { high, low: packed(low, u32::from(header - SPLIT))? }
            }
        };
        Ok(Self { count, values })
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The stream as packed integers, when it is packed to at most 32 bits.
    pub(crate) fn packed(&self) -> Option<&PackedInts<'a>> {
        match &self.values {
            Values::Narrow(ints) => Some(ints),
            Values::Wide { .. }
            | Values::Bytes { .. }
            | Values::Planes { .. }
            | Values::Split { .. } => None,
        }
    }

    /// The stream packed to its width, for values of at most 32 bits that are laid out for a codec.
    pub(crate) fn repacked(&self) -> Option<Vec<u8>> {
        let is_narrow = match &self.values {
            Values::Narrow(_) | Values::Wide { .. } => false,
            Values::Bytes { each, .. } => *each <= 4,
            Values::Planes { data, count } => data.len() <= 4 * count,
            Values::Split { low, .. } => low.width() <= 24,
        };
        if !is_narrow {
            return None;
        }
        let mut values = vec![0_u32; self.count];
        self.decode(0, &mut values, |value| value as u32);
        let max = values.iter().copied().max().unwrap_or(0);
        let mut stream = Vec::new();
        encode_map(&values, u64::from(max), Layout::Packed, &mut stream, u64::from);
        Some(stream)
    }

    /// One value; zero beyond the last.
    pub(crate) fn get(&self, index: usize) -> u64 {
        if index >= self.count {
            return 0;
        }
        match &self.values {
            Values::Narrow(ints) => u64::from(ints.residual(index)),
            Values::Wide { low, high } => {
                u64::from(high.residual(index)) << 32 | u64::from(low.residual(index))
            }
            Values::Bytes { data, each } => {
                let mut bytes = [0; 8];
                bytes[..*each].copy_from_slice(&data[index * each..(index + 1) * each]);
                u64::from_le_bytes(bytes)
            }
            Values::Planes { data, count } => {
                let planes = data.chunks_exact((*count).max(1)).rev();
                planes.fold(0, |value, plane| value << 8 | u64::from(plane[index]))
            }
            Values::Split { high, low } => {
                u64::from(high[index]) << low.width() | u64::from(low.residual(index))
            }
        }
    }

    /// The first place whose value is not less, in an ascending stream.
    pub(crate) fn first_at_least(&self, value: u64) -> usize {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle) < value {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    /// The wrapping sum of the first values.
    pub(crate) fn sum_of_first(&self, count: usize) -> u64 {
        match &self.values {
            Values::Narrow(ints) => ints.sum_of_residuals(0..count),
            Values::Wide { low, high } => {
                low.sum_of_residuals(0..count).wrapping_add(high.sum_of_residuals(0..count) << 32)
            }
            Values::Bytes { .. } => {
                (0..count.min(self.count)).fold(0, |sum, at| self.get(at).wrapping_add(sum))
            }
            Values::Planes { data, count: rows } => {
                let planes = data.chunks_exact((*rows).max(1)).rev();
                planes.fold(0, |sum: u64, plane| {
                    let bytes = plane.iter().take(count).map(|byte| u64::from(*byte));
                    (sum << 8).wrapping_add(bytes.sum())
                })
            }
            Values::Split { high, low } => {
                let high: u64 = high.iter().take(count).map(|byte| u64::from(*byte)).sum();
                low.sum_of_residuals(0..count.min(self.count)).wrapping_add(high << low.width())
            }
        }
    }

    /// Decodes the values from `first` on; those beyond the last are left as they are.
    pub(crate) fn decode<T>(&self, first: usize, out: &mut [T], map: impl Fn(u64) -> T) {
        match &self.values {
            Values::Narrow(ints) => for_each_chunk(ints, first, out, |values, out: &mut [T]| {
                out.iter_mut().zip(values).for_each(|(o, v)| *o = map(u64::from(*v)));
            }),
            Values::Wide { low, high } => {
                let mut highs = [0_u32; GROUP];
                let mut row = first;
                for_each_chunk(low, first, out, |lows, out: &mut [T]| {
                    let highs = &high.unpack_group(row / GROUP, &mut highs)[row % GROUP..];
                    for ((o, low), high) in out.iter_mut().zip(lows).zip(highs) {
                        *o = map(u64::from(*high) << 32 | u64::from(*low));
                    }
                    row += out.len();
                });
            }
            Values::Bytes { data, each } => {
                let data = data.get(first * each..).unwrap_or_default();
                match each {
                    1 => out.iter_mut().zip(data).for_each(|(o, byte)| *o = map(u64::from(*byte))),
                    2 => zip_chunks(data, out, |bytes| map(u64::from(u16::from_le_bytes(bytes)))),
                    4 => zip_chunks(data, out, |bytes| map(u64::from(u32::from_le_bytes(bytes)))),
                    _ => zip_chunks(data, out, |bytes| map(u64::from_le_bytes(bytes))),
                }
            }
            Values::Planes { data, count } => decode_planes(data, *count, first, out, map),
            Values::Split { high, low } => {
                let mut highs = high.get(first..).unwrap_or_default();
                for_each_chunk(low, first, out, |lows, out: &mut [T]| {
                    let (these, rest) = highs.split_at(out.len().min(highs.len()));
                    for ((o, low_bits), high) in out.iter_mut().zip(lows).zip(these) {
                        *o = map(u64::from(*high) << low.width() | u64::from(*low_bits));
                    }
                    highs = rest;
                });
            }
        }
    }
}

/// Puts values together plane by plane, a group at a time.
fn decode_planes<T>(
    data: &[u8],
    count: usize,
    first: usize,
    out: &mut [T],
    map: impl Fn(u64) -> T,
) {
    let mut values = [0_u64; GROUP];
    let rows = out.len().min(count.saturating_sub(first));
    for (chunk, out) in out[..rows].chunks_mut(GROUP).enumerate() {
        let start = first + chunk * GROUP;
        let values = &mut values[..out.len()];
        values.fill(0);
        for (plane, shift) in data.chunks_exact(count.max(1)).zip((0..64).step_by(8)) {
            let bytes = &plane[start..start + values.len()];
            values.iter_mut().zip(bytes).for_each(|(v, byte)| *v |= u64::from(*byte) << shift);
        }
        out.iter_mut().zip(values).for_each(|(o, value)| *o = map(*value));
    }
}

fn zip_chunks<T, const N: usize>(data: &[u8], out: &mut [T], map: impl Fn([u8; N]) -> T) {
    let (chunks, _) = data.as_chunks::<N>();
    out.iter_mut().zip(chunks).for_each(|(o, chunk)| *o = map(*chunk));
}

/// Visits the residuals from row `first` on with the places of `out` they are for, a group or less
/// at a time.
pub(crate) fn for_each_chunk<T>(
    ints: &PackedInts<'_>,
    first: usize,
    mut out: &mut [T],
    mut visit: impl FnMut(&[u32], &mut [T]),
) {
    let mut group = [0_u32; GROUP];
    let mut row = first;
    while !out.is_empty() && row < ints.rows() {
        let values = &ints.unpack_group(row / GROUP, &mut group)[row % GROUP..];
        let (chunk, rest) = out.split_at_mut(values.len().min(out.len()));
        visit(&values[..chunk.len()], chunk);
        row += chunk.len();
        out = rest;
    }
}

#[cfg(test)]
mod tests;
