//! What quantiles sketches tell: the post-aggregators `quantilesDoublesSketchTo…`.

use henge_expr::ExprValue;
use henge_query::{PostAggregator, QuantilesQuestion};
use henge_scan::{ExecError, Result};
use henge_sketch::{KllSketch, Sketch};
use henge_vector::{Bytes, Column};

use crate::finalise::fields::Frame;

/// The answers for a frame's rows.
pub(crate) fn evaluate(
    name: &str,
    field: &PostAggregator,
    question: &QuantilesQuestion,
    frame: &Frame<'_>,
) -> Result<Column> {
    let no_sketch = || {
        ExecError::Invalid(format!(
            "post-aggregation '{name}' reads a quantiles sketch: give it the fieldAccess of one"
        ))
    };
    let PostAggregator::FieldAccess { field, .. } = field else { return Err(no_sketch()) };
    let images = frame.sketch_images(field)?.ok_or_else(no_sketch)?;
    let images = images.objects::<Bytes>().ok_or_else(no_sketch)?;
    let answers = (0..frame.rows().len()).map(|row| {
        let image = images.get(row).ok_or_else(no_sketch)?;
        let sketch = KllSketch::from_bytes(image).map_err(|_| no_sketch())?;
        Ok(answer(question, &sketch))
    });
    let answers = answers.collect::<Result<Vec<ExprValue>>>()?;
    Ok(match question {
        QuantilesQuestion::Quantile(_) | QuantilesQuestion::Rank(_) => {
            Column::Double(answers.iter().map(ExprValue::as_double).collect())
        }
        _ => Column::Mixed(answers),
    })
}

fn answer(question: &QuantilesQuestion, sketch: &KllSketch) -> ExprValue {
    match question {
        QuantilesQuestion::Quantile(fraction) => {
            sketch.quantile(*fraction).unwrap_or(f64::NAN).into()
        }
        QuantilesQuestion::Rank(value) => sketch.rank(*value).unwrap_or(f64::NAN).into(),
        QuantilesQuestion::Quantiles(fractions) => {
            let values = sketch.quantiles(fractions);
            list(values.unwrap_or_else(|| vec![f64::NAN; fractions.len()]))
        }
        QuantilesQuestion::Cdf(points) => list(cumulative(sketch, points)),
        QuantilesQuestion::Counts(points) => list(counts(sketch, points)),
        QuantilesQuestion::Histogram(parts) => match (sketch.min(), sketch.max()) {
            (Some(min), Some(max)) => {
                let width = (max - min) / f64::from(*parts);
                let points: Vec<f64> =
                    (1..*parts).map(|part| min + width * f64::from(part)).collect();
                // Values that are all the same have one part.
                match points.is_sorted_by(|a, b| a < b) && width > 0.0 {
                    true => list(counts(sketch, &points)),
                    false => list(vec![sketch.n() as f64]),
                }
            }
            _ => list(vec![f64::NAN; *parts as usize]),
        },
    }
}

/// The fractions below each of the points, and 1.
fn cumulative(sketch: &KllSketch, points: &[f64]) -> Vec<f64> {
    let rank = |point: &f64| sketch.rank(*point).unwrap_or(f64::NAN);
    let end = if sketch.n() == 0 { f64::NAN } else { 1.0 };
    points.iter().map(rank).chain([end]).collect()
}

/// How many values lie between the points.
fn counts(sketch: &KllSketch, points: &[f64]) -> Vec<f64> {
    let mut below = 0.0;
    let parts = cumulative(sketch, points).into_iter().map(|fraction| {
        let part = (fraction - below) * sketch.n() as f64;
        below = fraction;
        part
    });
    parts.collect()
}

fn list(values: Vec<f64>) -> ExprValue {
    values.into_iter().map(ExprValue::from).collect::<Vec<_>>().into()
}
