//! Tests of stored numbers: a comparison with literals turned, once, into the tightest range (or
//! set) of the column's own type, which loops over blocks then apply.

use henge_types::number::equality_bits;
use std::cmp::Ordering;

use super::decimal::Whole;
use super::number::{Number, compare_doubles, compare_long_double};

/// A value type of numeric columns. FLOAT reads literals as FLOAT, as it read its values (`0.1` is
/// `0.1`); DOUBLE reads decimals as DOUBLE and compares integers exactly; LONG compares all exactly.
pub trait NumericValue: Copy + PartialOrd + std::fmt::Debug + 'static {
    /// The first value in the order.
    const FIRST: Self;
    /// The last value in the order; NaN where there is one.
    const LAST: Self;
    /// False for NaN, which no range with an end holds.
    fn is_ordinary(self) -> bool;
    /// The order of values, NaN last and equal to itself, zeros equal.
    fn order(self, other: Self) -> Ordering;
    /// The value that equals the number, if there is one.
    fn equal_to(number: Number<'_>) -> Option<Self>;
    /// The first value not below (strict: above) the number.
    fn at_least(number: Number<'_>, strict: bool) -> Option<Self>;
    /// The last value not above (strict: below) the number.
    fn at_most(number: Number<'_>, strict: bool) -> Option<Self>;
    /// Equal values have equal keys.
    fn key(self) -> u64;
}

impl NumericValue for i64 {
    const FIRST: Self = i64::MIN;
    const LAST: Self = i64::MAX;

    fn is_ordinary(self) -> bool {
        true
    }

    fn order(self, other: Self) -> Ordering {
        self.cmp(&other)
    }

    fn equal_to(number: Number<'_>) -> Option<Self> {
        match number.whole() {
            Whole::At(value, false) => Some(value),
            _ => None,
        }
    }

    fn at_least(number: Number<'_>, strict: bool) -> Option<Self> {
        match number.whole() {
            Whole::Below => Some(i64::MIN),
            Whole::At(value, fraction) if fraction || strict => value.checked_add(1),
            Whole::At(value, _) => Some(value),
            Whole::Above => None,
        }
    }

    fn at_most(number: Number<'_>, strict: bool) -> Option<Self> {
        match number.whole() {
            Whole::Below => None,
            Whole::At(value, false) if strict => value.checked_sub(1),
            Whole::At(value, _) => Some(value),
            Whole::Above => Some(i64::MAX),
        }
    }

    fn key(self) -> u64 {
        self as u64
    }
}

/// How a whole number in range lies beside the value of a type that is next to it.
trait Rounded: Sized {
    fn of_long(long: i64) -> (Self, Ordering);
}

impl Rounded for f64 {
    fn of_long(long: i64) -> (Self, Ordering) {
        let nearest = long as f64;
        (nearest, compare_long_double(long, nearest))
    }
}

impl Rounded for f32 {
    fn of_long(long: i64) -> (Self, Ordering) {
        (long as f32, Ordering::Equal)
    }
}

macro_rules! float_value {
    ($float:ty) => {
        impl NumericValue for $float {
            const FIRST: Self = <$float>::NEG_INFINITY;
            const LAST: Self = <$float>::NAN;

            fn is_ordinary(self) -> bool {
                !self.is_nan()
            }

            fn order(self, other: Self) -> Ordering {
                compare_doubles(f64::from(self), f64::from(other))
            }

            fn equal_to(number: Number<'_>) -> Option<Self> {
                let (value, order) = beside::<$float>(number, |double| double as $float);
                order.is_eq().then_some(value)
            }

            fn at_least(number: Number<'_>, strict: bool) -> Option<Self> {
                let (value, order) = beside::<$float>(number, |double| double as $float);
                match order {
                    Ordering::Less => Some(value),
                    Ordering::Equal if !strict => Some(value),
                    _ if value.is_nan() => None,
                    _ if value == <$float>::INFINITY => Some(<$float>::NAN),
                    _ => Some(value.next_up()),
                }
            }

            fn at_most(number: Number<'_>, strict: bool) -> Option<Self> {
                let (value, order) = beside::<$float>(number, |double| double as $float);
                match order {
                    Ordering::Greater => Some(value),
                    Ordering::Equal if !strict => Some(value),
                    _ if value.is_nan() => Some(<$float>::INFINITY),
                    _ if value == <$float>::NEG_INFINITY => None,
                    _ => Some(value.next_down()),
                }
            }

            fn key(self) -> u64 {
                equality_bits(f64::from(self))
            }
        }
    };
}

float_value!(f32);
float_value!(f64);

/// The value next to a number, and where the number lies beside it.
fn beside<T: Rounded + NumericValue + Into<f64>>(
    number: Number<'_>,
    round: impl Fn(f64) -> T,
) -> (T, Ordering) {
    let double = match number {
        Number::Long(long) => return T::of_long(long),
        Number::Double(double) if !double.is_finite() => return (round(double), Ordering::Equal),
        Number::Double(double) => double,
        Number::Decimal(decimal) => decimal.nearest(),
    };
    // A number that is finite is none of the infinities, however large.
    let value = round(double);
    let order = match value.into() {
        f64::INFINITY => Ordering::Less,
        f64::NEG_INFINITY => Ordering::Greater,
        _ => Ordering::Equal,
    };
    (value, order)
}

/// A test of a value that is not null.
#[derive(Debug, Clone, PartialEq)]
pub enum NumericTest<T> {
    /// No value.
    Nothing,
    /// Every value.
    Everything,
    /// From the first to the second, both included; no NaN.
    Range(T, T),
    /// The value and all behind it, NaN included. Only of types that have a NaN.
    From(T),
    /// Any of these ranges: ascending, apart; no NaN.
    Ranges(Vec<(T, T)>),
    /// Any of the values with these keys, ascending.
    OneOf(Vec<u64>),
}

impl<T: NumericValue> NumericTest<T> {
    /// Equality with any of several numbers.
    pub fn one_of<'n>(numbers: impl Iterator<Item = Number<'n>>) -> Self {
        Self::of_values(numbers.filter_map(T::equal_to).collect())
    }

    fn of_values(values: Vec<T>) -> Self {
        match values.as_slice() {
            [] => Self::Nothing,
            [value] if value.is_ordinary() => Self::Range(*value, *value),
            _ => {
                let mut keys: Vec<u64> = values.into_iter().map(T::key).collect();
                keys.sort_unstable();
                keys.dedup();
                Self::OneOf(keys)
            }
        }
    }

    /// Between two ends, each with its strictness.
    #[must_use]
    pub fn between(lower: Option<(Number<'_>, bool)>, upper: Option<(Number<'_>, bool)>) -> Self {
        let low = lower.map_or(Some(T::FIRST), |(number, strict)| T::at_least(number, strict));
        let high = upper.map_or(Some(T::LAST), |(number, strict)| T::at_most(number, strict));
        let (Some(low), Some(high)) = (low, high) else { return Self::Nothing };
        if low.order(high).is_gt() {
            Self::Nothing
        } else if low.order(T::FIRST).is_eq() && high.order(T::LAST).is_eq() {
            Self::Everything
        } else if high.is_ordinary() {
            Self::Range(low, high)
        } else if low.is_ordinary() {
            Self::From(low)
        } else {
            Self::of_values(vec![low])
        }
    }

    /// True when the value passes.
    pub fn matches(&self, value: T) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Range(low, high) => value >= *low && value <= *high,
            Self::From(low) => not_below(value, *low),
            Self::Ranges(ranges) => in_ranges(ranges, value),
            Self::OneOf(keys) => keys.binary_search(&value.key()).is_ok(),
        }
    }

    /// What the test says of every value between two that are no NaN, when it says the same of all
    /// of them.
    pub fn of_all_between(&self, min: T, max: T) -> Option<bool> {
        match self {
            Self::Nothing => Some(false),
            Self::Everything => Some(true),
            Self::Range(low, high) if max < *low || min > *high => Some(false),
            Self::Range(low, high) if min >= *low && max <= *high => Some(true),
            Self::From(low) if max < *low => Some(false),
            Self::From(low) if min >= *low => Some(true),
            Self::Ranges(ranges) => {
                let next = ranges.get(ranges.partition_point(|(_, high)| *high < min));
                match next {
                    None => Some(false),
                    Some((low, _)) if *low > max => Some(false),
                    Some((low, high)) if min >= *low && max <= *high => Some(true),
                    Some(_) => None,
                }
            }
            Self::Range(..) | Self::From(_) | Self::OneOf(_) => None,
        }
    }
}

/// True for what is at or behind `low`, NaN included.
#[inline]
#[allow(clippy::neg_cmp_op_on_partial_ord, reason = "a NaN is below nothing")]
pub fn not_below<T: Copy + PartialOrd>(value: T, low: T) -> bool {
    !(value < low)
}

/// True when the value is in one of the ranges.
pub fn in_ranges<T: Copy + PartialOrd>(ranges: &[(T, T)], value: T) -> bool {
    let next = ranges.get(ranges.partition_point(|(_, high)| *high < value));
    next.is_some_and(|(low, high)| value >= *low && value <= *high)
}
