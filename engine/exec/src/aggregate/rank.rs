//! Doubles as whole numbers of the same order.

/// A number whose order among whole numbers is that of the double, -0.0 before 0.0. Neither 0 nor
/// `u64::MAX` for any double but NaN.
#[inline(always)]
pub(super) fn rank(value: f64) -> u64 {
    let bits = value.to_bits();
    bits ^ ((bits as i64 >> 63) as u64 | 1 << 63)
}

/// The double of a [`rank`].
#[inline(always)]
pub(super) fn of_rank(rank: u64) -> f64 {
    f64::from_bits(if rank >> 63 == 1 { rank ^ 1 << 63 } else { !rank })
}
