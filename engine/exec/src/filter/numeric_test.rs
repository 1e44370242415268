//! Tests of numbers, in the number type of the column that is tested.

use henge_expr::number::{parse_double, parse_long};
use henge_query::Literal;

use crate::column::double_key;

/// A number of a filter, exact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Long(i64),
    Double(f64),
}

impl Number {
    /// Reads text as a number.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse_long(text).map(Self::Long).or_else(|| parse_double(text).map(Self::Double))
    }

    /// The number a literal stands for.
    pub(crate) fn of_literal(literal: &Literal) -> Option<Self> {
        match literal {
            Literal::Long(value) => Some(Self::Long(*value)),
            Literal::Double(value) => Some(Self::Double(*value)),
            Literal::String(text) => Self::parse(text),
        }
    }
}

/// A value type of numeric columns.
pub(crate) trait NumericValue: Copy + PartialOrd + std::fmt::Debug + 'static {
    /// Smallest and largest value.
    const ENDS: (Self, Self);
    /// False when statistics overlook values (NaN): then they cannot say that all values match.
    const STATS_SEE_ALL: bool;
    /// The value that equals the number, if there is one.
    fn equal_to(number: Number) -> Option<Self>;
    /// The smallest value not below (strict: above) the number.
    fn at_least(number: Number, strict: bool) -> Option<Self>;
    /// The largest value not above (strict: below) the number.
    fn at_most(number: Number, strict: bool) -> Option<Self>;
    /// True when [`NumericValue::of_packed`] is what decoding gives.
    const PACKED_IS_EXACT: bool;
    /// The value of a packed integer.
    fn of_packed(integer: i64, divisor: f64) -> Self;
    /// Equal values have equal keys.
    fn key(self) -> u64;
}

const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;

impl NumericValue for i64 {
    const ENDS: (Self, Self) = (i64::MIN, i64::MAX);
    const STATS_SEE_ALL: bool = true;
    const PACKED_IS_EXACT: bool = true;

    fn of_packed(integer: i64, _: f64) -> Self {
        integer
    }

    fn equal_to(number: Number) -> Option<Self> {
        match number {
            Number::Long(value) => Some(value),
            Number::Double(value) => {
                let whole = value.trunc() == value && (-TWO_POW_63..TWO_POW_63).contains(&value);
                whole.then_some(value as i64)
            }
        }
    }

    fn at_least(number: Number, strict: bool) -> Option<Self> {
        match number {
            Number::Long(value) if strict => value.checked_add(1),
            Number::Long(value) => Some(value),
            Number::Double(value) if value.is_nan() || value >= TWO_POW_63 => None,
            Number::Double(value) if value < -TWO_POW_63 => Some(i64::MIN),
            Number::Double(value) => {
                let up = value.ceil();
                let next = if strict && up == value { up + 1.0 } else { up };
                (next < TWO_POW_63).then_some(next as i64)
            }
        }
    }

    fn at_most(number: Number, strict: bool) -> Option<Self> {
        match number {
            Number::Long(value) if strict => value.checked_sub(1),
            Number::Long(value) => Some(value),
            Number::Double(value) if value.is_nan() || value < -TWO_POW_63 => None,
            Number::Double(value) if value >= TWO_POW_63 => Some(i64::MAX),
            Number::Double(value) => {
                let down = value.floor() as i64;
                if strict && value.floor() == value { down.checked_sub(1) } else { Some(down) }
            }
        }
    }

    fn key(self) -> u64 {
        self as u64
    }
}

macro_rules! float_value {
    ($float:ty, $exact:literal) => {
        impl NumericValue for $float {
            const ENDS: (Self, Self) = (<$float>::NEG_INFINITY, <$float>::INFINITY);
            const STATS_SEE_ALL: bool = false;
            const PACKED_IS_EXACT: bool = $exact;

            fn of_packed(integer: i64, divisor: f64) -> Self {
                (integer as f64 / divisor) as $float
            }

            fn equal_to(number: Number) -> Option<Self> {
                Some(match number {
                    Number::Long(value) => value as $float,
                    Number::Double(value) => value as $float,
                })
            }

            fn at_least(number: Number, strict: bool) -> Option<Self> {
                let value = Self::equal_to(number).filter(|value| !value.is_nan())?;
                match strict {
                    true if value == <$float>::INFINITY => None,
                    true => Some(value.next_up()),
                    false => Some(value),
                }
            }

            fn at_most(number: Number, strict: bool) -> Option<Self> {
                let value = Self::equal_to(number).filter(|value| !value.is_nan())?;
                match strict {
                    true if value == <$float>::NEG_INFINITY => None,
                    true => Some(value.next_down()),
                    false => Some(value),
                }
            }

            fn key(self) -> u64 {
                double_key(f64::from(self))
            }
        }
    };
}

