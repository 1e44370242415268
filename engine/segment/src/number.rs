//! The numeric types of the format, and the statistics kept of their blocks.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::block::{NumericStats, NumericSum};
use crate::encoding::float::{self, Float, Floats};
use crate::encoding::integer::{self, Integers};
use crate::encoding::{Encoding, Profile};
use crate::error::Result;
use crate::format::bytes::{ByteReader, ByteWriter};
use crate::format::corrupt;
use crate::packed::PackedInts;

/// Whether a block's null mask is left out because every row is null.
pub(crate) fn mask_is_implied(null_count: u32, rows: usize) -> bool {
    null_count as usize == rows && rows.is_multiple_of(64)
}

/// `i64`, `f32` or `f64`: the values of LONG, FLOAT and DOUBLE columns.
pub(crate) trait Number:
    Copy + FromBytes + IntoBytes + Immutable + Send + Sync + std::fmt::Debug + 'static
{
    /// Zero.
    const ZERO: Self;
    /// The bits, for comparison.
    fn bits(self) -> u64;
    /// True for a float that is not a number.
    fn is_nan(self) -> bool;
    /// The value as text.
    fn text(self) -> String;
    /// True when `next` is less than `self`.
    fn descends(self, next: Self) -> bool;
    /// What is known of a block.
    type Profile<'a>: Profile;
    /// Looks a block over.
    fn profile(values: &[Self]) -> Self::Profile<'_>;
    /// Decodes the values of a block of `count` from row `first` on.
    ///
    /// # Errors
    /// `Corrupt` when the bytes do not encode exactly `count` values.
    fn decode_rows(
        encoding: Encoding,
        raw: &[u8],
        count: usize,
        first: usize,
        out: &mut [Self],
    ) -> Result<()>;
    /// The block as packed integers and their divisor, when it is stored so.
    ///
    /// # Errors
    /// `Corrupt` when the bytes do not encode exactly `count` values.
    fn packed(
        encoding: Encoding,
        raw: &[u8],
        count: usize,
    ) -> Result<Option<(PackedInts<'_>, f64)>>;
    /// The block packed as scans want it: what choosing anew for them would give. `None` when that is
    /// not known without its values.
    ///
    /// # Errors
    /// `Corrupt` when the bytes do not encode exactly `count` values.
    fn repacked(encoding: Encoding, raw: &[u8], count: usize) -> Result<Option<Vec<u8>>>;
    /// The value of a packed integer.
    fn of_packed(integer: i64, divisor: f64) -> Self;
    /// [`Number::stats`] without the sum.
    fn bounds(values: &[Self], nulls: Option<&[u64]>) -> NumericStats<Self>;
    /// Statistics of the rows that are not null.
    fn stats(values: &[Self], nulls: Option<&[u64]>) -> NumericStats<Self>;
    /// Appends the value as the directory keeps it.
    fn write(self, out: &mut Vec<u8>);
    /// Reads a value.
    ///
    /// # Errors
    /// `Corrupt` when the bytes end.
    fn read(bytes: &mut FieldReader<'_, '_>) -> Result<Self>;
    /// Appends a sum.
    fn write_sum(sum: NumericSum, out: &mut Vec<u8>);
    /// Reads a sum.
    ///
    /// # Errors
    /// `Corrupt` when the bytes end.
    fn read_sum(bytes: &mut FieldReader<'_, '_>) -> Result<NumericSum>;
}

/// Where directory fields are read from.
#[derive(Debug)]
pub(crate) struct FieldReader<'r, 'a>(pub(crate) &'r mut ByteReader<'a>);

impl Number for i64 {
    const ZERO: Self = 0;

    fn bits(self) -> u64 {
        self.cast_unsigned()
    }

    fn is_nan(self) -> bool {
        false
    }

    fn text(self) -> String {
        self.to_string()
    }

    fn descends(self, next: Self) -> bool {
        next < self
    }

    type Profile<'a> = Integers<'a>;

    fn profile(values: &[Self]) -> Integers<'_> {
        Integers::of(values)
    }

    fn decode_rows(
        encoding: Encoding,
        raw: &[u8],
        count: usize,
        first: usize,
        out: &mut [Self],
    ) -> Result<()> {
        integer::decode_rows(encoding, raw, count, first, out)
    }

    fn packed(
        encoding: Encoding,
        raw: &[u8],
        count: usize,
    ) -> Result<Option<(PackedInts<'_>, f64)>> {
        match encoding {
            Encoding::Frame => Ok(integer::packed(raw, count)?.map(|ints| (ints, 1.0))),
            _ => Ok(None),
        }
    }

    fn repacked(encoding: Encoding, raw: &[u8], count: usize) -> Result<Option<Vec<u8>>> {
        match encoding {
            Encoding::Frame => integer::repacked(raw, count),
            _ => Ok(None),
        }
    }

    fn of_packed(integer: i64, _divisor: f64) -> Self {
        integer
    }

    fn stats(values: &[Self], nulls: Option<&[u64]>) -> NumericStats<Self> {
        // In two halves, so that a block is added up in 64-bit lanes without overflowing.
        let (mut low, mut high) = (0_u64, 0_i64);
        for_each_present(values, nulls, |value| {
            low += value.cast_unsigned() & u64::from(u32::MAX);
            high += value >> 32;
        });
        let sum = (i128::from(high) << 32) + i128::from(low);
        let sum = i64::try_from(sum).ok().map(NumericSum::Long);
        NumericStats { sum, ..Self::bounds(values, nulls) }
    }

    fn bounds(values: &[Self], nulls: Option<&[u64]>) -> NumericStats<Self> {
        let (mut min, mut max) = (i64::MAX, i64::MIN);
        let null_count = for_each_present(values, nulls, |value| {
            min = min.min(value);
            max = max.max(value);
        });
        if null_count as usize == values.len() {
            (min, max) = (0, 0);
        }
        NumericStats { null_count, min, max, sum: None }
    }

    fn write(self, out: &mut Vec<u8>) {
        out.put_zigzag(self);
    }

    fn read(bytes: &mut FieldReader<'_, '_>) -> Result<Self> {
        bytes.0.zigzag()
    }

    #[expect(clippy::cast_possible_truncation, reason = "a LONG column has no sum of doubles")]
    fn write_sum(sum: NumericSum, out: &mut Vec<u8>) {
        match sum {
            NumericSum::Long(sum) => out.put_zigzag(sum),
            NumericSum::Double(sum) => out.put_zigzag(sum as i64),
        }
    }

    fn read_sum(bytes: &mut FieldReader<'_, '_>) -> Result<NumericSum> {
        bytes.0.zigzag().map(NumericSum::Long)
    }
}

