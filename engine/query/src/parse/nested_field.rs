//! `{"type":"nested-field"}`: what lies at a path in JSON documents.

use std::fmt::Write;

use henge_expr::Expr;
use henge_expr::json::JsonPath;
use henge_types::ValueType;

use super::dimension::value_type;
use super::extraction::quoted;
use super::virtual_column::element_type;
use crate::error::Result;
use crate::node::Node;
use crate::virtual_column::VirtualColumn;

/// As `json_value`, or as `json_query` where the raw document is asked for.
pub(super) fn nested_field(node: &Node<'_>) -> Result<VirtualColumn> {
    let column = node.require("columnName", "name the column of documents")?.name()?;
    let name = node.require("outputName", "give the virtual column a name")?.name()?;
    let (column, path) = (quoted(&column, '"'), quoted(&path(node)?, '\''));
    let expected = node.get("expectedType");
    let (text, output_type) = if node.boolean_or("processFromRaw", false)? {
        (format!("json_query({column}, {path})"), Some(ValueType::String))
    } else if let Some(element) = expected.as_ref().and_then(element_type) {
        (format!("json_value({column}, {path}, 'ARRAY<{element}>')"), None)
    } else {
        let output_type =
            expected.map_or(Ok(ValueType::String), |expected| value_type(&expected))?;
        let read_as = match output_type {
            ValueType::String => "STRING",
            ValueType::Long => "LONG",
            // Expressions know one type of decimals.
            ValueType::Float | ValueType::Double => "DOUBLE",
        };
        (format!("json_value({column}, {path}, '{read_as}')"), Some(output_type))
    };
    let expression = Expr::parse(&text).map_err(|error| node.invalid(error.to_string()))?;
    Ok(VirtualColumn { name, expression, output_type })
}

/// `path`, or the path that `pathParts` spell.
fn path(node: &Node<'_>) -> Result<String> {
    if let Some(format) = node.get("pathFormat").or_else(|| node.get("useJqSyntax"))
        && format.value() != "path"
        && format.value() != &serde_json::Value::Bool(false)
    {
        return Err(format.unsupported("paths are written like $.name[0]; leave this field out"));
    }
    let Some(parts) = node.get("pathParts") else {
        let path = node.require("path", "give a path, for example \"$.name[0]\"")?;
        let text = path.text()?;
        JsonPath::parse(text).map_err(|error| path.invalid(error))?;
        return Ok(text.to_owned());
    };
    let mut path = String::from("$");
    for part in parts.items()? {
        const SUPPORTED: &[&str] = &["field", "arrayElement"];
        match part.type_name(SUPPORTED)? {
            "field" => {
                let field = part.require("field", "name the field")?;
                let name = field.name()?;
                if name.contains("']") {
                    return Err(field.unsupported("names with '] in them cannot be in a path"));
                }
                // Writing to a String cannot fail.
                let _ = write!(path, "['{name}']");
            }
            "arrayElement" => {
                let index = part.require("index", "give the position of the element")?.integer()?;
                let _ = write!(path, "[{index}]");
            }
            other => return Err(part.bad_type("path part", other, SUPPORTED, &[])),
        }
    }
    JsonPath::parse(&path).map_err(|error| parts.invalid(error))?;
    Ok(path)
}
