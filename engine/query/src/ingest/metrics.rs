//! `metricsSpec`: aggregations that are stored.

use henge_types::{ColumnType, HllType, MetricKind, MetricSpec, NumericOp};
use serde_json::{Value, json};

use crate::error::Result;
use crate::node::Node;
use crate::parse::{
    DEFAULT_KLL_K, DEFAULT_QUANTILES_K, field_name, hll_lg_k, hll_type, numeric_type, quantiles_k,
    theta_size,
};

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
    "HLLSketchBuild",
    "HLLSketchMerge",
    "hyperUnique",
    "thetaSketch",
    "quantilesDoublesSketch",
    "KllDoublesSketch",
];
const PLANNED: &[&str] = &[
    "filtered",
    "cardinality",
    "longFirst",
    "longLast",
    "doubleFirst",
    "doubleLast",
    "floatFirst",
    "floatLast",
    "stringFirst",
    "stringLast",
    "longAny",
    "doubleAny",
    "floatAny",
    "stringAny",
    "expression",
    "javascript",
    "arrayOfDoublesSketch",
    "approxHistogram",
    "fixedBucketsHistogram",
    "variance",
    "bloom",
    "KllFloatsSketch",
];
const HLL_FIELDS: &[&str] = &[
    "type",
    "name",
    "fieldName",
    "lgK",
    "tgtHllType",
    "round",
    "shouldFinalize",
    "stringEncoding",
];

pub(super) fn metric(node: &Node<'_>) -> Result<MetricSpec> {
    let type_name = node.type_name(SUPPORTED)?;
    let kind = kind(node, type_name)?;
    let field = match kind {
        MetricKind::Count => None,
        _ => Some(field_name(node)?),
    };
    Ok(MetricSpec { name: node.require("name", "name the stored column")?.name()?, field, kind })
}

fn kind(node: &Node<'_>, type_name: &str) -> Result<MetricKind> {
    if let Some((op, column_type)) = numeric_type(type_name) {
        let hint = "expressions are not supported here; compute the field in transformSpec";
        node.refuse("expression", hint)?;
        node.only_fields(&["type", "name", "fieldName", "expression"])?;
        return Ok(MetricKind::Numeric { op, column_type });
    }
    match type_name {
        "count" => {
            node.only_fields(&["type", "name", "fieldName"])?;
            Ok(MetricKind::Count)
        }
        "HLLSketchBuild" => {
            node.only_fields(HLL_FIELDS)?;
            Ok(MetricKind::HllBuild { lg_k: hll_lg_k(node)?, hll_type: hll_type(node)? })
        }
        "HLLSketchMerge" => {
            node.only_fields(HLL_FIELDS)?;
            Ok(MetricKind::HllMerge { lg_k: hll_lg_k(node)?, hll_type: hll_type(node)? })
        }
        "hyperUnique" => {
            node.only_fields(&["type", "name", "fieldName", "isInputHyperUnique", "round"])?;
            if node.boolean_or("isInputHyperUnique", false)? {
                let message = "Druid's hyperUnique sketches cannot be read; ingest the raw values";
                node.refuse("isInputHyperUnique", message)?;
            }
            Ok(MetricKind::HyperUnique)
        }
        "thetaSketch" => theta(node),
        "quantilesDoublesSketch" => quantiles(node, DEFAULT_QUANTILES_K),
        "KllDoublesSketch" => quantiles(node, DEFAULT_KLL_K),
        other => Err(node.bad_type("metric", other, SUPPORTED, PLANNED)),
    }
}

fn theta(node: &Node<'_>) -> Result<MetricKind> {
    node.only_fields(&[
        "type",
        "name",
        "fieldName",
        "size",
        "isInputThetaSketch",
        "shouldFinalize",
        "errorBoundsStdDev",
    ])?;
    Ok(MetricKind::Theta {
        size: theta_size(node)?,
        input_is_sketch: node.boolean_or("isInputThetaSketch", false)?,
    })
}

