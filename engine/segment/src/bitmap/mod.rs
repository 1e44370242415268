//! Bitmap indexes: the rows of each dictionary id, readable one id at a time.
//!
//! Ids are gathered in buckets of up to [`BUCKET_IDS`] ids and [`BUCKET_ROWS`] rows, the unit of
//! codec and checksum; an id with more rows has a bucket of its own, and so has null. A bucket takes
//! the smaller of two layouts:
//!
//! - *mixed*: per id a length and a kind, then for each the differences of its rows, or a roaring
//!   bitmap in the portable format;
//! - *lists*: for ids with few rows each, as in columns that are nearly unique: three bit-packed
//!   streams, the number of rows of each id, the first row of each, and all further differences.
//!   A unique column of five million rows takes 23 bits a value this way.
//!
//! Every column is indexed unless the writer is told otherwise.

pub(crate) mod bucket;
pub(crate) mod reader;
pub(crate) mod writer;

/// Most ids in a bucket.
pub(crate) const BUCKET_IDS: usize = 512;

/// Most rows in a bucket of several ids.
pub(crate) const BUCKET_ROWS: usize = 4096;
