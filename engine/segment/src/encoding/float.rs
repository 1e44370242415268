//! Encodings of floats, all bit-exact: plain, run length, and decimal.
//!
//! Decimal is for numbers that were text once: `v = i / 10^e` holds exactly for almost every price
//! or rate, so integers are stored instead, and the rows where it does not hold as exceptions.

use std::ops::Range;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::encoding::residual::{Layout, Stream, for_each_chunk};
use crate::encoding::{Candidate, Encoding, integer, residual, runs};
use crate::error::Result;
use crate::format::bytes::{ByteReader, ByteWriter};
use crate::format::corrupt;
use crate::packed::PackedInts;
use crate::simd::{Level, kernels};

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 19] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18,
];

/// Integers up to this are exact in a double and survive [`to_double`].
const MAX_INTEGER: f64 = (1_u64 << 51) as f64;

/// 1.5 times 2^52: added to an integer of at most 51 bits, it leaves the integer in the mantissa.
const SHIFTER: f64 = 6_755_399_441_055_744.0;

/// An integer of at most [`MAX_INTEGER`] as a double, by an addition that every vector unit has; few
/// have the conversion itself. Other integers give some other number.
#[inline]
fn to_double(integer: i64) -> f64 {
    f64::from_bits(SHIFTER.to_bits().wrapping_add(integer as u64)) - SHIFTER
}

/// A float type of the format.
pub trait Float: Copy + FromBytes + IntoBytes + Immutable + PartialEq + 'static {
    /// Zero.
    const ZERO: Self;
    /// Exact widening.
    fn to_f64(self) -> f64;
    /// Rounding to this type.
    fn from_f64(value: f64) -> Self;
    /// The bits, for comparison.
    fn bits(self) -> u64;
    /// `(base + unit * residual) / divisor` for each residual.
    fn of_residuals(
        level: Level,
        residuals: &[u32],
        base: i64,
        unit: u64,
        divisor: f64,
        out: &mut [Self],
    );
}

impl Float for f64 {
    const ZERO: Self = 0.0;
    fn to_f64(self) -> f64 {
        self
    }
    fn from_f64(value: f64) -> Self {
        value
    }
    fn bits(self) -> u64 {
        self.to_bits()
    }
    fn of_residuals(
        level: Level,
        residuals: &[u32],
        base: i64,
        unit: u64,
        divisor: f64,
        out: &mut [Self],
    ) {
        kernels::to_doubles(level, residuals, base, unit, divisor, out);
    }
}

impl Float for f32 {
    const ZERO: Self = 0.0;
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn from_f64(value: f64) -> Self {
        value as f32
    }
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
    fn of_residuals(
        level: Level,
        residuals: &[u32],
        base: i64,
        unit: u64,
        divisor: f64,
        out: &mut [Self],
    ) {
        kernels::to_floats(level, residuals, base, unit, divisor, out);
    }
}

/// The encodings worth comparing for a block that is not constant.
#[must_use]
pub fn candidates<F: Float>(values: &[F], aligned: bool) -> Vec<Candidate> {
    let mut candidates =
        vec![Candidate { encoding: Encoding::Plain, raw: values.as_bytes().to_vec(), weight: 0.9 }];
    if runs::count(values, |a, b| a.bits() == b.bits()) < values.len() / 4 {
        let raw = encode_runs(values);
        candidates.push(Candidate { encoding: Encoding::RunLength, raw, weight: 0.95 });
    }
    if let Some(exponent) = best_exponent(values) {
        let decimal = Decimal::of(values, exponent);
        if decimal.exceptions.len() < values.len() / 8 {
            let layouts: &[bool] = if aligned { &[false, true] } else { &[false] };
            for aligned in layouts {
                for (weight, raw) in decimal.encode(values, *aligned) {
                    candidates.push(Candidate { encoding: Encoding::Decimal, raw, weight });
                }
            }
        }
    }
    candidates
}

/// Decodes any float encoding but `Constant`, which has no bytes.
///
/// # Errors
/// `Corrupt` when the bytes do not encode exactly `out.len()` values.
pub fn decode<F: Float>(encoding: Encoding, raw: &[u8], out: &mut [F]) -> Result<()> {
    decode_rows(encoding, raw, out.len(), 0, out)
}

/// Decodes the values of a block of `count` from row `first` on, as many as `out` holds.
///
/// # Errors
/// `Corrupt` when the bytes do not encode exactly `count` values, or `out` reaches beyond them.
pub fn decode_rows<F: Float>(
    encoding: Encoding,
    raw: &[u8],
    count: usize,
    first: usize,
    out: &mut [F],
) -> Result<()> {
    let rows = super::check_rows(count, first, out.len())?;
    match encoding {
        Encoding::Plain => decode_plain(raw, count, rows, out),
        Encoding::RunLength => {
            let mut reader = ByteReader::new(raw);
            let runs = runs::read(&mut reader, count, &rows)?;
            let mut heads = vec![F::ZERO; runs.lengths.len()];
            let needed = runs.first..runs.first + heads.len();
            decode_plain(reader.rest(), runs.count, needed, &mut heads)?;
            runs::fill(&runs.lengths, &heads, out);
            Ok(())
        }
        Encoding::Decimal => decode_decimal(raw, count, first, out),
        _ => Err(corrupt(format!("{} is no encoding of floats", encoding.name()))),
    }
}

