//! Aggregators.

use henge_types::{ColumnType, HllType, NumericOp};

use super::dimension::dimension;
use super::filter::filter;
use super::virtual_column::expression;
use crate::aggregator::{AggregatorInput, AggregatorKind, AggregatorSpec};
use crate::error::Result;
use crate::filter::Filter;
use crate::node::{Node, excerpt};

const SUPPORTED: &[&str] = &[
    "count",
    "longSum",
    "longMin",
    "longMax",
    "doubleSum",
    "doubleMin",
    "doubleMax",
    "floatSum",
    "floatMin",
    "floatMax",
    "filtered",
    "HLLSketchBuild",
    "HLLSketchMerge",
    "hyperUnique",
    "cardinality",
    "thetaSketch",
    "quantilesDoublesSketch",
    "KllDoublesSketch",
];
const PLANNED: &[&str] = &[
    "doubleMean",
    "longFirst",
    "longLast",
    "doubleFirst",
    "doubleLast",
    "floatFirst",
    "floatLast",
    "stringFirst",
    "stringLast",
    "stringFirstFold",
    "stringLastFold",
    "longAny",
    "doubleAny",
    "floatAny",
    "stringAny",
    "grouping",
    "expression",
    "histogram",
    "javascript",
    "singleValue",
    "quantilesDoublesSketchMerge",
    "KllFloatsSketch",
    "KllDoublesSketchMerge",
    "KllFloatsSketchMerge",
    "arrayOfDoublesSketch",
    "approxHistogram",
    "approxHistogramFold",
    "fixedBucketsHistogram",
    "variance",
    "varianceFold",
    "bloom",
];

pub(crate) fn aggregator(node: &Node<'_>) -> Result<AggregatorSpec> {
    named_aggregator(node, None)
}

/// `outer` is the name that a `filtered` wrapper gives; it wins.
fn named_aggregator(node: &Node<'_>, outer: Option<String>) -> Result<AggregatorSpec> {
    let type_name = node.type_name(SUPPORTED)?;
    if type_name == "filtered" {
        return filtered(node, outer);
    }
    let kind = kind(node, type_name)?;
    let name = match outer {
        Some(name) => name,
        None => node.require("name", "give the aggregator a name for the result")?.name()?,
    };
    Ok(AggregatorSpec { name, kind, filter: None })
}

fn filtered(node: &Node<'_>, outer: Option<String>) -> Result<AggregatorSpec> {
    let condition = filter(&node.require("filter", "give the filter of the rows to aggregate")?)?;
    let inner = node.require("aggregator", "give the aggregator to apply to the filtered rows")?;
    // Clients send an empty name for "take the inner one".
    let own = node.get("name").filter(|name| name.value() != "");
    let own = own.map(|name| name.name()).transpose()?;
    let mut spec = named_aggregator(&inner, outer.or(own))?;
    spec.filter = Some(match spec.filter.take() {
        None => condition,
        Some(nested) => Filter::And(vec![condition, nested]),
    });
    Ok(spec)
}

fn kind(node: &Node<'_>, type_name: &str) -> Result<AggregatorKind> {
    if let Some((op, column_type)) = numeric_type(type_name) {
        return Ok(AggregatorKind::Numeric { op, column_type, input: input(node)? });
    }
    match type_name {
        "count" => Ok(AggregatorKind::Count),
        "HLLSketchBuild" | "HLLSketchMerge" => Ok(AggregatorKind::Hll {
            field: field_name(node)?,
            lg_k: hll_lg_k(node)?,
            hll_type: hll_type(node)?,
            round: node.boolean_or("round", false)?,
            should_finalize: node.boolean_or("shouldFinalize", true)?,
            merge: type_name == "HLLSketchMerge",
        }),
        "hyperUnique" => Ok(AggregatorKind::HyperUnique {
            field: field_name(node)?,
            round: node.boolean_or("round", false)?,
        }),
        "cardinality" => cardinality(node),
        "thetaSketch" => theta(node),
        "quantilesDoublesSketch" => quantiles(node, "quantilesDoublesSketch", DEFAULT_QUANTILES_K),
        "KllDoublesSketch" => quantiles(node, "KllDoublesSketch", DEFAULT_KLL_K),
        other => Err(node.bad_type("aggregator", other, SUPPORTED, PLANNED)),
    }
}

