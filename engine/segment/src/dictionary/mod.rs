//! Sorted string dictionaries.
//!
//! Values are front-coded in buckets of [`BUCKET_VALUES`]; buckets are gathered in pages of about
//! [`PAGE_BYTES`], the unit of codec and checksum. An index piece holds, for each page, its number
//! of values and a separator: the shortest text that is greater than the last value before the page
//! and not greater than its first. A lookup searches separators, then bucket heads, then a bucket.
//!
//! A page is the width of its lengths in bytes, for each value the number of bytes it shares with its
//! predecessor (none at the start of a bucket), for each the number of further bytes, then those.

pub(crate) mod page;
pub(crate) mod reader;
mod search;
mod sort;
pub(crate) mod table;
pub(crate) mod texts;
pub(crate) mod writer;

/// Values in a bucket.
pub(crate) const BUCKET_VALUES: usize = 32;

/// Raw bytes after which a page is closed.
pub(crate) const PAGE_BYTES: usize = 16 << 10;