/// The integers and the divisor of an [`Encoding::Decimal`] block, when it is packed and without
/// exceptions.
///
/// # Errors
/// `Corrupt` when the bytes do not encode exactly `count` values.
pub(crate) fn packed<F: Float>(raw: &[u8], count: usize) -> Result<Option<(PackedInts<'_>, f64)>> {
    let stored = StoredDecimal::parse::<F>(raw)?;
    if stored.encoding != Encoding::Frame || stored.exception_rows.is_some() {
        return Ok(None);
    }
    Ok(integer::packed(stored.integers, count)?.map(|ints| (ints, stored.power)))
}

/// The integer that stands for a value at an exponent, if it does so exactly.
#[inline]
fn to_integer<F: Float>(value: F, power: f64) -> Option<i64> {
    let scaled = (value.to_f64() * power).round_ties_even();
    // Through the integer, as decoding will: it is there that -0.0 is lost.
    let integer = scaled as i64;
    let exact = scaled.abs() <= MAX_INTEGER
        && F::from_f64(to_double(integer) / power).bits() == value.bits();
    exact.then_some(integer)
}

/// The smallest exponent that represents most values of a sample, if one represents three quarters.
fn best_exponent<F: Float>(values: &[F]) -> Option<usize> {
    let step = (values.len() / 256).max(1);
    let sample: Vec<F> = values.iter().copied().step_by(step).collect();
    let hits = |exponent: usize| {
        sample.iter().filter(|value| to_integer(**value, POWERS[exponent]).is_some()).count()
    };
    let mut best = (0, 0);
    for exponent in 0..POWERS.len() {
        let count = hits(exponent);
        if count > best.0 {
            best = (count, exponent);
        }
        if count == sample.len() {
            break;
        }
    }
    (best.0 * 4 >= sample.len() * 3).then_some(best.1)
}

struct Decimal {
    exponent: usize,
    integers: Vec<i64>,
    exceptions: Vec<usize>,
}

impl Decimal {
    fn of<F: Float>(values: &[F], exponent: usize) -> Self {
        let mut exceptions = Vec::new();
        let mut integers = Vec::with_capacity(values.len());
        let mut last = None;
        for (row, value) in values.iter().enumerate() {
            let integer = to_integer(*value, POWERS[exponent]);
            if integer.is_none() {
                exceptions.push(row);
            }
            // An exception repeats its neighbour, so that it widens no frame.
            last = integer.or(last);
            integers.push(last.unwrap_or(i64::MIN));
        }
        let first = integers.iter().copied().find(|integer| *integer != i64::MIN).unwrap_or(0);
        integers.iter_mut().take_while(|i| **i == i64::MIN).for_each(|i| *i = first);
        Self { exponent, integers, exceptions }
    }

    /// The encoded block for each integer encoding, with the weight of each.
    fn encode<F: Float>(&self, values: &[F], aligned: bool) -> Vec<(f32, Vec<u8>)> {
        let mut head = vec![self.exponent as u8];
        head.put_varint(self.exceptions.len() as u64);
        if !self.exceptions.is_empty() {
            let rows: Vec<u64> = self.exceptions.iter().map(|row| *row as u64).collect();
            let mut stream = Vec::new();
            residual::encode(&rows, Layout::Packed, &mut stream);
            head.put_varint(stream.len() as u64);
            head.extend(stream);
            self.exceptions.iter().for_each(|row| head.extend_from_slice(values[*row].as_bytes()));
        }
        integer::candidates(&self.integers, aligned)
            .into_iter()
            .map(|candidate| {
                let mut raw = head.clone();
                raw.push(candidate.encoding as u8);
                raw.extend(candidate.raw);
                (candidate.weight, raw)
            })
            .collect()
    }
}

fn decode_plain<F: Float>(raw: &[u8], count: usize, rows: Range<usize>, out: &mut [F]) -> Result<()> {
    let each = size_of::<F>();
    if raw.len() != each * count {
        return Err(corrupt("a plain block has another length than its rows"));
    }
    out.as_mut_bytes().copy_from_slice(&raw[each * rows.start..each * rows.end]);
    Ok(())
}

/// A decimal block as stored.
struct StoredDecimal<'a> {
    power: f64,
    /// Rows of the exceptions, ascending.
    exception_rows: Option<Stream<'a>>,
    exceptions: &'a [u8],
    encoding: Encoding,
    integers: &'a [u8],
}