macro_rules! impl_float {
    ($float:ty) => {
        impl Number for $float {
            const ZERO: Self = 0.0;

            fn bits(self) -> u64 {
                Float::bits(self)
            }

            fn is_nan(self) -> bool {
                <$float>::is_nan(self)
            }

            fn text(self) -> String {
                self.to_string()
            }

            fn descends(self, next: Self) -> bool {
                next < self
            }

            type Profile<'a> = Floats<'a, $float>;

            fn profile(values: &[Self]) -> Floats<'_, $float> {
                Floats::of(values)
            }

            fn decode_rows(
                encoding: Encoding,
                raw: &[u8],
                count: usize,
                first: usize,
                out: &mut [Self],
            ) -> Result<()> {
                float::decode_rows(encoding, raw, count, first, out)
            }

            fn packed(
                encoding: Encoding,
                raw: &[u8],
                count: usize,
            ) -> Result<Option<(PackedInts<'_>, f64)>> {
                match encoding {
                    Encoding::Decimal => float::packed::<Self>(raw, count),
                    _ => Ok(None),
                }
            }

            /// A FLOAT may be smaller plain.
            fn repacked(encoding: Encoding, raw: &[u8], count: usize) -> Result<Option<Vec<u8>>> {
                match encoding {
                    Encoding::Decimal if size_of::<Self>() == 8 => {
                        float::repacked::<Self>(raw, count)
                    }
                    _ => Ok(None),
                }
            }

            fn of_packed(integer: i64, divisor: f64) -> Self {
                Float::from_f64(integer as f64 / divisor)
            }

            fn stats(values: &[Self], nulls: Option<&[u64]>) -> NumericStats<Self> {
                let mut sum = 0.0;
                for_each_present(values, nulls, |value| sum += Float::to_f64(value));
                let sum = Some(NumericSum::Double(sum));
                NumericStats { sum, ..Self::bounds(values, nulls) }
            }

            fn bounds(values: &[Self], nulls: Option<&[u64]>) -> NumericStats<Self> {
                float_bounds(values, nulls, <$float>::NAN)
            }

            fn write(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn read(bytes: &mut FieldReader<'_, '_>) -> Result<Self> {
                Ok(Self::from_le_bytes(bytes.0.array()?))
            }

            fn write_sum(sum: NumericSum, out: &mut Vec<u8>) {
                let sum = match sum {
                    NumericSum::Long(sum) => sum as f64,
                    NumericSum::Double(sum) => sum,
                };
                out.extend_from_slice(&sum.to_le_bytes());
            }

            fn read_sum(bytes: &mut FieldReader<'_, '_>) -> Result<NumericSum> {
                Ok(NumericSum::Double(f64::from_le_bytes(bytes.0.array()?)))
            }
        }
    };
}