// A float is rounded once more on its way to the column.
float_value!(f32, false);
float_value!(f64, true);

/// A test of a value that is not null. A NaN is in no range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NumericTest<T> {
    Nothing,
    /// Every value.
    Everything,
    /// From the first to the second, both included.
    Range(T, T),
    /// Any of these ranges: ascending, apart.
    Ranges(Vec<(T, T)>),
    /// Any of the values with these keys, ascending.
    OneOf(Vec<u64>),
}

impl<T: NumericValue> NumericTest<T> {
    /// Equality with a number.
    pub(crate) fn equals(number: Option<Number>) -> Self {
        Self::one_of(number.into_iter())
    }

    /// Equality with any of several numbers.
    pub(crate) fn one_of(numbers: impl Iterator<Item = Number>) -> Self {
        let values: Vec<T> = numbers.filter_map(T::equal_to).collect();
        match values.as_slice() {
            [] => Self::Nothing,
            #[allow(clippy::eq_op, reason = "a NaN differs from itself")]
            [value] if value == value => Self::Range(*value, *value),
            _ => {
                let mut keys: Vec<u64> = values.into_iter().map(T::key).collect();
                keys.sort_unstable();
                keys.dedup();
                Self::OneOf(keys)
            }
        }
    }

    /// Between two ends, each with its strictness.
    pub(crate) fn between(lower: Option<(Number, bool)>, upper: Option<(Number, bool)>) -> Self {
        if lower.is_none() && upper.is_none() {
            return Self::Everything;
        }
        let low = lower.map_or(Some(T::ENDS.0), |(value, strict)| T::at_least(value, strict));
        let high = upper.map_or(Some(T::ENDS.1), |(value, strict)| T::at_most(value, strict));
        match (low, high) {
            (Some(low), Some(high)) if low <= high => Self::Range(low, high),
            _ => Self::Nothing,
        }
    }

    pub(crate) fn matches(&self, value: T) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Range(low, high) => value >= *low && value <= *high,
            Self::Ranges(ranges) => in_ranges(ranges, value),
            Self::OneOf(keys) => keys.binary_search(&value.key()).is_ok(),
        }
    }

    /// What the test says of every value between two, when it says the same of all of them.
    pub(crate) fn of_all_between(&self, min: T, max: T) -> Option<bool> {
        match self {
            Self::Nothing => Some(false),
            Self::Everything => Some(true),
            Self::Range(low, high) if max < *low || min > *high => Some(false),
            Self::Range(low, high) if min >= *low && max <= *high => Some(true),
            Self::Ranges(ranges) => {
                let next = ranges.get(ranges.partition_point(|(_, high)| *high < min));
                match next {
                    None => Some(false),
                    Some((low, _)) if *low > max => Some(false),
                    Some((low, high)) if min >= *low && max <= *high => Some(true),
                    Some(_) => None,
                }
            }
            Self::Range(..) | Self::OneOf(_) => None,
        }
    }
}

/// True when the value is in one of the ranges.
pub(crate) fn in_ranges<T: Copy + PartialOrd>(ranges: &[(T, T)], value: T) -> bool {
    let next = ranges.get(ranges.partition_point(|(_, high)| *high < value));
    next.is_some_and(|(low, high)| value >= *low && value <= *high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_round_towards_the_inside() {
        let test = NumericTest::<i64>::between(
            Some((Number::Double(1.5), false)),
            Some((Number::Double(4.0), true)),
        );
        assert_eq!(test, NumericTest::Range(2, 3));
        let test = NumericTest::<i64>::between(Some((Number::Long(i64::MAX), true)), None);
        assert_eq!(test, NumericTest::Nothing);
        assert_eq!(NumericTest::<i64>::equals(Some(Number::Double(1.5))), NumericTest::Nothing);
    }

    #[test]
    fn nan_is_in_no_range_but_can_be_listed() {
        let range = NumericTest::<f64>::between(Some((Number::Long(0), false)), None);
        assert!(!range.matches(f64::NAN));
        let set = NumericTest::<f64>::equals(Some(Number::Double(f64::NAN)));
        assert!(set.matches(f64::NAN) && !set.matches(0.0));
    }

    #[test]
    fn ranges_decide_whole_blocks() {
        let test = NumericTest::Ranges(vec![(10i64, 19), (30, 39)]);
        assert_eq!(test.of_all_between(12, 15), Some(true));
        assert_eq!(test.of_all_between(20, 29), Some(false));
        assert_eq!(test.of_all_between(40, 50), Some(false));
        assert_eq!(test.of_all_between(15, 25), None);
        assert!(test.matches(30) && !test.matches(29) && !test.matches(40));
    }
}
