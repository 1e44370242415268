//! Sketches: approximate distinct counts and quantiles behind one small trait.
//!
//! A thin layer over Apache DataSketches, so that stored bytes are readable by its Java, C++ and
//! Python editions. This layer adds what a database needs: hashing that is the same everywhere,
//! merging in place, estimates that do not depend on how rows were split into segments, and
//! images from outside that are checked before they are believed.

mod base64;
mod error;
mod hll;
mod hll_image;
mod kll;
mod theta;

pub use crate::base64::{from_base64, to_base64};
pub use crate::error::{Result, SketchError};
pub use crate::hll::{HllHash, HllRegisters, HllSketch};
pub use crate::kll::KllSketch;
pub use crate::theta::ThetaSketch;

/// log2 of the number of buckets of a `hyperUnique` sketch: as accurate as Druid's (2^11 buckets).
pub const HYPER_UNIQUE_LG_K: u8 = 12;

/// What all sketches have in common.
pub trait Sketch: Sized {
    /// The answer the sketch exists for: distinct values, or values seen for quantiles.
    fn estimate(&self) -> f64;

    /// Adds everything the other sketch has seen.
    ///
    /// # Errors
    /// When the two cannot be combined without losing exactness of their counters.
    fn merge(&mut self, other: &Self) -> Result<()>;

    /// The compact DataSketches image.
    fn to_bytes(&self) -> Vec<u8>;

    /// Reads an image, whoever wrote it. Uses memory in proportion to the image.
    ///
    /// # Errors
    /// [`SketchError::Corrupt`] when the bytes are not a consistent image.
    fn from_bytes(bytes: &[u8]) -> Result<Self>;

    /// Memory held, in bytes.
    fn memory_bytes(&self) -> usize;
}
