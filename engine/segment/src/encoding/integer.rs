//! Encodings of 64-bit integers: frame of reference, delta and run length, each in units of the
//! greatest common divisor, so that hourly timestamps or amounts in whole hundreds take few bits.

use std::ops::Range;

use crate::encoding::residual::{self, Layout, Stream, for_each_chunk};
use crate::encoding::{Candidate, Encoding, runs};
use crate::error::Result;
use crate::format::bytes::{ByteReader, ByteWriter};
use crate::format::corrupt;
use crate::packed::PackedInts;
use crate::simd::kernels;

/// The encodings worth comparing for a block that is not constant. `aligned` adds the layouts that
/// a block codec shrinks further.
#[must_use]
pub fn candidates(values: &[i64], aligned: bool) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let frame = Frame::of(values);
    let delta = Delta::of(values);
    let mut push = |encoding, weight, raw| candidates.push(Candidate { encoding, raw, weight });
    let layouts: &[Layout] =
        if aligned { &[Layout::Packed, Layout::Aligned] } else { &[Layout::Packed] };
    for layout in layouts {
        push(Encoding::Frame, 1.0, encode_frame(values, &frame, *layout));
        if delta.width() + 1 < frame.width() {
            push(Encoding::Delta, 1.05, encode_delta(values, &delta, *layout));
        }
    }
    if runs::count(values, |a, b| a == b) < values.len() / 4 {
        push(Encoding::RunLength, 0.95, encode_runs(values));
    }
    if frame.width() > 48 {
        push(Encoding::Plain, 0.9, encode_plain(values));
    }
    candidates
}

/// The values as they are in memory.
#[must_use]
pub fn encode_plain(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Decodes any integer encoding but `Constant`, which has no bytes.
///
/// # Errors
/// `Corrupt` when the bytes do not encode exactly `out.len()` values.
pub fn decode(encoding: Encoding, raw: &[u8], out: &mut [i64]) -> Result<()> {
    decode_rows(encoding, raw, out.len(), 0, out)
}

/// Decodes the values of a block of `count` from row `first` on, as many as `out` holds.
///
/// # Errors
/// `Corrupt` when the bytes do not encode exactly `count` values, or `out` reaches beyond them.
pub fn decode_rows(
    encoding: Encoding,
    raw: &[u8],
    count: usize,
    first: usize,
    out: &mut [i64],
) -> Result<()> {
    let rows = super::check_rows(count, first, out.len())?;
    match encoding {
        Encoding::Plain => decode_plain(raw, count, &rows, out),
        Encoding::Frame => {
            StoredFrame::parse(raw, count)?.decode(first, out);
            Ok(())
        }
        Encoding::Delta => decode_delta(raw, count, first, out),
        Encoding::RunLength => decode_runs(raw, count, &rows, out),
        _ => Err(corrupt(format!("{} is no encoding of integers", encoding.name()))),
    }
}

/// The values of an [`Encoding::Frame`] block as packed integers, when they are stored so.
///
/// # Errors
/// `Corrupt` when the bytes do not encode exactly `count` values.
pub(crate) fn packed(raw: &[u8], count: usize) -> Result<Option<PackedInts<'_>>> {
    let frame = StoredFrame::parse(raw, count)?;
    Ok(frame.stream.packed().map(|ints| ints.framed(frame.base, frame.unit)))
}

/// Smallest value and unit of a frame.
struct Frame {
    base: i64,
    unit: u64,
    max_residual: u64,
}

impl Frame {
    fn of(values: &[i64]) -> Self {
        let base = values.iter().copied().min().unwrap_or(0);
        let max = values.iter().copied().max().unwrap_or(0);
        let unit = common_divisor(values.iter().map(|value| value.wrapping_sub(base) as u64));
        Self { base, unit, max_residual: max.wrapping_sub(base) as u64 / unit }
    }

    fn width(&self) -> u32 {
        u64::BITS - self.max_residual.leading_zeros()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_zigzag(self.base);
        out.put_varint(self.unit);
    }

    fn residual(&self, value: i64) -> u64 {
        value.wrapping_sub(self.base) as u64 / self.unit
    }
}

/// The first value, and the frame of the differences.
struct Delta {
    first: i64,
    frame: Frame,
}

impl Delta {
    fn of(values: &[i64]) -> Self {
        let differences: Vec<i64> =
            values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
        Self { first: values.first().copied().unwrap_or(0), frame: Frame::of(&differences) }
    }

    fn width(&self) -> u32 {
        self.frame.width()
    }
}

fn common_divisor(values: impl Iterator<Item = u64>) -> u64 {
    let mut divisor = 0_u64;
    for value in values {
        let (mut a, mut b) = (divisor, value);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        divisor = a;
        if divisor == 1 {
            return 1;
        }
    }
    divisor.max(1)
}

fn encode_frame(values: &[i64], frame: &Frame, layout: Layout) -> Vec<u8> {
    let mut raw = Vec::new();
    frame.write(&mut raw);
    let residuals: Vec<u64> = values.iter().map(|value| frame.residual(*value)).collect();
    residual::encode(&residuals, layout, &mut raw);
    raw
}

fn encode_delta(values: &[i64], delta: &Delta, layout: Layout) -> Vec<u8> {
    let mut raw = Vec::new();
    raw.put_zigzag(delta.first);
    delta.frame.write(&mut raw);
    let residuals: Vec<u64> =
        values.windows(2).map(|pair| delta.frame.residual(pair[1].wrapping_sub(pair[0]))).collect();
    residual::encode(&residuals, layout, &mut raw);
    raw
}

