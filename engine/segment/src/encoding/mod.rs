//! Encodings of the values of one block. Each is an enum with fixed discriminants, an encoder that
//! returns candidates, and a decoder that trusts nothing.
//!
//! The kernels are plain functions over slices; loops run over fixed-size lanes so that the compiler
//! turns them into vector code.

mod decimal;
pub mod float;
pub mod ids;
pub mod integer;
pub mod residual;
mod runs;
mod shape;

use std::ops::Range;

use crate::encoding::residual::Layout;
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
    /// Dictionary ids packed as offsets from the smallest.
    IdsFrame = 11,
    /// Offsets from the smallest id as residuals, laid out for a codec.
    IdsResidual = 12,
}

/// Every encoding, for tests and reports.
pub const ALL_ENCODINGS: [Encoding; 13] = [
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
    Encoding::IdsFrame,
    Encoding::IdsResidual,
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
            Self::IdsFrame => "ids_frame",
            Self::IdsResidual => "ids_residual",
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

/// Whether a block codec is worth trying on an encoded block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodecUse {
    /// Nothing is left to compress.
    Never,
    /// Only the codec makes this encoding small.
    Always,
    /// With or without.
    Either,
}

/// One way to encode a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// How it is encoded.
    pub encoding: Encoding,
    /// How the integers of [`Encoding::Decimal`] are encoded; elsewhere the same as `encoding`.
    pub integers: Encoding,
    /// How residuals are laid out, where there are some.
    pub layout: Layout,
    /// Bytes of the encoded block, or nearly.
    pub raw_bytes: usize,
    /// See [`Candidate::weight`].
    pub weight: f32,
    /// Whether a codec is to be tried.
    pub codec: CodecUse,
}

/// A block that has been looked over once: how it can be encoded, and at what size, is known before
/// anything is encoded.
pub trait Profile {
    /// Rows of the block.
    fn rows(&self) -> usize;
    /// The encodings worth comparing for a block that is not constant.
    fn plans(&self) -> Vec<Plan>;
    /// Encodes the block, or some rows of it as a sample, by one of its plans.
    fn encode(&self, plan: &Plan, rows: Range<usize>) -> Vec<u8>;
    /// Where a codec begins anew in so many rows encoded by a plan: bytes from the end, the most
    /// first.
    fn cuts(&self, plan: &Plan, rows: usize) -> Vec<usize>;
    /// All plans carried out; `codec` adds those that only a codec makes small.
    fn candidates(&self, codec: bool) -> Vec<Candidate> {
        let plans = self.plans().into_iter().filter(|plan| codec || plan.codec != CodecUse::Always);
        plans
            .map(|plan| Candidate {
                encoding: plan.encoding,
                raw: self.encode(&plan, 0..self.rows()),
                weight: plan.weight,
            })
            .collect()
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
