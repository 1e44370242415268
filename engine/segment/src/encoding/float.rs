//! Encodings of floats, all bit-exact: plain, run length, and decimal.
//!
//! Decimal is for numbers that were text once: `v = i / 10^e` holds exactly for almost every price
//! or rate, so integers are stored instead, and the rows where it does not hold as exceptions.

use std::ops::Range;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::encoding::decimal::Decimal;
use crate::encoding::residual::{Layout, Stream, for_each_chunk};
use crate::encoding::{Candidate, CodecUse, Encoding, Plan, Profile, integer, runs};
use crate::error::Result;
use crate::format::bytes::ByteReader;
use crate::format::corrupt;
use crate::packed::PackedInts;
use crate::simd::{Level, kernels};
use henge_types::narrow::place;

/// Powers of ten that a double holds exactly.
pub(super) const POWERS: [f64; 19] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18,
];

/// Integers up to this are exact in a double and survive [`to_double`].
pub(super) const MAX_INTEGER: u64 = 1 << 51;

/// 1.5 times 2^52: added to an integer of at most 51 bits, it leaves the integer in the mantissa.
pub(super) const SHIFTER: f64 = 6_755_399_441_055_744.0;

/// An integer of at most [`MAX_INTEGER`] as a double, by an addition that every vector unit has; few
/// have the conversion itself. Other integers give some other number.
#[inline]
pub(super) fn to_double(integer: i64) -> f64 {
    f64::from_bits(SHIFTER.to_bits().wrapping_add(integer.cast_unsigned())) - SHIFTER
}

/// Plain values are read in place.
const PLAIN_WEIGHT: f32 = 0.9;

/// Runs are filled faster than anything is unpacked.
const RUNS_WEIGHT: f32 = 0.95;

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
    #[expect(clippy::cast_possible_truncation, reason = "a FLOAT is the nearest to the double")]
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

/// A block of floats and what is known of it.
#[derive(Debug)]
pub struct Floats<'a, F> {
    values: &'a [F],
    runs: usize,
    decimal: Option<Decimal>,
}

impl<'a, F: Float> Floats<'a, F> {
    /// Looks a block over.
    #[must_use]
    pub fn of(values: &'a [F]) -> Self {
        let runs = runs::count(values, |a, b| a.bits() == b.bits());
        Self { values, runs, decimal: Decimal::of(values) }
    }
}

impl<F: Float> Profile for Floats<'_, F> {
    fn rows(&self) -> usize {
        self.values.len()
    }

    fn plans(&self) -> Vec<Plan> {
        let rows = self.values.len();
        let mut plans = Vec::new();
        let mut push = |encoding, raw_bytes, weight| {
            let (layout, codec) = (Layout::Aligned, CodecUse::Either);
            plans.push(Plan { encoding, integers: encoding, layout, raw_bytes, weight, codec });
        };
        push(Encoding::Plain, size_of_val(self.values), PLAIN_WEIGHT);
        if self.runs < rows / 4 {
            push(Encoding::RunLength, (size_of::<F>() + 1) * self.runs, RUNS_WEIGHT);
        }
        let decimals = self.decimal.as_ref().map(Decimal::plans::<F>).unwrap_or_default();
        plans.extend(decimals);
        plans
    }

    fn encode(&self, plan: &Plan, rows: Range<usize>) -> Vec<u8> {
        match &self.decimal {
            Some(decimal) if plan.encoding == Encoding::Decimal => {
                decimal.encode(self.values, plan, rows)
            }
            _ if plan.encoding == Encoding::RunLength => encode_runs(&self.values[rows]),
            _ => self.values[rows].as_bytes().to_vec(),
        }
    }

    fn cuts(&self, plan: &Plan, rows: usize) -> Vec<usize> {
        match &self.decimal {
            Some(decimal) if plan.encoding == Encoding::Decimal => decimal.cuts(plan, rows),
            _ => Vec::new(),
        }
    }
}

/// Every encoding worth comparing for a block that is not constant.
#[must_use]
pub fn candidates<F: Float>(values: &[F], aligned: bool) -> Vec<Candidate> {
    Floats::of(values).candidates(aligned)
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

/// As [`integer::repacked`], of an [`Encoding::Decimal`] block without exceptions.
///
/// # Errors
/// `Corrupt` when the bytes do not encode exactly `count` values.
pub(crate) fn repacked<F: Float>(raw: &[u8], count: usize) -> Result<Option<Vec<u8>>> {
    let stored = StoredDecimal::parse::<F>(raw)?;
    if stored.encoding != Encoding::Frame || stored.exception_rows.is_some() {
        return Ok(None);
    }
    let head = &raw[..raw.len() - stored.integers.len()];
    Ok(integer::repacked(stored.integers, count)?.map(|packed| [head, &packed].concat()))
}

fn decode_plain<F: Float>(
    raw: &[u8],
    count: usize,
    rows: Range<usize>,
    out: &mut [F],
) -> Result<()> {
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
            let Some(value) = out.get_mut(place(row).wrapping_sub(first)) else { break };
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
