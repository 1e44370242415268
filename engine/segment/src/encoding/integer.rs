//! Encodings of 64-bit integers: frame of reference, delta and run length, each in units of the
//! greatest common divisor, so that hourly timestamps or amounts in whole hundreds take few bits.

use std::ops::Range;

use crate::encoding::residual::{Stream, for_each_chunk};
use crate::encoding::shape::Shape;
use crate::encoding::{Candidate, Encoding, Plan, Profile, runs};
use crate::error::Result;
use crate::format::bytes::ByteReader;
use crate::format::corrupt;
use crate::packed::PackedInts;
use crate::simd::kernels;
use henge_types::narrow::narrow;

/// A block of integers and what is known of it.
#[derive(Debug)]
pub struct Integers<'a> {
    values: &'a [i64],
    shape: Shape,
}

impl<'a> Integers<'a> {
    /// Looks a block over.
    #[must_use]
    pub fn of(values: &'a [i64]) -> Self {
        Self { values, shape: Shape::of(values) }
    }
}

impl Profile for Integers<'_> {
    fn rows(&self) -> usize {
        self.values.len()
    }

    fn plans(&self) -> Vec<Plan> {
        self.shape.plans(self.values.len())
    }

    fn encode(&self, plan: &Plan, rows: Range<usize>) -> Vec<u8> {
        let mut raw = Vec::new();
        self.shape.encode(plan, &self.values[rows], &mut raw);
        raw
    }

    fn cuts(&self, plan: &Plan, rows: usize) -> Vec<usize> {
        self.shape.cuts(plan, rows)
    }
}

/// Every encoding worth comparing for a block that is not constant.
#[must_use]
pub fn candidates(values: &[i64], aligned: bool) -> Vec<Candidate> {
    Integers::of(values).candidates(aligned)
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

/// An [`Encoding::Frame`] block that is laid out for a codec, packed as scans want it: what encoding its
/// values for them would give. `None` when it is packed already or wider than 32 bits.
///
/// # Errors
/// `Corrupt` when the bytes do not encode exactly `count` values.
pub(crate) fn repacked(raw: &[u8], count: usize) -> Result<Option<Vec<u8>>> {
    let mut reader = ByteReader::new(raw);
    let _base_and_unit = (reader.zigzag()?, reader.varint()?);
    let stream = reader.rest();
    let packed = Stream::parse(stream, count)?.repacked();
    Ok(packed.map(|packed| [&raw[..raw.len() - stream.len()], &packed].concat()))
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
            None => {
                self.stream
                    .decode(first, out, |r| base.wrapping_add(r.wrapping_mul(unit).cast_signed()));
            }
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
    let before = stream.sum_of_first(first).wrapping_mul(*unit).cast_signed();
    let rows_before = i64::from(narrow(first));
    let mut value = start.wrapping_add(base.wrapping_mul(rows_before)).wrapping_add(before);
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
