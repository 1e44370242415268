//! What all aggregators that keep sketches have in common once rows were added.

use henge_query::AggregatorKind;
use henge_scan::{ExecError, Result};
use henge_sketch::{Sketch, SketchError};
use henge_vector::{Bytes, Column, Sketches};

use super::kind::SketchKind;
use super::merged::MergedSketches;
use crate::function::{AggregateFunction, SketchFunction};
use crate::merged::{MergedStates, other_states};

/// An aggregator that keeps a sketch a group.
pub(crate) trait KeepsSketches: Clone + 'static {
    /// The kind of sketch.
    type Sketch: SketchKind;
    /// True when a value that comes again changes nothing.
    const IDEMPOTENT: bool = true;
    /// A sketch of nothing.
    fn empty(&self) -> Result<Self::Sketch, SketchError>;
    /// True when final values are rounded to whole numbers.
    fn rounds(&self) -> bool {
        false
    }
    /// See [`SketchFunction::is_finished`].
    fn is_finished(&self) -> bool {
        true
    }
    /// See [`AggregateFunction::over_stored`].
    fn over_stored(&self, column: &str) -> AggregatorKind;
}

impl<A: KeepsSketches> AggregateFunction for A {
    fn merged(&self) -> Box<dyn MergedStates> {
        Box::new(MergedSketches::<A::Sketch>::default())
    }

    fn finished(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        let estimates = estimates(sketches::<A::Sketch>(name, states)?, rows);
        Ok(match self.rounds() {
            true => Column::longs(estimates.map(|value| value.round() as i64).collect(), None),
            false => Column::doubles(estimates.collect(), None),
        })
    }

    fn sketch(&self) -> Option<&dyn SketchFunction> {
        Some(self)
    }

    fn is_idempotent(&self) -> bool {
        A::IDEMPOTENT
    }

    fn over_stored(&self, column: &str) -> AggregatorKind {
        KeepsSketches::over_stored(self, column)
    }
}

impl<A: KeepsSketches> SketchFunction for A {
    fn is_finished(&self) -> bool {
        KeepsSketches::is_finished(self)
    }

    fn estimates(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        let estimates = estimates(sketches::<A::Sketch>(name, states)?, rows);
        Ok(Column::doubles(estimates.collect(), None))
    }

    fn encoded(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        let sketches = sketches::<A::Sketch>(name, states)?;
        let mut images = Vec::with_capacity(rows.len());
        for &row in rows {
            images.push(Some(match sketches.get(row as usize) {
                Some(sketch) => sketch.to_bytes(),
                None => self.empty().map_err(|error| unreadable(name, &error))?.to_bytes(),
            }));
        }
        Ok(Column::from(Bytes::of(images.into_iter())))
    }
}

fn sketches<'c, S: SketchKind>(name: &str, states: &'c Column) -> Result<&'c Sketches<S>> {
    states.objects().ok_or_else(|| other_states(name, states.kind()))
}

/// The estimates of some groups' sketches, 0 for a sketch of nothing.
fn estimates<S: Sketch>(sketches: &Sketches<S>, rows: &[u32]) -> impl Iterator<Item = f64> {
    let sketches = rows.iter().map(|&row| sketches.get(row as usize));
    sketches.map(|sketch| sketch.map_or(0.0, Sketch::estimate))
}

/// The error of a sketch of an aggregator.
pub(super) fn unreadable(name: &str, error: &SketchError) -> ExecError {
    ExecError::Sketch { column: name.to_owned(), reason: error.to_string() }
}
