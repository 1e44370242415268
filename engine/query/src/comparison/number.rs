//! Numbers as filters and texts spell them, and their one order.
//!
//! No number passes through a double on its way to a comparison unless it is one:
//!
//! - integers, decimals and doubles compare by value with integers (`2^53 + 1` is not `2^53`),
//! - decimals compare digit by digit with each other,
//! - a decimal compared with a double is read as the nearest double, as the double was once: `0.1`
//!   is `0.1`,
//! - NaN equals itself and comes behind everything, `-0.0` is `0.0`.

use std::cmp::Ordering;

use henge_expr::number::{parse_double, parse_long};

use super::decimal::{Decimal, Whole};
use crate::filter::Literal;

/// A number, exact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number<'a> {
    /// A whole number in the range of LONG.
    Long(i64),
    /// A double, also NaN and the infinities.
    Double(f64),
    /// Any other decimal text.
    Decimal(Decimal<'a>),
}

impl<'a> Number<'a> {
    /// Reads text as a number.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if let Some(long) = parse_long(text) {
            return Some(Self::Long(long));
        }
        let double = parse_double(text)?;
        Some(match text.ends_with(['N', 'y']) {
            true => Self::Double(double),
            false => Self::Decimal(Decimal::new(text, double)),
        })
    }

    /// The number a literal stands for.
    #[must_use]
    pub fn of_literal(literal: &'a Literal) -> Option<Self> {
        match literal {
            Literal::Long(value) => Some(Self::Long(*value)),
            Literal::Double(value) => Some(Self::Double(*value)),
            Literal::String(text) => Self::parse(text),
        }
    }

    /// Compares by value.
    #[must_use]
    pub fn compare(self, other: Number<'_>) -> Ordering {
        match (self, other) {
            (Self::Long(a), Number::Long(b)) => a.cmp(&b),
            (Self::Long(a), Number::Double(b)) => compare_long_double(a, b),
            (Self::Long(a), Number::Decimal(b)) => b.compare_long(a).reverse(),
            (Self::Double(a), Number::Long(b)) => compare_long_double(b, a).reverse(),
            (Self::Double(a), Number::Double(b)) => compare_doubles(a, b),
            (Self::Double(a), Number::Decimal(b)) => compare_double_decimal(a, b),
            (Self::Decimal(a), Number::Long(b)) => a.compare_long(b),
            (Self::Decimal(a), Number::Double(b)) => compare_double_decimal(b, a).reverse(),
            (Self::Decimal(a), Number::Decimal(b)) => a.compare(b),
        }
    }

    /// Where the number lies among the values of LONG.
    pub(super) fn whole(self) -> Whole {
        const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;
        match self {
            Self::Long(value) => Whole::At(value, false),
            // NaN comes behind everything.
            Self::Double(value) if value.is_nan() || value >= TWO_POW_63 => Whole::Above,
            Self::Double(value) if value < -TWO_POW_63 => Whole::Below,
            Self::Double(value) => {
                let floor = value.floor();
                Whole::At(floor as i64, floor != value)
            }
            Self::Decimal(decimal) => decimal.whole(),
        }
    }
}

/// The order of doubles: NaN last and equal to itself, `-0.0` as `0.0`.
#[must_use]
pub fn compare_doubles(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

/// Compares without rounding the integer.
#[must_use]
pub fn compare_long_double(long: i64, double: f64) -> Ordering {
    match Number::Double(double).whole() {
        Whole::Below => Ordering::Greater,
        Whole::Above => Ordering::Less,
        Whole::At(floor, fraction) => {
            long.cmp(&floor).then(if fraction { Ordering::Less } else { Ordering::Equal })
        }
    }
}

fn compare_double_decimal(double: f64, decimal: Decimal<'_>) -> Ordering {
    let order = compare_doubles(double, decimal.nearest());
    // A decimal beyond the range of doubles is still finite.
    if order.is_eq() && double.is_infinite() { double.total_cmp(&0.0) } else { order }
}
