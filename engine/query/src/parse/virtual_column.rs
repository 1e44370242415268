//! Virtual columns and expressions.

use henge_expr::Expr;

use super::dimension::value_type;
use crate::error::Result;
use crate::node::Node;
use crate::virtual_column::VirtualColumn;

const SUPPORTED: &[&str] = &["expression"];
const PLANNED: &[&str] = &[
    "nested-field",
    "mv-filtered",
    "mv-regex-filtered",
    "mv-prefix-filtered",
    "list-filtered",
    "regex-filtered",
    "prefix-filtered",
    "fallback",
];

pub(crate) fn virtual_column(node: &Node<'_>) -> Result<VirtualColumn> {
    match node.type_name(SUPPORTED)? {
        "expression" => {}
        other => return Err(node.bad_type("virtual column", other, SUPPORTED, PLANNED)),
    }
    let name = node.require("name", "give the virtual column a name")?.name()?;
    let expression =
        expression(&node.require("expression", "give an expression, for example \"a + b\"")?)?;
    let output_type = node.get("outputType").map(|t| value_type(&t)).transpose()?;
    Ok(VirtualColumn { name, expression, output_type })
}

/// Parses an expression.
pub(crate) fn expression(node: &Node<'_>) -> Result<Expr> {
    Expr::parse_with(node.text()?, node.lookups()).map_err(|error| node.invalid(error.to_string()))
}
