//! From an aggregator's spec to its accumulator over one segment.

use henge_query::{AggregatorInput, AggregatorKind, AggregatorSpec};
use henge_scan::{ColumnSet, Columns, Dimension, ExecError, NumericType, Result, Source};
use henge_sketch::{HllSketch, KllSketch, ThetaSketch};
use henge_types::{ColumnType, NumericOp};

use crate::accumulator::Accumulator;
use crate::cardinality::RowCardinality;
use crate::count::CountAccumulator;
use crate::distinct::DistinctValues;
use crate::kernels::{DoubleMax, DoubleMin, DoubleSum, LongMax, LongMin, LongSum};
use crate::number_sketches::NumberSketches;
use crate::numeric::{NumericAccumulator, NumericInput};
use crate::sketch_kind::SketchKind;
use crate::sketches::{MakeSketch, SketchAccumulator, SketchInput};
use crate::stored_sketches::{NullSketches, StoredSketches};
use crate::table::Layout;

/// The accumulator of an aggregator. `filtered` says that it will not see all rows of its groups.
pub(crate) fn accumulator<'a>(
    spec: &'a AggregatorSpec,
    filtered: bool,
    columns: &Columns<'a>,
    set: &mut ColumnSet<'a>,
    layout: &mut Layout,
) -> Result<Box<dyn Accumulator + 'a>> {
    let name = &spec.name;
    match &spec.kind {
        AggregatorKind::Count => Ok(Box::new(CountAccumulator::new(layout))),
        AggregatorKind::Numeric { op, column_type, input } => {
            let (wanted, float) = number_type(name, column_type)?;
            let slot = set.numeric_input(columns, input, wanted)?;
            let place = layout.place(filtered || set.has_nulls(slot));
            let positive = set.is_positive(slot, columns.view().block_count())?;
            Ok(numeric(*op, wanted, NumericInput { slot, place, positive, float }))
        }
        AggregatorKind::Hll { field, lg_k, hll_type, .. } => {
            let (lg_k, hll_type) = (*lg_k, *hll_type);
            let make = move || HllSketch::new(lg_k, hll_type);
            distinct(name, field, Box::new(make), columns, set)
        }
        AggregatorKind::HyperUnique { field, .. } => {
            distinct(name, field, Box::new(HllSketch::hyper_unique), columns, set)
        }
        AggregatorKind::Theta { field, size, .. } => {
            let size = *size;
            distinct(name, field, Box::new(move || ThetaSketch::new(size)), columns, set)
        }
        AggregatorKind::Quantiles { field, k } => {
            let k = *k;
            let make = Box::new(move || KllSketch::new(k));
            match columns.resolve(field)? {
                Source::Complex(column) => {
                    let stored = StoredSketches::of::<KllSketch>(name, field, column)?;
                    Ok(sketched(name, make, stored))
                }
                _ => {
                    let input = AggregatorInput::Field(field.clone());
                    let slot = set.numeric_input(columns, &input, NumericType::Double)?;
                    Ok(sketched(name, make, NumberSketches::new(slot)))
                }
            }
        }
        AggregatorKind::Cardinality { fields, by_row, .. } => {
            let dimensions = fields
                .iter()
                .map(|spec| Dimension::new(spec, columns, set))
                .collect::<Result<Vec<_>>>()?;
            let make = Box::new(HllSketch::hyper_unique);
            Ok(match by_row {
                true => sketched(name, make, RowCardinality::new(dimensions)),
                false => sketched(name, make, DistinctValues::new(dimensions)),
            })
        }
    }
}

/// What an aggregator of a type computes with, and whether its result is a FLOAT.
fn number_type(name: &str, column_type: &ColumnType) -> Result<(NumericType, bool)> {
    match column_type {
        ColumnType::Long => Ok((NumericType::Long, false)),
        ColumnType::Double => Ok((NumericType::Double, false)),
        ColumnType::Float => Ok((NumericType::Double, true)),
        other => Err(ExecError::Invalid(format!(
            "aggregator '{name}' has type {other}: use LONG, FLOAT or DOUBLE"
        ))),
    }
}

fn numeric<'a>(
    op: NumericOp,
    number: NumericType,
    input: NumericInput,
) -> Box<dyn Accumulator + 'a> {
    match (op, number) {
        (NumericOp::Sum, NumericType::Long) => Box::new(NumericAccumulator::<LongSum>::new(input)),
        (NumericOp::Min, NumericType::Long) => Box::new(NumericAccumulator::<LongMin>::new(input)),
        (NumericOp::Max, NumericType::Long) => Box::new(NumericAccumulator::<LongMax>::new(input)),
        (NumericOp::Sum, _) => Box::new(NumericAccumulator::<DoubleSum>::new(input)),
        (NumericOp::Min, _) => Box::new(NumericAccumulator::<DoubleMin>::new(input)),
        (NumericOp::Max, _) => Box::new(NumericAccumulator::<DoubleMax>::new(input)),
    }
}

/// Sketches of an input.
fn sketched<'a, S: SketchKind>(
    name: &str,
    make: MakeSketch<S>,
    input: impl SketchInput<S> + 'a,
) -> Box<dyn Accumulator + 'a> {
    Box::new(SketchAccumulator::new(name, make, input))
}

/// A distinct count: merges stored sketches, hashes anything else.
fn distinct<'a, S: SketchKind>(
    name: &str,
    field: &str,
    make: MakeSketch<S>,
    columns: &Columns<'a>,
    set: &mut ColumnSet<'a>,
) -> Result<Box<dyn Accumulator + 'a>> {
    Ok(match columns.resolve(field)? {
        Source::Missing => Box::new(NullSketches::<S>::default()),
        Source::Complex(column) => {
            sketched(name, make, StoredSketches::of::<S>(name, field, column)?)
        }
        source @ (Source::Long(_) | Source::Float(_) | Source::Double(_)) => {
            sketched(name, make, NumberSketches::new(set.stored(field, &source)))
        }
        source => {
            let dimension = Dimension::of_values(field, source, columns, set)?;
            sketched(name, make, DistinctValues::new(vec![dimension]))
        }
    })
}
