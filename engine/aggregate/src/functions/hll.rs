//! `HLLSketchBuild` and `HLLSketchMerge`.

use henge_query::AggregatorKind;
use henge_query::aggregate::Hll;
use henge_scan::Result;
use henge_sketch::{HllSketch, SketchError};

use crate::accumulator::Accumulator;
use crate::function::{Accumulate, Scanned};
use crate::sketch::{KeepsSketches, distinct};

impl Accumulate for Hll {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        distinct(self, &self.field, scanned)
    }
}

impl KeepsSketches for Hll {
    type Sketch = HllSketch;

    fn empty(&self) -> Result<HllSketch, SketchError> {
        HllSketch::new(self.lg_k, self.hll_type)
    }

    fn rounds(&self) -> bool {
        self.round
    }

    fn is_finished(&self) -> bool {
        self.should_finalize
    }

    fn over_stored(&self, column: &str) -> AggregatorKind {
        Self { field: column.to_owned(), ..self.clone() }.into()
    }
}