fn encode_runs(values: &[i64]) -> Vec<u8> {
    let (heads, lengths) = runs::split(values, |a, b| a == b);
    let mut raw = Vec::new();
    runs::write_lengths(&lengths, &mut raw);
    raw.extend(encode_frame(&heads, &Frame::of(&heads), Layout::Aligned));
    raw
}

fn decode_plain(raw: &[u8], count: usize, rows: &Range<usize>, out: &mut [i64]) -> Result<()> {
    if raw.len() != 8 * count {
        return Err(corrupt("a plain block has another length than its rows"));
    }
    let chunks = &raw.as_chunks::<8>().0[rows.clone()];
    out.iter_mut().zip(chunks).for_each(|(o, chunk)| *o = i64::from_le_bytes(*chunk));
    Ok(())
}

/// A frame as stored.
struct StoredFrame<'a> {
    base: i64,
    unit: u64,
    stream: Stream<'a>,
}

impl<'a> StoredFrame<'a> {
    fn parse(raw: &'a [u8], count: usize) -> Result<Self> {
        let mut reader = ByteReader::new(raw);
        let (base, unit) = (reader.zigzag()?, reader.varint()?);
        Ok(Self { base, unit, stream: Stream::parse(reader.rest(), count)? })
    }

    fn decode(&self, first: usize, out: &mut [i64]) {
        let Self { base, unit, .. } = *self;
        match self.stream.packed() {
            Some(ints) => for_each_chunk(ints, first, out, |residuals, out| {
                kernels::to_longs(ints.level(), residuals, base, unit, out);
            }),
            None => self
                .stream
                .decode(first, out, |r| base.wrapping_add(r.wrapping_mul(unit) as i64)),
        }
    }
}

/// Differences are added up from the row before `first`, whose value is the sum of those before it.
fn decode_delta(raw: &[u8], count: usize, first: usize, out: &mut [i64]) -> Result<()> {
    if count == 0 {
        return Err(corrupt("a delta block has no rows"));
    }
    let mut reader = ByteReader::new(raw);
    let start = reader.zigzag()?;
    let differences = StoredFrame::parse(reader.rest(), count - 1)?;
    let StoredFrame { base, unit, stream } = &differences;
    let Some((head, tail)) = out.split_first_mut() else { return Ok(()) };
    let before = stream.sum_of_first(first).wrapping_mul(*unit) as i64;
    let mut value = start.wrapping_add(base.wrapping_mul(first as i64)).wrapping_add(before);
    *head = value;
    differences.decode(first, tail);
    for difference in tail {
        value = value.wrapping_add(*difference);
        *difference = value;
    }
    Ok(())
}

fn decode_runs(raw: &[u8], count: usize, rows: &Range<usize>, out: &mut [i64]) -> Result<()> {
    let mut reader = ByteReader::new(raw);
    let runs = runs::read(&mut reader, count, rows)?;
    let mut heads = vec![0; runs.lengths.len()];
    StoredFrame::parse(reader.rest(), runs.count)?.decode(runs.first, &mut heads);
    runs::fill(&runs.lengths, &heads, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(values: &[i64]) {
        for candidate in candidates(values, true) {
            let mut out = vec![7; values.len()];
            decode(candidate.encoding, &candidate.raw, &mut out).unwrap();
            assert_eq!(out, values, "{:?}", candidate.encoding);
        }
    }

    #[test]
    fn extremes_round_trip() {
        check(&[i64::MIN, i64::MAX, 0, -1, 1]);
        check(&[i64::MAX, i64::MIN]);
        check(&[5]);
        check(&(0..5000).map(|i| 1_442_016_000_000 + i * 3_600_000).collect::<Vec<_>>());
        check(&(0..5000).map(|i| i / 100).collect::<Vec<_>>());
    }

    #[test]
    fn hourly_timestamps_take_no_bits() {
        let hours: Vec<i64> = (0..1000).map(|i| i * 3_600_000).collect();
        let best = candidates(&hours, false).into_iter().map(|c| c.raw.len()).min();
        assert!(best < Some(20), "{best:?}");
    }

    #[test]
    fn h_46_damaged_blocks_are_refused() {
        let values: Vec<i64> = (0..2000).map(|i| i * i % 977).collect();
        for candidate in candidates(&values, true) {
            let mut out = vec![0; values.len()];
            let raw = &candidate.raw;
            assert!(decode(candidate.encoding, &raw[..raw.len() - 1], &mut out).is_err());
            assert!(decode(candidate.encoding, raw, &mut out[8..]).is_err());
            assert!(decode(candidate.encoding, &[], &mut out).is_err());
        }
        assert!(decode(Encoding::Ids8, &[0; 8], &mut [0; 8]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_values_round_trip(values in prop::collection::vec(any::<i64>(), 1..300),
                                 shift in 0..63_u32) {
            let values: Vec<i64> = values.into_iter().map(|v| v >> shift).collect();
            for candidate in candidates(&values, true) {
                let mut out = vec![0; values.len()];
                decode(candidate.encoding, &candidate.raw, &mut out).unwrap();
                prop_assert_eq!(&out, &values);
                let half = values.len() / 2;
                let mut out = vec![0; values.len() - half];
                decode_rows(candidate.encoding, &candidate.raw, values.len(), half, &mut out)
                    .unwrap();
                prop_assert_eq!(&out, &values[half..]);
            }
        }
    }
}
