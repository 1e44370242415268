//! Encodings of the values of one block. Each is an enum with fixed discriminants, an encoder that
//! returns candidates, and a decoder that trusts nothing.
//!
//! The kernels are plain functions over slices; loops run over fixed-size lanes so that the compiler
//! turns them into vector code.

pub mod bitpack;
pub mod float;
pub mod ids;
pub mod integer;
pub mod residual;
mod runs;

use std::ops::Range;

use crate::error::Result;
use crate::format::corrupt;

/// How the values of a block are written. Discriminants are part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Encoding {
    /// One value for all rows, kept in the directory; no piece.
    Constant = 0,
    /// Values as they are in memory, little-endian: read in place.
    Plain = 1,
    /// Offsets from the smallest value, in units of their greatest common divisor.
    Frame = 2,
    /// Differences of neighbours, framed the same way.
    Delta = 3,
    /// Runs of equal values.
    RunLength = 4,
    /// Floats as integers over a power of ten, with exceptions.
    Decimal = 5,
    /// Dictionary ids of one byte, read in place.
    Ids8 = 6,
    /// Dictionary ids of two bytes, read in place.
    Ids16 = 7,
    /// Dictionary ids of four bytes, read in place.
    Ids32 = 8,
    /// Dictionary ids packed to their width.
    IdsPacked = 9,
    /// Runs of equal dictionary ids.
    IdsRunLength = 10,
}

/// Every encoding, for tests and reports.
pub const ALL_ENCODINGS: [Encoding; 11] = [
    Encoding::Constant,
    Encoding::Plain,
    Encoding::Frame,
    Encoding::Delta,
    Encoding::RunLength,
    Encoding::Decimal,
    Encoding::Ids8,
    Encoding::Ids16,
    Encoding::Ids32,
    Encoding::IdsPacked,
    Encoding::IdsRunLength,
];

impl Encoding {
    pub(crate) fn from_byte(byte: u8) -> Result<Self> {
        ALL_ENCODINGS
            .get(usize::from(byte))
            .copied()
            .ok_or_else(|| corrupt(format!("unknown encoding {byte}")))
    }

    /// The name that reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Plain => "plain",
            Self::Frame => "frame",
            Self::Delta => "delta",
            Self::RunLength => "run_length",
            Self::Decimal => "decimal",
            Self::Ids8 => "ids8",
            Self::Ids16 => "ids16",
            Self::Ids32 => "ids32",
            Self::IdsPacked => "ids_packed",
            Self::IdsRunLength => "ids_run_length",
        }
    }
}

/// The rows that `length` values from `first` on are, of a block of `count`.
fn check_rows(count: usize, first: usize, length: usize) -> Result<Range<usize>> {
    match first.checked_add(length) {
        Some(end) if end <= count => Ok(first..end),
        _ => Err(corrupt(format!("{length} rows from {first} on of a block of {count}"))),
    }
}

/// An encoded block, one of several to choose from.
#[derive(Debug)]
pub struct Candidate {
    /// How it is encoded.
    pub encoding: Encoding,
    /// The encoded bytes.
    pub raw: Vec<u8>,
    /// What a stored byte costs against those of other candidates: below 1 for encodings that are
    /// faster to read.
    pub weight: f32,
}
