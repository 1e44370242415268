//! `{long,double,float}{Sum,Min,Max}`.

use henge_types::{MetricKind, NumericOp, ValueType};
use serde_json::json;

use super::{MetricForm, Shown};
use crate::aggregate::numeric_type;
use crate::error::Result;
use crate::node::Node;

pub(super) const FORM: MetricForm = MetricForm {
    names: &[
        "longSum",
        "longMin",
        "longMax",
        "doubleSum",
        "doubleMin",
        "doubleMax",
        "floatSum",
        "floatMin",
        "floatMax",
    ],
    reads_field: true,
    parse,
};

fn parse(node: &Node<'_>, type_name: &str) -> Result<MetricKind> {
    let hint = "expressions are not supported here; compute the field in transformSpec";
    node.refuse("expression", hint)?;
    node.only_fields(&["type", "name", "fieldName", "expression"])?;
    let Some((op, column_type)) = numeric_type(type_name) else {
        return Err(node.bad_type("metric", type_name, FORM.names, &[]));
    };
    Ok(MetricKind::Numeric { op, column_type })
}

pub(super) fn shown(op: NumericOp, column_type: ValueType) -> [Shown; 2] {
    let name = numeric_type_name(op, column_type);
    [Shown::new(name.clone(), json!({})), Shown::new(name, json!({}))]
}

/// `{long,double,float}{Sum,Min,Max}`.
pub(crate) fn numeric_type_name(op: NumericOp, column_type: ValueType) -> String {
    let prefix = match column_type {
        ValueType::Long => "long",
        ValueType::Float => "float",
        ValueType::Double | ValueType::String => "double",
    };
    let suffix = match op {
        NumericOp::Sum => "Sum",
        NumericOp::Min => "Min",
        NumericOp::Max => "Max",
    };
    format!("{prefix}{suffix}")
}
