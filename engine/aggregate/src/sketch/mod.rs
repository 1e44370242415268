//! Sketches by group: what they are made from, how they are merged and finished.

mod distinct;
mod function;
mod groups;
mod kind;
mod marks;
mod merged;
mod numbers;
mod stored;

use henge_scan::{Dimension, Result, Source};

pub(crate) use distinct::visit_ids;
pub(crate) use distinct::{DistinctValues, selection_of};
pub(crate) use function::KeepsSketches;
pub(crate) use groups::{GroupSketches, SketchInput};
pub(crate) use marks::Marks;
pub(crate) use numbers::NumberSketches;
pub(crate) use stored::StoredSketches;

use crate::accumulator::Accumulator;
use crate::function::Scanned;
use groups::SketchAccumulator;
use stored::NullSketches;

/// An accumulator of an aggregator's sketches of an input.
pub(crate) fn accumulator<'a, A: KeepsSketches>(
    aggregator: &A,
    name: &str,
    input: impl SketchInput<A::Sketch> + 'a,
) -> Box<dyn Accumulator + 'a> {
    let aggregator = aggregator.clone();
    Box::new(SketchAccumulator::new(name, Box::new(move || aggregator.empty()), input))
}

/// A distinct count: merges stored sketches, hashes anything else.
pub(crate) fn distinct<'a, A: KeepsSketches>(
    aggregator: &A,
    field: &str,
    scanned: Scanned<'_, 'a>,
) -> Result<Box<dyn Accumulator + 'a>> {
    let Scanned { name, columns, set, .. } = scanned;
    Ok(match columns.resolve(field)? {
        Source::Missing => Box::new(NullSketches::<A::Sketch>::default()),
        Source::Complex(column) => {
            let stored = StoredSketches::of::<A::Sketch>(field, column, columns);
            accumulator(aggregator, name, stored.map_err(|error| error.of_aggregator(name))?)
        }
        source @ (Source::Long(_) | Source::Float(_) | Source::Double(_)) => {
            accumulator(aggregator, name, NumberSketches::new(set.stored(field, &source)))
        }
        source @ (Source::String(_) | Source::Pairs(_) | Source::Expression(_)) => {
            let dimension = Dimension::of_values(field, source, columns, set)?;
            accumulator(aggregator, name, DistinctValues::new(vec![dimension]))
        }
    })
}