impl<'a> StoredDecimal<'a> {
    fn parse<F: Float>(raw: &'a [u8]) -> Result<Self> {
        let mut reader = ByteReader::new(raw);
        let power = *POWERS
            .get(usize::from(reader.u8()?))
            .ok_or_else(|| corrupt("a decimal exponent above 18"))?;
        let count = reader.count(size_of::<F>())?;
        let (mut exception_rows, mut exceptions) = (None, [].as_slice());
        if count > 0 {
            let stream_length = reader.varint_usize()?;
            exception_rows = Some(Stream::parse(reader.take(stream_length)?, count)?);
            exceptions = reader.take(count * size_of::<F>())?;
        }
        let encoding = Encoding::from_byte(reader.u8()?)?;
        Ok(Self { power, exception_rows, exceptions, encoding, integers: reader.rest() })
    }

    /// Overwrites the exceptions among the rows from `first` on.
    fn patch<F: Float>(&self, count: usize, first: usize, out: &mut [F]) -> Result<()> {
        let Some(rows) = &self.exception_rows else { return Ok(()) };
        let each = size_of::<F>();
        for index in rows.first_at_least(first as u64)..rows.len() {
            let row = rows.get(index);
            if row >= count as u64 {
                return Err(corrupt("a decimal exception outside the block"));
            }
            let Some(value) = out.get_mut((row as usize).wrapping_sub(first)) else { break };
            *value = F::read_from_bytes(&self.exceptions[each * index..each * (index + 1)])
                .map_err(|_| corrupt("a decimal exception is cut short"))?;
        }
        Ok(())
    }
}

fn decode_decimal<F: Float>(raw: &[u8], count: usize, first: usize, out: &mut [F]) -> Result<()> {
    let stored = StoredDecimal::parse::<F>(raw)?;
    let packed = match stored.encoding {
        Encoding::Frame => integer::packed(stored.integers, count)?,
        _ => None,
    };
    match packed {
        Some(ints) => for_each_chunk(&ints, first, out, |residuals, out| {
            let (base, unit) = (ints.base(), ints.unit());
            F::of_residuals(ints.level(), residuals, base, unit, stored.power, out);
        }),
        None => INTEGERS.with_borrow_mut(|integers| -> Result<()> {
            integers.resize(out.len(), 0);
            integer::decode_rows(stored.encoding, stored.integers, count, first, integers)?;
            for (value, integer) in out.iter_mut().zip(integers.iter()) {
                *value = F::from_f64(to_double(*integer) / stored.power);
            }
            Ok(())
        })?,
    }
    stored.patch(count, first, out)
}

thread_local! {
    static INTEGERS: std::cell::RefCell<Vec<i64>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn encode_runs<F: Float>(values: &[F]) -> Vec<u8> {
    let (heads, lengths) = runs::split(values, |a, b| a.bits() == b.bits());
    let mut raw = Vec::new();
    runs::write_lengths(&lengths, &mut raw);
    raw.extend_from_slice(heads.as_bytes());
    raw
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check<F: Float>(values: &[F]) -> Vec<Encoding> {
        let candidates = candidates(values, true);
        for candidate in &candidates {
            let mut out = vec![F::ZERO; values.len()];
            decode(candidate.encoding, &candidate.raw, &mut out).unwrap();
            for (row, (a, b)) in out.iter().zip(values).enumerate() {
                assert_eq!(a.bits(), b.bits(), "{:?} row {row}", candidate.encoding);
            }
            let cut = &candidate.raw[..candidate.raw.len() - 1];
            assert!(decode(candidate.encoding, cut, &mut out).is_err());
        }
        candidates.iter().map(|candidate| candidate.encoding).collect()
    }

    #[test]
    fn decimals_with_exceptions_are_bit_exact() {
        let mut prices: Vec<f64> =
            (0..3000).map(|i| f64::from(i * 7919 % 100_000) / 100.0).collect();
        for (row, odd) in
            [f64::NAN, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1e300, 5e-324, 1.0 / 3.0]
                .into_iter()
                .enumerate()
        {
            prices[row * 100] = odd;
        }
        assert!(check(&prices).contains(&Encoding::Decimal));
        let narrow: Vec<f32> = prices.iter().map(|price| *price as f32).collect();
        assert!(check(&narrow).contains(&Encoding::Decimal));
        let runs: Vec<f64> = (0..3000).map(|i| f64::from(i / 100) / 3.0).collect();
        assert!(check(&runs).contains(&Encoding::RunLength));
    }

    #[test]
    fn prices_take_few_bytes() {
        let prices: Vec<f64> = (0..4096).map(|i| f64::from(i * 7919 % 10_000) / 100.0).collect();
        let decimal = candidates(&prices, false)
            .into_iter()
            .filter(|candidate| candidate.encoding == Encoding::Decimal)
            .map(|candidate| candidate.raw.len())
            .min();
        assert!(decimal < Some(4096 * 2), "{decimal:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_floats_round_trip(values in prop::collection::vec(any::<f64>(), 1..200)) {
            check(&values);
            check(&values.iter().map(|value| *value as f32).collect::<Vec<_>>());
        }
    }
}
