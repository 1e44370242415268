//! `quantilesDoublesSketch` and `KllDoublesSketch`.

use henge_query::aggregate::Quantiles;
use henge_query::{AggregatorInput, AggregatorKind};
use henge_scan::{NumericType, Result, Source};
use henge_sketch::{KllSketch, SketchError};

use crate::accumulator::Accumulator;
use crate::function::{Accumulate, Scanned};
use crate::sketch::{KeepsSketches, NumberSketches, StoredSketches, accumulator};

impl Accumulate for Quantiles {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        let Scanned { name, columns, set, .. } = scanned;
        match columns.resolve(&self.field)? {
            Source::Complex(column) => {
                let stored = StoredSketches::of::<KllSketch>(&self.field, column, columns)
                    .map_err(|error| error.of_aggregator(name))?;
                Ok(accumulator(self, name, stored))
            }
            _ => {
                let input = AggregatorInput::Field(self.field.clone());
                let slot = set
                    .numeric_input(columns, &input, NumericType::Double)
                    .map_err(|error| error.of_aggregator(name))?;
                Ok(accumulator(self, name, NumberSketches::new(slot)))
            }
        }
    }
}

impl KeepsSketches for Quantiles {
    type Sketch = KllSketch;
    const IDEMPOTENT: bool = false;

    fn empty(&self) -> Result<KllSketch, SketchError> {
        KllSketch::new(self.k)
    }

    /// The number of values.
    fn rounds(&self) -> bool {
        true
    }

    fn is_finished(&self) -> bool {
        self.should_finalize
    }

    fn over_stored(&self, column: &str) -> AggregatorKind {
        Self { field: column.to_owned(), ..self.clone() }.into()
    }
}
