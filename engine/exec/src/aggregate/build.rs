//! From an aggregator's spec to its accumulator over one segment.

use henge_query::{AggregatorInput, AggregatorKind, AggregatorSpec};
use henge_sketch::{HllSketch, KllSketch, SketchError, ThetaSketch};
use henge_types::{ColumnType, NumericOp};

use super::Accumulator;
use super::cardinality::RowCardinality;
use super::count::CountAccumulator;
use super::distinct::{DistinctAccumulator, NumberSketches};
use super::kernels::{DoubleMax, DoubleMin, DoubleSum, LongMax, LongMin, LongSum};
use super::numeric::NumericAccumulator;
use super::quantiles::QuantilesAccumulator;
use super::sketches::{MergeAccumulator, NullSketches, SketchKind};
use crate::column::{ColumnSet, Columns, NumericType, Source};
use crate::error::{ExecError, Result};
use crate::group::Dimension;

/// The accumulator of an aggregator. `filtered` says that it will not see all rows of its groups.
pub(super) fn accumulator<'a>(
    spec: &'a AggregatorSpec,
    filtered: bool,
    columns: &Columns<'a>,
    set: &mut ColumnSet<'a>,
) -> Result<Box<dyn Accumulator + 'a>> {
    let name = &spec.name;
    match &spec.kind {
        AggregatorKind::Count => Ok(Box::new(CountAccumulator::default())),
        AggregatorKind::Numeric { op, column_type, input } => {
            numeric(name, *op, column_type, input, filtered, columns, set)
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
                    Ok(Box::new(MergeAccumulator::new(name, field, column, make)?))
                }
                _ => {
                    let input = AggregatorInput::Field(field.clone());
                    let slot = set.numeric_input(columns, &input, NumericType::Double)?;
                    Ok(Box::new(QuantilesAccumulator::new(name, slot, make)))
                }
            }
        }
        AggregatorKind::Cardinality { fields, by_row, .. } => {
            let dimensions = fields
                .iter()
                .map(|spec| Dimension::new(spec, columns, set))
                .collect::<Result<Vec<_>>>()?;
            if *by_row {
                return Ok(Box::new(RowCardinality::new(name, dimensions)));
            }
            let make = Box::new(HllSketch::hyper_unique);
            Ok(Box::new(DistinctAccumulator::new(name, dimensions, make)))
        }
    }
}

/// Makes an empty sketch.
pub(super) type MakeSketch<S> = Box<dyn Fn() -> Result<S, SketchError>>;

fn numeric<'a>(
    name: &str,
    op: NumericOp,
    column_type: &ColumnType,
    input: &AggregatorInput,
    filtered: bool,
    columns: &Columns<'a>,
    set: &mut ColumnSet<'a>,
) -> Result<Box<dyn Accumulator + 'a>> {
    let (long, float) = match column_type {
        ColumnType::Long => (true, false),
        ColumnType::Double => (false, false),
        ColumnType::Float => (false, true),
        other => {
            return Err(ExecError::Invalid(format!(
                "aggregator '{name}' has type {other}: use LONG, FLOAT or DOUBLE"
            )));
        }
    };
    let wanted = if long { NumericType::Long } else { NumericType::Double };
    let slot = set.numeric_input(columns, input, wanted)?;
    let track = filtered || set.has_nulls(slot);
    macro_rules! boxed {
        ($op:ty) => {
            Ok(Box::new(NumericAccumulator::<$op>::new(name, slot, track, float)))
        };
    }
    match (op, long) {
        (NumericOp::Sum, true) => boxed!(LongSum),
        (NumericOp::Min, true) => boxed!(LongMin),
        (NumericOp::Max, true) => boxed!(LongMax),
        (NumericOp::Sum, false) => boxed!(DoubleSum),
        (NumericOp::Min, false) => boxed!(DoubleMin),
        (NumericOp::Max, false) => boxed!(DoubleMax),
    }
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
        Source::Complex(column) => Box::new(MergeAccumulator::new(name, field, column, make)?),
        source @ (Source::Long(_) | Source::Float(_) | Source::Double(_)) => {
            Box::new(NumberSketches::new(name, set.stored(field, &source), make))
        }
        source => {
            let dimension = Dimension::of_values(field, source, columns, set)?;
            Box::new(DistinctAccumulator::new(name, vec![dimension], make))
        }
    })
}
