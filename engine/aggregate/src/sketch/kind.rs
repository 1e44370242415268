//! What distinguishes one kind of sketch from another.

use henge_scan::Scalar;
use henge_sketch::{HllHash, HllRegisters, HllSketch, KllSketch, ThetaSketch};
use henge_vector::SketchObject;

/// A sketch that aggregators keep.
pub(crate) trait SketchKind: SketchObject {
    /// The family that stored columns of this kind name in their type.
    const FAMILY: &'static [&'static str];
    /// True when values can be added by their hashes.
    const BY_HASH: bool;
    /// Adds a value: by its hash, unless the kind has another way.
    fn update(&mut self, value: Scalar<'_>) {
        if let Some(hash) = Self::hash(value) {
            self.update_hash(hash);
        }
    }
    /// The hash of a value, where values can be added so.
    fn hash(_: Scalar<'_>) -> Option<HllHash> {
        None
    }
    /// Adds a value by its hash, where that can be done.
    fn update_hash(&mut self, _: HllHash) {}
    /// Registers for many sketches like this one, where there is such a thing.
    fn registers(&self) -> Option<HllRegisters> {
        None
    }
    /// A sketch that was counted in registers.
    fn of_registers(_: HllSketch) -> Option<Self> {
        None
    }
}

impl SketchKind for HllSketch {
    const FAMILY: &'static [&'static str] = &["hll", "hyperunique"];
    const BY_HASH: bool = true;

    fn hash(value: Scalar<'_>) -> Option<HllHash> {
        Some(match value {
            Scalar::Text(text) => HllHash::of_str(text),
            Scalar::Long(value) => HllHash::of_i64(value),
            Scalar::Double(value) => HllHash::of_f64(value),
        })
    }

    #[inline]
    fn update_hash(&mut self, hash: HllHash) {
        Self::update_hash(self, hash);
    }

    fn registers(&self) -> Option<HllRegisters> {
        Some(HllRegisters::like(self))
    }

    fn of_registers(sketch: HllSketch) -> Option<Self> {
        Some(sketch)
    }
}

impl SketchKind for ThetaSketch {
    const FAMILY: &'static [&'static str] = &["theta"];
    const BY_HASH: bool = false;

    fn update(&mut self, value: Scalar<'_>) {
        match value {
            Scalar::Text(text) => self.update_str(text),
            Scalar::Long(value) => self.update_i64(value),
            Scalar::Double(value) => self.update_f64(value),
        }
    }
}

impl SketchKind for KllSketch {
    const FAMILY: &'static [&'static str] = &["quantiles", "kll"];
    const BY_HASH: bool = false;

    fn update(&mut self, value: Scalar<'_>) {
        match value {
            Scalar::Text(_) => {}
            Scalar::Long(value) => self.update_f64(value as f64),
            Scalar::Double(value) => self.update_f64(value),
        }
    }
}
