//! The values that groups are ranked by, as they are added up.

use henge_vector::{Column, optional};

use crate::ranking::Number;

/// Part of sums of doubles that the order of adding may make a difference of.
const ROUNDING: f64 = 1e-9;

/// A value, the larger the better.
pub(super) trait Measure: Copy + PartialOrd {
    const ZERO: Self;
    /// No value is below.
    const LEAST: Self;

    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    /// What sums of values as large as this may be off by.
    fn margin(self) -> Self;
    fn size(self) -> Self;
    /// False for NaN and infinities.
    fn is_plain(self) -> bool;
    /// `None` for a value of the other type, and for one that nothing can be told of.
    fn of(number: Number) -> Option<Self>;
    /// The value where it has this form.
    fn number(self) -> Option<Number>;
    /// The values of an aggregator; `None` is null.
    fn values(states: &Column, is_smallest_first: bool) -> Vec<Option<Self>>;
}

/// Sums of longs do not overflow.
impl Measure for i128 {
    const ZERO: Self = 0;
    const LEAST: Self = Self::MIN / 4;

    fn plus(self, other: Self) -> Self {
        self + other
    }

    fn minus(self, other: Self) -> Self {
        self - other
    }

    fn margin(self) -> Self {
        0
    }

    fn size(self) -> Self {
        self.abs()
    }

    fn is_plain(self) -> bool {
        true
    }

    fn of(number: Number) -> Option<Self> {
        match number {
            Number::Long(value) => Some(value.into()),
            Number::Double(_) => None,
        }
    }

    fn number(self) -> Option<Number> {
        i64::try_from(self).ok().map(Number::Long)
    }

    fn values(states: &Column, is_smallest_first: bool) -> Vec<Option<Self>> {
        let Column::Long(values) = states else { return Vec::new() };
        let turned = |value: i64| Self::from(if is_smallest_first { !value } else { value });
        (0..values.len()).map(|row| optional(values, row).map(turned)).collect()
    }
}

impl Measure for f64 {
    const ZERO: Self = 0.0;
    const LEAST: Self = Self::NEG_INFINITY;

    fn plus(self, other: Self) -> Self {
        self + other
    }

    fn minus(self, other: Self) -> Self {
        self - other
    }

    fn margin(self) -> Self {
        self.abs() * ROUNDING
    }

    fn size(self) -> Self {
        self.abs()
    }

    fn is_plain(self) -> bool {
        self.is_finite()
    }

    fn of(number: Number) -> Option<Self> {
        match number {
            Number::Double(value) if value.is_finite() => Some(value),
            Number::Double(_) | Number::Long(_) => None,
        }
    }

    fn number(self) -> Option<Number> {
        self.is_finite().then_some(Number::Double(self))
    }

    fn values(states: &Column, is_smallest_first: bool) -> Vec<Option<Self>> {
        let Column::Double(values) = states else { return Vec::new() };
        let turned = |value: Self| if is_smallest_first { -value } else { value };
        (0..values.len()).map(|row| optional(values, row).map(turned)).collect()
    }
}
