//! What block kernels need of numbers beyond their comparison.

use henge_query::comparison::NumericValue;
use henge_segment::simd::{Level, marked};
use henge_segment::{NumericStats, NumericSum};

/// A value type of stored columns.
pub(crate) trait BlockValue: NumericValue {
    /// The last value that is no NaN.
    const GREATEST: Self;
    /// True when [`BlockValue::of_packed`] is what decoding gives.
    const PACKED_IS_EXACT: bool;
    /// The value of a packed integer.
    fn of_packed(integer: i64, divisor: f64) -> Self;
    /// The value of a key; `None` where several values may have it.
    fn of_key(key: u64) -> Option<Self>;
    /// Marks the values between two ends, both included, besides those that are marked already.
    fn mark_between(values: &[Self], ends: (Self, Self), marks: &mut [u64]);
    /// True when the block may hold a NaN, which its smallest and largest value do not show.
    fn may_hide_nan(stats: &NumericStats<Self>) -> bool;
}

impl BlockValue for i64 {
    const GREATEST: Self = i64::MAX;
    const PACKED_IS_EXACT: bool = true;

    fn of_packed(integer: i64, _: f64) -> Self {
        integer
    }

    fn of_key(key: u64) -> Option<Self> {
        Some(key.cast_signed())
    }

    fn mark_between(values: &[Self], ends: (Self, Self), marks: &mut [u64]) {
        marked::mark_longs_between(Level::best(), values, ends, marks);
    }

    fn may_hide_nan(_: &NumericStats<Self>) -> bool {
        false
    }
}

macro_rules! float_value {
    ($float:ty, $exact:literal, $mark_between:path) => {
        impl BlockValue for $float {
            const GREATEST: Self = <$float>::INFINITY;
            const PACKED_IS_EXACT: bool = $exact;

            fn of_packed(integer: i64, divisor: f64) -> Self {
                (integer as f64 / divisor) as $float
            }

            fn of_key(_: u64) -> Option<Self> {
                None
            }

            fn mark_between(values: &[Self], ends: (Self, Self), marks: &mut [u64]) {
                $mark_between(Level::best(), values, ends, marks);
            }

            /// A NaN makes the sum one.
            fn may_hide_nan(stats: &NumericStats<Self>) -> bool {
                !matches!(stats.sum, Some(NumericSum::Double(sum)) if !sum.is_nan())
            }
        }
    };
}

// A float is rounded once more on its way to the column.
float_value!(f32, false, marked::mark_floats_between);
float_value!(f64, true, marked::mark_doubles_between);