/// The operation and type of `{long,double,float}{Sum,Min,Max}`.
pub(crate) fn numeric_type(type_name: &str) -> Option<(NumericOp, ColumnType)> {
    let (column_type, op) = match type_name.split_at_checked(type_name.len().checked_sub(3)?)? {
        ("long", op) => (ColumnType::Long, op),
        ("double", op) => (ColumnType::Double, op),
        ("float", op) => (ColumnType::Float, op),
        _ => return None,
    };
    match op {
        "Sum" => Some((NumericOp::Sum, column_type)),
        "Min" => Some((NumericOp::Min, column_type)),
        "Max" => Some((NumericOp::Max, column_type)),
        _ => None,
    }
}

pub(crate) const DEFAULT_LG_K: u8 = 12;
pub(crate) const DEFAULT_THETA_SIZE: u32 = 16_384;
pub(crate) const DEFAULT_QUANTILES_K: u16 = 128;
pub(crate) const DEFAULT_KLL_K: u16 = 200;

/// The column an aggregator reads.
pub(crate) fn field_name(node: &Node<'_>) -> Result<String> {
    node.require("fieldName", "give the column to aggregate, for example \"fieldName\": \"user\"")?
        .name()
}

fn input(node: &Node<'_>) -> Result<AggregatorInput> {
    match (node.get("fieldName"), node.get("expression")) {
        (Some(field), None) => field.name().map(AggregatorInput::Field),
        (None, Some(text)) => expression(&text).map(AggregatorInput::Expression),
        (Some(_), Some(text)) => Err(text.invalid("give fieldName or expression, not both")),
        (None, None) => Err(node.missing(
            "fieldName",
            "give the column to aggregate, for example \"fieldName\": \"added\", or an expression",
        )),
    }
}

/// `lgK` of HLL sketches.
pub(crate) fn hll_lg_k(node: &Node<'_>) -> Result<u8> {
    node.get("lgK").map_or(Ok(DEFAULT_LG_K), |k| k.within(4, 21))
}

/// `tgtHllType` of HLL sketches.
pub(crate) fn hll_type(node: &Node<'_>) -> Result<HllType> {
    let Some(node) = node.get("tgtHllType") else { return Ok(HllType::default()) };
    let name = node.text()?;
    match name.to_ascii_uppercase().as_str() {
        "HLL_4" => Ok(HllType::Hll4),
        "HLL_6" => Ok(HllType::Hll6),
        "HLL_8" => Ok(HllType::Hll8),
        _ => Err(node.invalid(format!(
            "unknown HLL type \"{}\"; known: HLL_4, HLL_6, HLL_8",
            excerpt(name)
        ))),
    }
}

fn cardinality(node: &Node<'_>) -> Result<AggregatorKind> {
    // `fieldNames` is the older spelling.
    let name = if node.get("fields").is_some() { "fields" } else { "fieldNames" };
    let fields = node.list(name, dimension)?;
    if fields.is_empty() {
        return Err(node.missing("fields", "give the columns whose values are counted"));
    }
    Ok(AggregatorKind::Cardinality {
        fields,
        by_row: node.boolean_or("byRow", false)?,
        round: node.boolean_or("round", false)?,
    })
}

/// `size` of theta sketches.
pub(crate) fn theta_size(node: &Node<'_>) -> Result<u32> {
    let Some(size) = node.get("size") else { return Ok(DEFAULT_THETA_SIZE) };
    let entries: u32 = size.within(32, 1 << 26)?;
    if !entries.is_power_of_two() {
        return Err(size.invalid(format!("must be a power of two, but is {entries}")));
    }
    Ok(entries)
}

fn theta(node: &Node<'_>) -> Result<AggregatorKind> {
    node.refuse("errorBoundsStdDev", "error bounds are not supported; leave the field out")?;
    Ok(AggregatorKind::Theta {
        field: field_name(node)?,
        size: theta_size(node)?,
        should_finalize: node.boolean_or("shouldFinalize", true)?,
    })
}

/// `k` of quantiles sketches. Both kinds are kept as KLL sketches, hence the one range.
pub(crate) fn quantiles_k(node: &Node<'_>, default: u16) -> Result<u16> {
    node.get("k").map_or(Ok(default), |k| k.within(8, 32_768))
}

fn quantiles(node: &Node<'_>, type_name: &str, default_k: u16) -> Result<AggregatorKind> {
    if !node.boolean_or("shouldFinalize", true)? {
        let message = format!("{type_name} always finalises to its count; leave the field out");
        node.refuse("shouldFinalize", &message)?;
    }
    Ok(AggregatorKind::Quantiles { field: field_name(node)?, k: quantiles_k(node, default_k)? })
}
