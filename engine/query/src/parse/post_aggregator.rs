//! Post-aggregators.

use henge_types::Value;

use super::virtual_column::expression;
use crate::aggregate::{AggregatorSpec, is_population};
use crate::error::Result;
use crate::node::{Node, excerpt};
use crate::post_aggregator::{ArithmeticFn, PostAggregator, QuantilesQuestion};

const SUPPORTED: &[&str] = &[
    "arithmetic",
    "fieldAccess",
    "finalizingFieldAccess",
    "constant",
    "expression",
    "hyperUniqueCardinality",
    "HLLSketchEstimate",
    "thetaSketchEstimate",
    "quantilesDoublesSketchToQuantile",
    "quantilesDoublesSketchToQuantiles",
    "quantilesDoublesSketchToHistogram",
    "quantilesDoublesSketchToRank",
    "quantilesDoublesSketchToCDF",
    "KllDoublesSketchToQuantile",
    "KllDoublesSketchToQuantiles",
    "KllDoublesSketchToHistogram",
    "KllDoublesSketchToRank",
    "KllDoublesSketchToCDF",
    "stddev",
    "longGreatest",
    "longLeast",
    "doubleGreatest",
    "doubleLeast",
];
const PLANNED: &[&str] = &[
    "javascript",
    "HLLSketchEstimateWithBounds",
    "HLLSketchUnion",
    "HLLSketchToString",
    "thetaSketchSetOp",
    "thetaSketchConstant",
    "thetaSketchToString",
    "thetaSketchToBase64String",
    "quantilesDoublesSketchToString",
    "KllDoublesSketchToString",
    "quantile",
    "quantiles",
    "buckets",
    "equalBuckets",
    "customBuckets",
    "min",
    "max",
];

/// A post-aggregator of the query. `aggregations` tells how sketches that it reads are rounded.
pub(super) fn post_aggregator(
    node: &Node<'_>,
    aggregations: &[AggregatorSpec],
) -> Result<PostAggregator> {
    node.type_name(SUPPORTED)?;
    node.require("name", "give the post-aggregator a name for the result")?.name()?;
    operand(node, aggregations)
}

/// Operands need no name.
fn operand(node: &Node<'_>, aggregations: &[AggregatorSpec]) -> Result<PostAggregator> {
    let name = node.optional_scalar_text("name")?.unwrap_or_default();
    match node.type_name(SUPPORTED)? {
        "arithmetic" => arithmetic(node, name, aggregations),
        "fieldAccess" => {
            let field = field_name(node)?;
            Ok(PostAggregator::FieldAccess { name: or_field(name, &field), field })
        }
        "finalizingFieldAccess" => {
            let field = field_name(node)?;
            Ok(PostAggregator::FinalizingFieldAccess { name: or_field(name, &field), field })
        }
        "constant" => Ok(PostAggregator::Constant { name, value: constant(node)? }),
        "expression" => Ok(PostAggregator::Expression {
            name,
            expression: expression(&node.require("expression", "give an expression")?)?,
        }),
        "hyperUniqueCardinality" => {
            let field = field_name(node)?;
            let round = aggregations.iter().any(|spec| spec.name == field && spec.kind.rounds());
            let name = or_field(name, &field);
            let access = PostAggregator::FieldAccess { name: field.clone(), field };
            Ok(PostAggregator::SketchEstimate { name, field: Box::new(access), round })
        }
        "HLLSketchEstimate" | "thetaSketchEstimate" => Ok(PostAggregator::SketchEstimate {
            name,
            field: Box::new(operand(&node.require("field", FIELD_HINT)?, aggregations)?),
            round: node.boolean_or("round", false)?,
        }),
        "stddev" => {
            is_population(node)?;
            let field = field_name(node)?;
            Ok(PostAggregator::Root { name: or_field(name, &field), field })
        }
        "longGreatest" => extreme(node, name, true, true, aggregations),
        "longLeast" => extreme(node, name, false, true, aggregations),
        "doubleGreatest" => extreme(node, name, true, false, aggregations),
        "doubleLeast" => extreme(node, name, false, false, aggregations),
        other => match quantiles_question(node, other)? {
            Some(question) => Ok(PostAggregator::OfQuantiles {
                name,
                field: Box::new(operand(&node.require("field", FIELD_HINT)?, aggregations)?),
                question,
            }),
            None => Err(node.bad_type("post-aggregator", other, SUPPORTED, PLANNED)),
        },
    }
}

