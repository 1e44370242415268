//! Numbers made narrower where something else bounds them. What is out of bounds all the same becomes
//! the largest number, which is beyond every row and every file, and never some other one.

/// A count or a place among the rows, ids or bytes of a segment, of which there are fewer than 2^32:
/// writers refuse more.
#[inline]
#[must_use]
pub fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// An offset in a file, or a length, as a place in memory.
#[inline]
#[must_use]
pub fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// A row of a block, of which there are at most 2^16.
#[inline]
#[must_use]
pub fn row_of_block(row: usize) -> u16 {
    u16::try_from(row).unwrap_or(u16::MAX)
}

/// The FLOAT that is nearest to a DOUBLE.
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "losing digits is what it is for")]
pub fn to_float(value: f64) -> f32 {
    value as f32
}

/// The LONG that is nearest to a DOUBLE: the largest or the least one beyond those, 0 for NaN.
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "a cast stops at the ends, as is wanted")]
pub fn rounded(value: f64) -> i64 {
    value.round() as i64
}
