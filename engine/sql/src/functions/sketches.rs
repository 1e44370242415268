//! Functions of sketches, which answers hold as base64 text: they are computed from an answer, not within a query.

use henge_expr::ExprValue;
use henge_sketch::{HllSketch, KllSketch, Sketch, ThetaSketch, from_base64, to_base64};

use super::table::{Function, Kind, Native, Returns, function};

use Kind::{Any, Double, Text};

type Answer = Result<ExprValue, String>;

const HLL: Returns = Returns::Complex("COMPLEX<HLLSketch>");
const THETA: Returns = Returns::Complex("COMPLEX<thetaSketch>");

pub(super) const FUNCTIONS: &[Function] = &[
    of_sketch("hll_sketch_estimate", &[Text, Any], Returns::Double, hll_estimate).optional(1),
    of_sketch("hll_sketch_union", &[], HLL, union::<HllSketch>).rest(Any),
    of_sketch("theta_sketch_estimate", &[Text], Returns::Double, theta_estimate),
    of_sketch("theta_sketch_union", &[], THETA, union::<ThetaSketch>).rest(Any),
    of_sketch("ds_get_quantile", &[Text, Double], Returns::Double, |a| of_kll(a, quantile)),
    of_sketch("ds_get_quantiles", &[Text, Double], Returns::Doubles, |a| of_kll(a, quantiles))
        .rest(Double),
    of_sketch("ds_rank", &[Text, Double], Returns::Double, |a| of_kll(a, rank)),
    of_sketch("ds_cdf", &[Text, Double], Returns::Doubles, |a| of_kll(a, cumulative)).rest(Double),
    of_sketch("ds_histogram", &[Text, Double], Returns::Doubles, |a| of_kll(a, histogram))
        .rest(Double),
];

const fn of_sketch(
    name: &'static str,
    takes: &'static [Kind],
    returns: Returns,
    run: fn(&[ExprValue]) -> Answer,
) -> Function {
    function(name, takes, returns, Native::Answered(run))
}

/// The sketch of a text; none of null.
fn decoded<S: Sketch>(value: &ExprValue) -> Result<Option<S>, String> {
    let Some(text) = value.as_text() else { return Ok(None) };
    let bytes = from_base64(text.trim_matches('"')).map_err(|error| error.to_string())?;
    S::from_bytes(&bytes).map(Some).map_err(|error| error.to_string())
}

fn hll_estimate(arguments: &[ExprValue]) -> Answer {
    let rounds = arguments.get(1).is_some_and(ExprValue::is_true);
    let estimate = decoded::<HllSketch>(&arguments[0])?.map(|sketch| sketch.estimate());
    Ok(estimate.map(|estimate| if rounds { estimate.round() } else { estimate }).into())
}

fn theta_estimate(arguments: &[ExprValue]) -> Answer {
    Ok(decoded::<ThetaSketch>(&arguments[0])?.map(|sketch| sketch.estimate()).into())
}

/// The union of all sketches; sizes and kinds before them are those of the first.
fn union<S: Sketch>(arguments: &[ExprValue]) -> Answer {
    let is_sketch = |value: &&ExprValue| match value {
        ExprValue::String(text) => !text.starts_with("HLL_"),
        _ => false,
    };
    let mut united: Option<S> = None;
    for argument in arguments.iter().filter(is_sketch) {
        let Some(sketch) = decoded::<S>(argument)? else { continue };
        match &mut united {
            Some(united) => united.merge(&sketch).map_err(|error| error.to_string())?,
            None => united = Some(sketch),
        }
    }
    Ok(united.map(|sketch| to_base64(&sketch.to_bytes())).into())
}

fn of_kll(arguments: &[ExprValue], answer: fn(&KllSketch, &[f64]) -> ExprValue) -> Answer {
    let Some(sketch) = decoded::<KllSketch>(&arguments[0])? else { return Ok(ExprValue::Null) };
    let numbers: Option<Vec<f64>> = arguments[1..].iter().map(ExprValue::as_double).collect();
    Ok(numbers.map_or(ExprValue::Null, |numbers| answer(&sketch, &numbers)))
}

fn quantile(sketch: &KllSketch, fractions: &[f64]) -> ExprValue {
    sketch.quantile(fractions[0]).unwrap_or(f64::NAN).into()
}

fn quantiles(sketch: &KllSketch, fractions: &[f64]) -> ExprValue {
    list(sketch.quantiles(fractions).unwrap_or_else(|| vec![f64::NAN; fractions.len()]))
}

fn rank(sketch: &KllSketch, values: &[f64]) -> ExprValue {
    sketch.rank(values[0]).unwrap_or(f64::NAN).into()
}

/// The fractions below each of the points, and 1.
fn below(sketch: &KllSketch, points: &[f64]) -> Vec<f64> {
    let end = if sketch.n() == 0 { f64::NAN } else { 1.0 };
    points.iter().map(|point| sketch.rank(*point).unwrap_or(f64::NAN)).chain([end]).collect()
}

fn cumulative(sketch: &KllSketch, points: &[f64]) -> ExprValue {
    list(below(sketch, points))
}

/// How many values lie between the points.
fn histogram(sketch: &KllSketch, points: &[f64]) -> ExprValue {
    let mut before = 0.0;
    let counts = below(sketch, points).into_iter().map(|fraction| {
        let count = (fraction - before) * sketch.n() as f64;
        before = fraction;
        count
    });
    list(counts.collect())
}

fn list(values: Vec<f64>) -> ExprValue {
    values.into_iter().map(ExprValue::from).collect::<Vec<_>>().into()
}