fn quantiles(node: &Node<'_>, default_k: u16) -> Result<MetricKind> {
    node.only_fields(&["type", "name", "fieldName", "k", "maxStreamLength", "shouldFinalize"])?;
    Ok(MetricKind::Quantiles { k: quantiles_k(node, default_k)? })
}

/// A metric as Druid's JSON, as it was given: `fieldName` is the input field.
#[must_use]
pub fn metric_to_value(metric: &MetricSpec) -> Value {
    let name = metric.name.as_str();
    let field = metric.field.as_deref().unwrap_or(name);
    match &metric.kind {
        MetricKind::Count => json!({"type": "count", "name": name}),
        MetricKind::HllBuild { lg_k, hll_type } => {
            hll("HLLSketchBuild", name, field, *lg_k, *hll_type)
        }
        MetricKind::Theta { size, input_is_sketch } => json!({
            "type": "thetaSketch",
            "name": name,
            "fieldName": field,
            "size": size,
            "isInputThetaSketch": input_is_sketch,
        }),
        kind => same_in_both_forms(kind, name, field),
    }
}

/// A metric as the aggregator that combines stored rows, as segmentMetadata shows it: counts are
/// summed, raw values have become sketches, and `fieldName` is the stored column.
#[must_use]
pub fn combining_metric_to_value(metric: &MetricSpec) -> Value {
    let name = metric.name.as_str();
    match &metric.kind {
        MetricKind::Count => json!({"type": "longSum", "name": name, "fieldName": name}),
        MetricKind::HllBuild { lg_k, hll_type } => {
            hll("HLLSketchMerge", name, name, *lg_k, *hll_type)
        }
        MetricKind::Theta { size, .. } => json!({
            "type": "thetaSketch",
            "name": name,
            "fieldName": name,
            "size": size,
            "shouldFinalize": true,
            "isInputThetaSketch": false,
            "errorBoundsStdDev": null,
        }),
        kind => same_in_both_forms(kind, name, name),
    }
}

fn same_in_both_forms(kind: &MetricKind, name: &str, field: &str) -> Value {
    match kind {
        MetricKind::Numeric { op, column_type } => json!({
            "type": numeric_type_name(*op, column_type),
            "name": name,
            "fieldName": field,
        }),
        MetricKind::HllMerge { lg_k, hll_type } => {
            hll("HLLSketchMerge", name, field, *lg_k, *hll_type)
        }
        MetricKind::HyperUnique => json!({
            "type": "hyperUnique",
            "name": name,
            "fieldName": field,
            "isInputHyperUnique": false,
            "round": false,
        }),
        MetricKind::Quantiles { k } => json!({
            "type": "quantilesDoublesSketch",
            "name": name,
            "fieldName": field,
            "k": k,
        }),
        MetricKind::Count | MetricKind::HllBuild { .. } | MetricKind::Theta { .. } => Value::Null,
    }
}

fn hll(type_name: &str, name: &str, field: &str, lg_k: u8, hll_type: HllType) -> Value {
    json!({
        "type": type_name,
        "name": name,
        "fieldName": field,
        "lgK": lg_k,
        "tgtHllType": hll_type_name(hll_type),
        "round": false,
    })
}

pub(crate) fn hll_type_name(hll_type: HllType) -> &'static str {
    match hll_type {
        HllType::Hll4 => "HLL_4",
        HllType::Hll6 => "HLL_6",
        HllType::Hll8 => "HLL_8",
    }
}

/// `{long,double,float}{Sum,Min,Max}`.
pub(crate) fn numeric_type_name(op: NumericOp, column_type: &ColumnType) -> String {
    let prefix = match column_type {
        ColumnType::Long => "long",
        ColumnType::Float => "float",
        _ => "double",
    };
    let suffix = match op {
        NumericOp::Sum => "Sum",
        NumericOp::Min => "Min",
        NumericOp::Max => "Max",
    };
    format!("{prefix}{suffix}")
}