impl_float!(f32);
impl_float!(f64);

/// Minimum and maximum stay NaN when there is nothing but NaN: no comparison then prunes the block.
fn float_bounds<F: Float + PartialOrd>(
    values: &[F],
    nulls: Option<&[u64]>,
    nan: F,
) -> NumericStats<F> {
    let (mut min, mut max) = (nan, nan);
    let null_count = for_each_present(values, nulls, |value| {
        if value < min || min.to_f64().is_nan() {
            min = value;
        }
        if value > max || max.to_f64().is_nan() {
            max = value;
        }
    });
    NumericStats { null_count, min, max, sum: None }
}

/// Visits the values that are not null, in row order, and counts the others.
fn for_each_present<T: Copy>(values: &[T], nulls: Option<&[u64]>, mut visit: impl FnMut(T)) -> u32 {
    let Some(words) = nulls else {
        values.iter().for_each(|value| visit(*value));
        return 0;
    };
    let mut null_count = 0;
    for (values, word) in values.chunks(64).zip(words) {
        for (bit, value) in values.iter().enumerate() {
            if word >> bit & 1 == 1 {
                null_count += 1;
            } else {
                visit(*value);
            }
        }
    }
    null_count
}

/// Checks the statistics kept of a block against its values. The sum is left out where a scan is
/// about to compute it anyway.
pub(crate) fn check_stats<T: Number>(
    values: &[T],
    nulls: Option<&[u64]>,
    kept: &NumericStats<T>,
    with_sum: bool,
) -> Result<()> {
    let found = match with_sum {
        true => T::stats(values, nulls),
        false => T::bounds(values, nulls),
    };
    let all_null = found.null_count as usize == values.len();
    let bounds = |stats: &NumericStats<T>| (stats.min.bits(), stats.max.bits());
    let same = found.null_count == kept.null_count
        && (all_null || bounds(&found) == bounds(kept))
        && (!with_sum || sum_bits(found.sum) == sum_bits(kept.sum));
    match same {
        true => Ok(()),
        false => Err(corrupt("the statistics of a block do not match its values")),
    }
}

fn sum_bits(sum: Option<NumericSum>) -> Option<u64> {
    sum.map(|sum| match sum {
        NumericSum::Long(sum) => sum.cast_unsigned(),
        NumericSum::Double(sum) => sum.to_bits(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_skip_nulls_and_nan() {
        let stats = f64::stats(&[f64::NAN, 3.0, 1.0, 9.0], Some(&[0b1000]));
        assert_eq!((stats.null_count, stats.min, stats.max), (1, 1.0, 3.0));
        let longs = i64::stats(&[i64::MAX, 5, -5], Some(&[1]));
        assert_eq!((longs.min, longs.max, longs.sum), (-5, 5, Some(NumericSum::Long(0))));
        assert_eq!(i64::stats(&[i64::MAX, 1], None).sum, None);
        assert!(f32::stats(&[f32::NAN], None).min.is_nan());
    }
}
