//! `HLLSketchBuild`, `HLLSketchMerge` and `hyperUnique`: distinct values.

use henge_sketch::{HllSketch, Sketch, SketchError, from_base64};
use henge_types::{HllType, ValueRef};

use super::sketch::SketchForm;

/// A sketch of a given size.
#[derive(Debug)]
pub(super) struct Hll {
    lg_k: u8,
    hll_type: HllType,
    takes_sketches: bool,
}

impl Hll {
    /// Of raw values.
    pub(super) fn of_values(lg_k: u8, hll_type: HllType) -> Self {
        Self { lg_k, hll_type, takes_sketches: false }
    }

    /// Of sketches as base64.
    pub(super) fn of_sketches(lg_k: u8, hll_type: HllType) -> Self {
        Self { lg_k, hll_type, takes_sketches: true }
    }
}

impl SketchForm for Hll {
    type Sketch = HllSketch;

    fn empty(&self) -> Result<HllSketch, SketchError> {
        HllSketch::new(self.lg_k, self.hll_type)
    }

    fn add(sketch: &mut HllSketch, value: &ValueRef<'_>) {
        add(sketch, value);
    }

    fn read_text(&self, text: &str) -> Result<Option<HllSketch>, SketchError> {
        let sketch = || HllSketch::from_bytes(&from_base64(text)?);
        self.takes_sketches.then(sketch).transpose()
    }
}

/// A sketch of the size of Druid's.
#[derive(Debug)]
pub(super) struct HyperUnique;

impl SketchForm for HyperUnique {
    type Sketch = HllSketch;

    fn empty(&self) -> Result<HllSketch, SketchError> {
        HllSketch::hyper_unique()
    }

    fn add(sketch: &mut HllSketch, value: &ValueRef<'_>) {
        add(sketch, value);
    }

    fn read_text(&self, _text: &str) -> Result<Option<HllSketch>, SketchError> {
        Ok(None)
    }
}

fn add(sketch: &mut HllSketch, value: &ValueRef<'_>) {
    match value {
        ValueRef::Long(value) => sketch.update_i64(*value),
        ValueRef::Double(value) => sketch.update_f64(*value),
        ValueRef::String(text) => sketch.update_str(text),
        ValueRef::Multi(list) => list.iter().flatten().for_each(|text| sketch.update_str(text)),
        ValueRef::Null | ValueRef::Complex(_) => {}
    }
}
