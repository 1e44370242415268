//! What metrics that keep sketches have in common.

use std::fmt::Debug;

use henge_sketch::{Sketch, SketchError};
use henge_types::ValueRef;

use super::{Event, MetricInput, ObjectForm};

/// A metric that keeps a sketch a row.
pub trait SketchForm: Debug + Send + Sync + 'static {
    /// The sketch.
    type Sketch: Sketch + Clone + Debug + Send + Sync + 'static;

    /// The empty sketch.
    fn empty(&self) -> Result<Self::Sketch, SketchError>;

    /// Adds a raw value that is not null; of a list, its elements.
    fn add(sketch: &mut Self::Sketch, value: &ValueRef<'_>);

    /// The sketch that text holds in base64, where the metric takes sketches as text.
    fn read_text(&self, text: &str) -> Result<Option<Self::Sketch>, SketchError>;

    /// False when merging would overflow a counter.
    fn fits(_sketch: &Self::Sketch, _other: &Self::Sketch) -> bool {
        true
    }
}

impl<F: SketchForm> ObjectForm for F {
    type State = F::Sketch;

    const INPUT: MetricInput = MetricInput::Any;

    fn empty(&self) -> Result<F::Sketch, SketchError> {
        SketchForm::empty(self)
    }

    fn brought(&self, value: &ValueRef<'_>) -> Result<Option<F::Sketch>, SketchError> {
        match value {
            ValueRef::Complex(bytes) => F::Sketch::from_bytes(bytes).map(Some),
            ValueRef::String(text) => self.read_text(text),
            ValueRef::Null | ValueRef::Long(_) | ValueRef::Double(_) | ValueRef::Multi(_) => {
                Ok(None)
            }
        }
    }

    fn add(&self, state: &mut F::Sketch, event: Event<'_>) {
        <F as SketchForm>::add(state, event.value);
    }

    fn merge(&self, state: &mut F::Sketch, other: &F::Sketch) -> Result<(), SketchError> {
        state.merge(other)
    }

    fn fits(&self, state: &F::Sketch, other: &F::Sketch) -> bool {
        <F as SketchForm>::fits(state, other)
    }

    fn to_bytes(state: &F::Sketch) -> Vec<u8> {
        state.to_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Result<F::Sketch, SketchError> {
        F::Sketch::from_bytes(bytes)
    }

    fn memory_bytes(state: &F::Sketch) -> usize {
        state.memory_bytes()
    }
}
