//! Virtual columns and expressions.

use henge_expr::Expr;
use henge_types::ValueType;

use super::dimension::{read_of, value_type};
use super::filtered::Kept;
use super::nested_field::nested_field;
use crate::error::Result;
use crate::node::Node;
use crate::virtual_column::VirtualColumn;

const SUPPORTED: &[&str] =
    &["expression", "nested-field", "mv-filtered", "mv-regex-filtered", "mv-prefix-filtered"];
const PLANNED: &[&str] = &["list-filtered", "regex-filtered", "prefix-filtered", "fallback"];

pub(crate) fn virtual_column(node: &Node<'_>) -> Result<VirtualColumn> {
    match node.type_name(SUPPORTED)? {
        "expression" => of_expression(node),
        "nested-field" => nested_field(node),
        "mv-filtered" => filtered(node, &Kept::of_list(node, "isAllowList")?),
        "mv-regex-filtered" => filtered(node, &Kept::matching(node)?),
        "mv-prefix-filtered" => filtered(node, &Kept::beginning(node)?),
        other => Err(node.bad_type("virtual column", other, SUPPORTED, PLANNED)),
    }
}

/// Some of the values of a dimension; null where there are none.
fn filtered(node: &Node<'_>, kept: &Kept) -> Result<VirtualColumn> {
    let name = node.require("name", "give the virtual column a name")?.name()?;
    let delegate = node.require("delegate", "give the dimension whose values are filtered")?;
    let values = kept.of(read_of(&delegate)?);
    let text = format!("if(array_length({0}) == 0, null, {0})", values.text());
    let expression = values.with(text).expression(node)?;
    Ok(VirtualColumn { name, expression, output_type: Some(ValueType::String) })
}

fn of_expression(node: &Node<'_>) -> Result<VirtualColumn> {
    let name = node.require("name", "give the virtual column a name")?.name()?;
    let text = node.require("expression", "give an expression, for example \"a + b\"")?;
    let declared = node.get("outputType");
    if let Some(element) = declared.as_ref().and_then(element_type) {
        // Lists of a type are what the expression says they are.
        let cast = format!("cast({}, 'ARRAY<{element}>')", text.text()?);
        expression(&text)?;
        let expression = Expr::parse_with(&cast, node.lookups());
        let expression = expression.map_err(|error| text.invalid(error.to_string()))?;
        return Ok(VirtualColumn { name, expression, output_type: None });
    }
    let output_type = declared.map(|t| value_type(&t)).transpose()?;
    Ok(VirtualColumn { name, expression: expression(&text)?, output_type })
}

/// The type of the elements where the declared type is one of lists.
pub(super) fn element_type(node: &Node<'_>) -> Option<&'static str> {
    let name = node.value().as_str()?.to_ascii_uppercase();
    match name.strip_prefix("ARRAY<")?.strip_suffix('>')? {
        "STRING" => Some("STRING"),
        "LONG" => Some("LONG"),
        // Expressions know one type of decimals.
        "DOUBLE" | "FLOAT" => Some("DOUBLE"),
        _ => None,
    }
}

/// Parses an expression.
pub(crate) fn expression(node: &Node<'_>) -> Result<Expr> {
    Expr::parse_with(node.text()?, node.lookups()).map_err(|error| node.invalid(error.to_string()))
}
