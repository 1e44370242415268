//! Streams of unsigned residuals: what is left of integers after a frame or a delta.
//!
//! A stream is one header byte and the data. Header 0..=64 is the width of bit-packed values; 128
//! plus 1, 2, 4 or 8 says that each value takes that many bytes, which a block codec compresses
//! better than bits that straddle bytes.
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

/// The two layouts of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// To the exact width.
    Packed,
    /// To whole bytes.
    Aligned,
}

/// The header byte for values up to `max`.
#[must_use]
pub fn header(max: u64, layout: Layout) -> u8 {
    let width = (u64::BITS - max.leading_zeros()) as u8;
    match layout {
        Layout::Packed => width,
        Layout::Aligned => ALIGNED + width.div_ceil(8).max(1).next_power_of_two(),
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
        _ => Err(corrupt(format!("unknown residual layout {header}"))),
    }
}

/// Bytes of a stream of `count` values up to `max`, header included.
#[must_use]
pub fn bytes(count: usize, max: u64, layout: Layout) -> usize {
    let header = header(max, layout);
    1 + match header {
        0..=32 => packed_bytes(count, u32::from(header)),
        33..=64 => 4 * count + packed_bytes(count, u32::from(header) - 32),
        _ => count * usize::from(header - ALIGNED),
    }
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
        _ => extend_chunks(out, values, |v| map(v).to_le_bytes()),
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
            header => Values::Bytes { data, each: usize::from(header - ALIGNED) },
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
            Values::Wide { .. } | Values::Bytes { .. } => None,
        }
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
        }
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
mod tests {
    use super::*;

    #[test]
    fn every_width_round_trips_in_both_layouts() {
        for width in 0..=64_u32 {
            let mask = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
            for count in [1, 100, 1024, 2500] {
                let mut values: Vec<u64> = (1..=count)
                    .map(|i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) & mask)
                    .collect();
                values[0] = mask;
                for layout in [Layout::Packed, Layout::Aligned] {
                    let mut stream = Vec::new();
                    encode(&values, layout, &mut stream);
                    assert_eq!(stream.len() - 1, data_bytes(stream[0], values.len()).unwrap());
                    let parsed = Stream::parse(&stream, values.len()).unwrap();
                    for first in [0, 1, 70, 1024, 1700].into_iter().filter(|f| *f < values.len()) {
                        let mut out = vec![1; values.len() - first];
                        parsed.decode(first, &mut out, |v| v);
                        assert_eq!(out, values[first..], "width {width} {layout:?}");
                        assert_eq!(parsed.get(first), values[first]);
                        let sum = values[..first].iter().fold(0, |sum, v| v.wrapping_add(sum));
                        assert_eq!(parsed.sum_of_first(first), sum);
                    }
                }
            }
        }
    }

    #[test]
    fn h_46_unknown_headers_and_lengths_are_refused() {
        let mut out = [0_u64; 4];
        for header in [65, 100, 128, 131, 137, 255] {
            assert!(decode_with(&[header, 0, 0, 0, 0], &mut out, |v| v).is_err());
        }
        assert!(decode_with(&[129, 0, 0, 0], &mut out, |v| v).is_err());
        assert!(decode_with(&[], &mut out, |v| v).is_err());
    }
}
