//! Streams of unsigned residuals: what is left of integers after a frame or a delta.
//!
//! A stream is one header byte and the data. Header 0..=64 is the width of bit-packed values; 128
//! plus 1, 2, 4 or 8 says that each value takes that many bytes, which a block codec compresses
//! better than bits that straddle bytes.

use crate::encoding::bitpack::{self, GROUP, packed_bytes};
use crate::error::Result;
use crate::format::corrupt;

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
    let (header, data) =
        stream.split_first().ok_or_else(|| corrupt("a residual stream is empty"))?;
    if data.len() != data_bytes(*header, out.len())? {
        return Err(corrupt(format!(
            "{} bytes of residuals for {} values of layout {header}",
            data.len(),
            out.len()
        )));
    }
    match header {
        0 => out.iter_mut().for_each(|o| *o = map(0)),
        1..=32 => decode_narrow(data, u32::from(*header), out, map),
        33..=64 => decode_wide(data, u32::from(*header) - 32, out, map),
        129 => out.iter_mut().zip(data).for_each(|(o, byte)| *o = map(u64::from(*byte))),
        130 => zip_chunks(data, out, |bytes| map(u64::from(u16::from_le_bytes(bytes)))),
        132 => zip_chunks(data, out, |bytes| map(u64::from(u32::from_le_bytes(bytes)))),
        _ => zip_chunks(data, out, |bytes| map(u64::from_le_bytes(bytes))),
    }
    Ok(())
}

fn zip_chunks<T, const N: usize>(data: &[u8], out: &mut [T], map: impl Fn([u8; N]) -> T) {
    let (chunks, _) = data.as_chunks::<N>();
    out.iter_mut().zip(chunks).for_each(|(o, chunk)| *o = map(*chunk));
}

fn decode_narrow<T>(data: &[u8], width: u32, out: &mut [T], map: impl Fn(u64) -> T) {
    let mut group = [0_u32; GROUP];
    let group_bytes = GROUP / 8 * width as usize;
    for (bytes, out) in data.chunks(group_bytes).zip(out.chunks_mut(GROUP)) {
        // Lengths were checked as a whole, so a short last group fits its short last chunk.
        let values = &mut group[..out.len()];
        let _ = bitpack::unpack(bytes, width, values);
        out.iter_mut().zip(values).for_each(|(o, v)| *o = map(u64::from(*v)));
    }
}

fn decode_wide<T>(data: &[u8], high_width: u32, out: &mut [T], map: impl Fn(u64) -> T) {
    let (low, high) = data.split_at(4 * out.len());
    let mut lows = [0_u32; GROUP];
    let mut highs = [0_u32; GROUP];
    let high_bytes = GROUP / 8 * high_width as usize;
    let chunks = low.chunks(4 * GROUP).zip(high.chunks(high_bytes)).zip(out.chunks_mut(GROUP));
    for ((low, high), out) in chunks {
        let (lows, highs) = (&mut lows[..out.len()], &mut highs[..out.len()]);
        let _ = bitpack::unpack(low, 32, lows);
        let _ = bitpack::unpack(high, high_width, highs);
        for ((o, low), high) in out.iter_mut().zip(lows).zip(highs) {
            *o = map(u64::from(*high) << 32 | u64::from(*low));
        }
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
                    let mut out = vec![1; values.len()];
                    decode_with(&stream, &mut out, |v| v).unwrap();
                    assert_eq!(out, values, "width {width} {layout:?}");
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
