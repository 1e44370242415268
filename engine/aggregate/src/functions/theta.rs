//! `thetaSketch`.

use henge_query::AggregatorKind;
use henge_query::aggregate::Theta;
use henge_scan::Result;
use henge_sketch::{SketchError, ThetaSketch};

use crate::accumulator::Accumulator;
use crate::function::{Accumulate, Scanned};
use crate::sketch::{KeepsSketches, distinct};

impl Accumulate for Theta {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        distinct(self, &self.field, scanned)
    }
}

impl KeepsSketches for Theta {
    type Sketch = ThetaSketch;

    fn empty(&self) -> Result<ThetaSketch, SketchError> {
        ThetaSketch::new(self.size)
    }

    fn is_finished(&self) -> bool {
        self.should_finalize
    }

    fn over_stored(&self, column: &str) -> AggregatorKind {
        Self { field: column.to_owned(), ..self.clone() }.into()
    }
}
