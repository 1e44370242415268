//! `hyperUnique`.

use henge_query::AggregatorKind;
use henge_query::aggregate::HyperUnique;
use henge_scan::Result;
use henge_sketch::{HllSketch, SketchError};

use crate::accumulator::Accumulator;
use crate::function::{Accumulate, Scanned};
use crate::sketch::{KeepsSketches, distinct};

impl Accumulate for HyperUnique {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        distinct(self, &self.field, scanned)
    }
}

impl KeepsSketches for HyperUnique {
    type Sketch = HllSketch;

    fn empty(&self) -> Result<HllSketch, SketchError> {
        HllSketch::hyper_unique()
    }

    fn rounds(&self) -> bool {
        self.round
    }

    fn over_stored(&self, column: &str) -> AggregatorKind {
        Self { field: column.to_owned(), round: self.round }.into()
    }
}
