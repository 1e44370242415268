//! Numbers as bits that tell what is equal and what comes first, for hash tables and sorting.
//!
//! All zeros are one value and all NaNs are one value, which comes after infinity, wherever doubles
//! are grouped, counted, compared or sorted.

/// The bits of a double: equal bits are equal values.
#[inline]
#[must_use]
pub fn equality_bits(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        // Adding positive zero turns -0 into 0.
        (value + 0.0).to_bits()
    }
}

/// The double of its [`equality_bits`].
#[inline]
#[must_use]
pub fn of_equality_bits(bits: u64) -> f64 {
    f64::from_bits(bits)
}

/// Bits that sort as the doubles do and are equal where they are. Never 0, which is left for null.
#[inline]
#[must_use]
pub fn order_bits(value: f64) -> u64 {
    if value.is_nan() { u64::MAX } else { total_order_bits(value + 0.0) }
}

/// Bits that sort as the whole numbers do.
#[inline]
#[must_use]
pub fn long_order_bits(value: i64) -> u64 {
    value.cast_unsigned() ^ 1 << 63
}

/// The whole number of its [`long_order_bits`].
#[inline]
#[must_use]
pub fn of_long_order_bits(bits: u64) -> i64 {
    (bits ^ 1 << 63).cast_signed()
}

/// Bits of which each belongs to one double, so that it can be had back: -0 sorts before 0. Neither 0
/// nor `u64::MAX` for any double but NaN.
#[inline(always)]
#[must_use]
pub fn total_order_bits(value: f64) -> u64 {
    let bits = value.to_bits();
    bits ^ ((bits.cast_signed() >> 63).cast_unsigned() | 1 << 63)
}

/// The double of its [`total_order_bits`].
#[inline(always)]
#[must_use]
pub fn of_total_order_bits(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits ^ 1 << 63 } else { !bits })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;

    /// Any bits, with the special ones often.
    fn double() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            prop::sample::select(vec![
                0.0,
                -0.0,
                f64::NAN,
                -f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::MIN_POSITIVE,
                -f64::MIN_POSITIVE,
                f64::MAX,
                f64::MIN,
                1.0,
                -1.0,
            ]),
        ]
    }

    /// The order that the bits stand for, in the plainest way.
    fn compare(a: f64, b: f64) -> Ordering {
        a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
    }

    proptest! {
        #[test]
        fn h_20_zeros_are_one_nans_are_one_and_the_order_is_total(a in double(), b in double()) {
            let order = compare(a, b);
            prop_assert_eq!(order_bits(a).cmp(&order_bits(b)), order);
            prop_assert_eq!(equality_bits(a) == equality_bits(b), order.is_eq());
            prop_assert_eq!(compare(of_equality_bits(equality_bits(a)), a), Ordering::Equal);
            prop_assert!(order_bits(a) > 0);
        }

        #[test]
        fn total_order_bits_lead_back(a in double(), b in double()) {
            prop_assert_eq!(of_total_order_bits(total_order_bits(a)).to_bits(), a.to_bits());
            prop_assert_eq!(total_order_bits(a).cmp(&total_order_bits(b)), a.total_cmp(&b));
            prop_assert!(a.is_nan() || ![0, u64::MAX].contains(&total_order_bits(a)));
        }

        #[test]
        fn longs_sort_as_their_bits(a in any::<i64>(), b in any::<i64>()) {
            prop_assert_eq!(long_order_bits(a).cmp(&long_order_bits(b)), a.cmp(&b));
        }
    }
}
