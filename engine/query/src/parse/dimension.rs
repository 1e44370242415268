//! Dimension specs and column types.

use henge_types::ValueType;

use super::extraction;
use crate::dimension::DimensionSpec;
use crate::error::Result;
use crate::node::{Node, excerpt};

const SUPPORTED: &[&str] = &["default", "extraction", "lookup"];
const PLANNED: &[&str] = &["listFiltered", "regexFiltered", "prefixFiltered"];

/// A bare column name, `{"type":"default"}` (the type may be left out), or what reads a virtual column of
/// its own: an extraction or a lookup.
pub(crate) fn dimension(node: &Node<'_>) -> Result<DimensionSpec> {
    if node.value().is_string() {
        let dimension = node.name()?;
        let output_name = dimension.clone();
        return Ok(DimensionSpec { dimension, output_name, output_type: ValueType::String });
    }
    node.object()?;
    let type_name = match node.get("type") {
        Some(_) => node.type_name(SUPPORTED)?,
        None => "default",
    };
    let extraction = match type_name {
        "default" => None,
        "extraction" => {
            let function = node.require("extractionFn", "give the function to apply")?;
            Some(extraction::of_function(&function)?)
        }
        "lookup" => Some(extraction::of_lookup(node)?),
        other => return Err(node.bad_type("dimension", other, SUPPORTED, PLANNED)),
    };
    let column = node.require("dimension", "name the column to group by")?.name()?;
    let output_name = node.optional_name("outputName")?.unwrap_or_else(|| column.clone());
    let dimension = match extraction {
        None => column,
        Some(extraction) => node.derive(extraction.over(node, &column)?),
    };
    let output_type = match node.get("outputType") {
        Some(output_type) => value_type(&output_type)?,
        None => ValueType::String,
    };
    Ok(DimensionSpec { dimension, output_name, output_type })
}

/// STRING, LONG, FLOAT or DOUBLE in any case.
pub(crate) fn value_type(node: &Node<'_>) -> Result<ValueType> {
    let name = node.text()?;
    match name.to_ascii_uppercase().as_str() {
        "STRING" => Ok(ValueType::String),
        "LONG" => Ok(ValueType::Long),
        "FLOAT" => Ok(ValueType::Float),
        "DOUBLE" => Ok(ValueType::Double),
        other if other.starts_with("ARRAY") || other.starts_with("COMPLEX") => Err(node
            .unsupported(format!(
                "type {} is not supported here; supported: STRING, LONG, FLOAT, DOUBLE",
                excerpt(name)
            ))),
        _ => Err(node.invalid(format!(
            "unknown type \"{}\"; known: STRING, LONG, FLOAT, DOUBLE",
            excerpt(name)
        ))),
    }
}
