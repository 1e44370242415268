//! What block kernels need of numbers beyond their comparison.

use henge_query::comparison::NumericValue;
use henge_segment::{NumericStats, NumericSum};

/// A value type of stored columns.
pub(crate) trait BlockValue: NumericValue {
    /// The last value that is no NaN.
    const GREATEST: Self;
    /// True when [`BlockValue::of_packed`] is what decoding gives.
    const PACKED_IS_EXACT: bool;
    /// The value of a packed integer.
    fn of_packed(integer: i64, divisor: f64) -> Self;
    /// True when the block may hold a NaN, which its smallest and largest value do not show.
    fn may_hide_nan(stats: &NumericStats<Self>) -> bool;
}

impl BlockValue for i64 {
    const GREATEST: Self = i64::MAX;
    const PACKED_IS_EXACT: bool = true;

    fn of_packed(integer: i64, _: f64) -> Self {
        integer
    }

    fn may_hide_nan(_: &NumericStats<Self>) -> bool {
        false
    }
}

macro_rules! float_value {
    ($float:ty, $exact:literal) => {
        impl BlockValue for $float {
            const GREATEST: Self = <$float>::INFINITY;
            const PACKED_IS_EXACT: bool = $exact;

            fn of_packed(integer: i64, divisor: f64) -> Self {
                (integer as f64 / divisor) as $float
            }

            /// A NaN makes the sum one.
            fn may_hide_nan(stats: &NumericStats<Self>) -> bool {
                !matches!(stats.sum, Some(NumericSum::Double(sum)) if !sum.is_nan())
            }
        }
    };
}

// A float is rounded once more on its way to the column.
float_value!(f32, false);
float_value!(f64, true);
