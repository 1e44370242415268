//! HyperLogLog: distinct counts.
//!
//! Estimates use the composite estimator, which depends only on the registers: the same values
//! give the same answer, bit for bit, in whatever order and through however many merges they came.

use std::hash::{Hash, Hasher};

use datasketches::hash::value::{canonical_float, raw_bytes};
use datasketches::hll as ds;
use henge_types::HllType;

use crate::error::{Result, SketchError};
use crate::{HYPER_UNIQUE_LG_K, Sketch, hll_image};

mod registers;
mod words;

pub use registers::HllRegisters;

const NAME: &str = "HLL";

/// A hash is a slot of so many bits, and above them the register's value.
const SLOT_BITS: u32 = 26;

/// The hash of a value, to be computed once and used for many sketches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HllHash(ds::Coupon);

impl HllHash {
    /// Of a string's UTF-8.
    #[must_use]
    pub fn of_str(value: &str) -> Self {
        Self::of_bytes(value.as_bytes())
    }

    /// Of bytes.
    #[must_use]
    pub fn of_bytes(value: &[u8]) -> Self {
        Self(ds::Coupon::from_value(raw_bytes::from_slice(value)))
    }

    /// Of a LONG.
    #[must_use]
    pub fn of_i64(value: i64) -> Self {
        Self(ds::Coupon::from_value(value))
    }

    /// Of a DOUBLE; -0 is 0 and all NaNs are one.
    #[must_use]
    pub fn of_f64(value: f64) -> Self {
        Self(ds::Coupon::from_value(canonical_float::from_f64(value)))
    }

    /// The eight bytes that [`HllRegisters::update_words`] hashes as [`Self::of_f64`] does.
    #[inline]
    #[must_use]
    pub fn word_of_f64(value: f64) -> u64 {
        henge_types::number::equality_bits(value)
    }

    /// The register's value in the upper six bits, the slot in the lower 26.
    #[inline]
    fn bits(self) -> u32 {
        /// Keeps the one number that a coupon hashes.
        struct Bits(u32);
        impl Hasher for Bits {
            fn write(&mut self, _: &[u8]) {}
            #[inline]
            fn write_u32(&mut self, bits: u32) {
                self.0 = bits;
            }
            fn finish(&self) -> u64 {
                u64::from(self.0)
            }
        }
        let mut bits = Bits(0);
        self.0.hash(&mut bits);
        bits.0
    }
}

/// A HyperLogLog sketch.
#[derive(Debug, Clone)]
pub struct HllSketch {
    lg_k: u8,
    hll_type: HllType,
    state: State,
}

/// Updating wants a sketch, merging a union; each turns into the other when needed.
#[derive(Debug, Clone)]
enum State {
    Single(ds::HllSketch),
    Union(ds::HllUnion),
}

impl HllSketch {
    /// An empty sketch of `2^lg_k` buckets.
    ///
    /// # Errors
    /// [`SketchError::Parameter`] when `lg_k` is not in 4 to 21.
    pub fn new(lg_k: u8, hll_type: HllType) -> Result<Self> {
        let single = ds::HllSketch::new(lg_k, native_type(hll_type)).map_err(|_| bad_lg_k(lg_k))?;
        Ok(Self { lg_k, hll_type, state: State::Single(single) })
    }

    /// An empty sketch for `hyperUnique`.
    ///
    /// # Errors
    /// None in practice; the parameters are fixed.
    pub fn hyper_unique() -> Result<Self> {
        Self::new(HYPER_UNIQUE_LG_K, HllType::Hll4)
    }

    /// log2 of the number of buckets asked for; merging a smaller sketch lowers what is used.
    #[must_use]
    pub fn lg_k(&self) -> u8 {
        self.lg_k
    }

    /// The layout.
    #[must_use]
    pub fn hll_type(&self) -> HllType {
        self.hll_type
    }

