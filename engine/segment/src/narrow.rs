//! Numbers made narrower where something else bounds them. What is out of bounds all the same becomes
//! the largest number, which is beyond every row and every file, and never some other one.

/// A count or a place among the rows, ids or bytes of a segment, of which there are fewer than 2^32:
/// writers refuse more.
#[inline]
pub(crate) fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// An offset in a file, or a length, as a place in memory.
#[inline]
pub(crate) fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
