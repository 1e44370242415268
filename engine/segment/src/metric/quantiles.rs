//! `quantilesDoublesSketch` and `KllDoublesSketch`: how numbers are spread.

use henge_sketch::{KllSketch, Sketch, SketchError, from_base64};
use henge_types::{ValueRef, coerce};

use super::sketch::SketchForm;

#[derive(Debug)]
pub(super) struct Quantiles {
    pub(super) k: u16,
}

impl SketchForm for Quantiles {
    type Sketch = KllSketch;

    fn empty(&self) -> Result<KllSketch, SketchError> {
        KllSketch::new(self.k)
    }

    fn add(sketch: &mut KllSketch, value: &ValueRef<'_>) {
        match value {
            ValueRef::Multi(list) => {
                let numbers = list.iter().flatten().filter_map(|text| coerce::parse_double(text));
                numbers.for_each(|number| sketch.update_f64(number));
            }
            ValueRef::Long(_)
            | ValueRef::Double(_)
            | ValueRef::String(_)
            | ValueRef::Null
            | ValueRef::Complex(_) => {
                let number = coerce::as_double(value);
                number.into_iter().for_each(|number| sketch.update_f64(number));
            }
        }
    }

    /// Numbers and sketches come through the same field; other text is null, as for any number.
    fn read_text(&self, text: &str) -> Result<Option<KllSketch>, SketchError> {
        if coerce::parse_double(text).is_some() {
            return Ok(None);
        }
        Ok(from_base64(text).ok().and_then(|bytes| KllSketch::from_bytes(&bytes).ok()))
    }

    fn fits(sketch: &KllSketch, other: &KllSketch) -> bool {
        sketch.n().saturating_add(other.n()) <= KllSketch::MAX_N
    }
}