    /// True when nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.state {
            State::Single(sketch) => sketch.is_empty(),
            State::Union(union) => union.is_empty(),
        }
    }

    /// Adds a string.
    pub fn update_str(&mut self, value: &str) {
        self.update_hash(HllHash::of_str(value));
    }

    /// Adds bytes.
    pub fn update_bytes(&mut self, value: &[u8]) {
        self.update_hash(HllHash::of_bytes(value));
    }

    /// Adds a LONG.
    pub fn update_i64(&mut self, value: i64) {
        self.update_hash(HllHash::of_i64(value));
    }

    /// Adds a DOUBLE.
    pub fn update_f64(&mut self, value: f64) {
        self.update_hash(HllHash::of_f64(value));
    }

    /// Adds a value by its hash.
    #[inline]
    pub fn update_hash(&mut self, hash: HllHash) {
        if let State::Union(union) = &self.state {
            self.state = State::Single(union.to_sketch(ds::HllType::Hll8));
        }
        if let State::Single(sketch) = &mut self.state {
            sketch.update_with_coupon(hash.0);
        }
    }

    fn union_mut(&mut self) -> Result<&mut ds::HllUnion> {
        if let State::Single(sketch) = &self.state {
            let mut union = ds::HllUnion::new(self.lg_k).map_err(|_| bad_lg_k(self.lg_k))?;
            union.update(sketch);
            self.state = State::Union(union);
        }
        match &mut self.state {
            State::Union(union) => Ok(union),
            State::Single(_) => Err(SketchError::corrupt(NAME, "not a union")),
        }
    }
}

impl Sketch for HllSketch {
    fn estimate(&self) -> f64 {
        match &self.state {
            State::Single(sketch) => sketch.composite_estimate(),
            State::Union(union) => union.composite_estimate(),
        }
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        if other.is_empty() {
            return Ok(());
        }
        let smaller = matches!(&other.state, State::Single(s) if s.lg_config_k() <= self.lg_k);
        if smaller && self.is_empty() {
            self.state = other.state.clone();
            return Ok(());
        }
        let union = self.union_mut()?;
        match &other.state {
            State::Single(sketch) => union.update(sketch),
            State::Union(other) => union.update(&other.to_sketch(ds::HllType::Hll8)),
        }
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let target = native_type(self.hll_type);
        match &self.state {
            State::Single(sketch) if sketch.target_type() == target => sketch.serialize(),
            State::Single(sketch) => match ds::HllUnion::new(sketch.lg_config_k()) {
                Ok(mut union) => {
                    union.update(sketch);
                    union.to_sketch(target).serialize()
                }
                Err(_) => sketch.serialize(),
            },
            State::Union(union) => union.to_sketch(target).serialize(),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let image =
            hll_image::checked(bytes).map_err(|reason| SketchError::corrupt(NAME, reason))?;
        let sketch = ds::HllSketch::deserialize(&image)
            .map_err(|error| SketchError::corrupt(NAME, error.message()))?;
        let hll_type = match sketch.target_type() {
            ds::HllType::Hll4 => HllType::Hll4,
            ds::HllType::Hll6 => HllType::Hll6,
            ds::HllType::Hll8 => HllType::Hll8,
        };
        Ok(Self { lg_k: sketch.lg_config_k(), hll_type, state: State::Single(sketch) })
    }

    fn memory_bytes(&self) -> usize {
        let heap = match &self.state {
            State::Single(sketch) => sketch.estimated_size(),
            State::Union(union) => union.estimated_size(),
        };
        size_of::<Self>() + heap
    }
}

fn native_type(hll_type: HllType) -> ds::HllType {
    match hll_type {
        HllType::Hll4 => ds::HllType::Hll4,
        HllType::Hll6 => ds::HllType::Hll6,
        HllType::Hll8 => ds::HllType::Hll8,
    }
}

fn bad_lg_k(lg_k: u8) -> SketchError {
    SketchError::Parameter { name: "lgK", value: lg_k.into(), allowed: "4 to 21" }
}

#[cfg(test)]
mod tests;