/// What a type asks of a quantiles sketch, if it does.
fn quantiles_question(node: &Node<'_>, type_name: &str) -> Result<Option<QuantilesQuestion>> {
    let kinds = ["quantilesDoublesSketchTo", "KllDoublesSketchTo"];
    let Some(what) = kinds.iter().find_map(|kind| type_name.strip_prefix(kind)) else {
        return Ok(None);
    };
    let number = |name: &str| node.require(name, "give a number")?.number();
    Ok(Some(match what {
        "Quantile" => QuantilesQuestion::Quantile(fraction(number("fraction")?, node)?),
        "Quantiles" => {
            let fractions =
                numbers(&node.require("fractions", "give a list of numbers from 0 to 1")?)?;
            for given in &fractions {
                fraction(*given, node)?;
            }
            QuantilesQuestion::Quantiles(fractions)
        }
        "Rank" => QuantilesQuestion::Rank(number("value")?),
        "CDF" => QuantilesQuestion::Cdf(split_points(&node.require("splitPoints", SPLITS_HINT)?)?),
        "Histogram" => match node.get("splitPoints") {
            Some(points) => QuantilesQuestion::Counts(split_points(&points)?),
            None => {
                let parts = node.get("numBins");
                QuantilesQuestion::Histogram(parts.map_or(Ok(10), |parts| parts.within(2, 10_000))?)
            }
        },
        _ => return Ok(None),
    }))
}

const SPLITS_HINT: &str = "give a list of ascending numbers";

fn fraction(given: f64, node: &Node<'_>) -> Result<f64> {
    match (0.0..=1.0).contains(&given) {
        true => Ok(given),
        false => Err(node.invalid(format!("a fraction must be from 0 to 1, but is {given}"))),
    }
}

fn numbers(list: &Node<'_>) -> Result<Vec<f64>> {
    list.items()?.map(|item| item.number()).collect()
}

fn split_points(list: &Node<'_>) -> Result<Vec<f64>> {
    let points = numbers(list)?;
    match points.is_sorted_by(|a, b| a < b) {
        true => Ok(points),
        false => Err(list.invalid("must ascend without repetitions")),
    }
}

const FIELD_HINT: &str = "give a post-aggregator, for example \
     {\"type\":\"fieldAccess\",\"fieldName\":\"users\"}";

fn or_field(name: String, field: &str) -> String {
    if name.is_empty() { field.to_owned() } else { name }
}

fn field_name(node: &Node<'_>) -> Result<String> {
    node.require("fieldName", "name the aggregator to read")?.name()
}

fn operands(
    node: &Node<'_>,
    at_least: usize,
    aggregations: &[AggregatorSpec],
) -> Result<Vec<PostAggregator>> {
    let list = node.require("fields", "give a list of post-aggregators")?;
    let items = list.items()?;
    if items.len() < at_least {
        return Err(list.invalid(format!("must hold at least {at_least} post-aggregators")));
    }
    items.map(|item| operand(&item, aggregations)).collect()
}

fn arithmetic(
    node: &Node<'_>,
    name: String,
    aggregations: &[AggregatorSpec],
) -> Result<PostAggregator> {
    const HINT: &str = "use one of + - * / quotient pow";
    let fn_node = node.require("fn", HINT)?;
    let function = match fn_node.text()? {
        "+" => ArithmeticFn::Plus,
        "-" => ArithmeticFn::Minus,
        "*" => ArithmeticFn::Multiply,
        "/" => ArithmeticFn::Divide,
        "quotient" => ArithmeticFn::Quotient,
        "pow" => ArithmeticFn::Pow,
        other => {
            let message = format!("unknown function \"{}\"; {HINT}", excerpt(other));
            return Err(fn_node.invalid(message));
        }
    };
    Ok(PostAggregator::Arithmetic { name, function, fields: operands(node, 2, aggregations)? })
}

fn extreme(
    node: &Node<'_>,
    name: String,
    greatest: bool,
    long: bool,
    aggregations: &[AggregatorSpec],
) -> Result<PostAggregator> {
    let fields = operands(node, 1, aggregations)?;
    Ok(PostAggregator::Extreme { name, greatest, long, fields })
}

fn constant(node: &Node<'_>) -> Result<Value> {
    let Some(value) = node.get("value") else { return Ok(Value::Null) };
    match value.value() {
        // Digits that a number would lose make it the text of a number.
        serde_json::Value::String(text) => match text.parse::<f64>() {
            Ok(number) if is_long_number(text) => Ok(Value::Double(number)),
            _ => Ok(Value::String(text.clone())),
        },
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(long) => Ok(Value::Long(long)),
            None => value.number().map(Value::Double),
        },
        _ => Err(value.invalid("must be a number, a string or null")),
    }
}

/// True for what JSON's numbers of many digits are read as.
fn is_long_number(text: &str) -> bool {
    crate::exact_json::parse_json(text.as_bytes()).is_ok_and(|value| value.is_string())
}
