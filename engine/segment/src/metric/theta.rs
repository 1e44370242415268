//! `thetaSketch`: distinct values, of which sets can be made.

use henge_sketch::{Sketch, SketchError, ThetaSketch, from_base64};
use henge_types::ValueRef;

use super::sketch::SketchForm;

#[derive(Debug)]
pub(super) struct Theta {
    pub(super) size: u32,
    pub(super) input_is_sketch: bool,
}

impl SketchForm for Theta {
    type Sketch = ThetaSketch;

    fn empty(&self) -> Result<ThetaSketch, SketchError> {
        ThetaSketch::new(self.size)
    }

    fn add(sketch: &mut ThetaSketch, value: &ValueRef<'_>) {
        match value {
            ValueRef::Long(value) => sketch.update_i64(*value),
            ValueRef::Double(value) => sketch.update_f64(*value),
            ValueRef::String(text) => sketch.update_str(text),
            ValueRef::Multi(list) => {
                list.iter().flatten().for_each(|text| sketch.update_str(text));
            }
            ValueRef::Null | ValueRef::Complex(_) => {}
        }
    }

    fn read_text(&self, text: &str) -> Result<Option<ThetaSketch>, SketchError> {
        let sketch = || ThetaSketch::from_bytes(&from_base64(text)?);
        self.input_is_sketch.then(sketch).transpose()
    }
}
