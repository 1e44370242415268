//! Dimension specs and column types.

use henge_types::ValueType;

use super::extraction::{self, Reading};
use super::filtered::Kept;
use crate::dimension::DimensionSpec;
use crate::error::Result;
use crate::filter::Filter;
use crate::node::{Node, excerpt};

const SUPPORTED: &[&str] =
    &["default", "extraction", "lookup", "listFiltered", "regexFiltered", "prefixFiltered"];

/// A bare column name, `{"type":"default"}` (the type may be left out), or what reads a virtual column of
/// its own: an extraction, a lookup, some of the values.
pub(crate) fn dimension(node: &Node<'_>) -> Result<DimensionSpec> {
    described(node)?.spec(node)
}

/// As [`dimension`], with the rows that have a value of it at all: a ranking leaves out the others, where
/// groups have null for them.
pub(super) fn ranked_dimension(node: &Node<'_>) -> Result<(DimensionSpec, Option<Filter>)> {
    let mut described = described(node)?;
    let rows = described.rows.take();
    Ok((described.spec(node)?, rows))
}

/// What a dimension reads, for whoever computes with it.
pub(super) fn read_of(node: &Node<'_>) -> Result<Reading> {
    described(node).map(|described| described.read)
}

/// What a dimension spec says.
struct Described {
    read: Reading,
    /// The rows that keep a value, where some values are left out.
    rows: Option<Filter>,
    output_name: String,
    output_type: ValueType,
}

impl Described {
    fn spec(self, node: &Node<'_>) -> Result<DimensionSpec> {
        let Self { read, output_name, output_type, .. } = self;
        Ok(DimensionSpec { dimension: read.into_column(node)?, output_name, output_type })
    }
}

fn described(node: &Node<'_>) -> Result<Described> {
    if node.value().is_string() {
        let output_name = node.name()?;
        let read = Reading::of_column(&output_name);
        return Ok(Described { read, rows: None, output_name, output_type: ValueType::String });
    }
    node.object()?;
    let type_name = match node.get("type") {
        Some(_) => node.type_name(SUPPORTED)?,
        None => "default",
    };
    match type_name {
        "default" => of_column(node, Ok),
        "extraction" => of_column(node, |read| {
            let function = node.require("extractionFn", "give the function to apply")?;
            extraction::apply(&function, read)
        }),
        "lookup" => of_column(node, |read| extraction::look_up(node, read)),
        "listFiltered" => {
            // Newer clients name it as the virtual columns do.
            let flag =
                if node.get("isAllowList").is_some() { "isAllowList" } else { "isWhitelist" };
            filtered(node, &Kept::of_list(node, flag)?)
        }
        "regexFiltered" => filtered(node, &Kept::matching(node)?),
        "prefixFiltered" => filtered(node, &Kept::beginning(node)?),
        other => Err(node.bad_type("dimension", other, SUPPORTED, &[])),
    }
}

fn of_column(node: &Node<'_>, made: impl FnOnce(Reading) -> Result<Reading>) -> Result<Described> {
    let column = node.require("dimension", "name the column to group by")?.name()?;
    let output_name = node.optional_name("outputName")?.unwrap_or_else(|| column.clone());
    let output_type = match node.get("outputType") {
        Some(output_type) => value_type(&output_type)?,
        None => ValueType::String,
    };
    Ok(Described { read: made(Reading::of_column(&column))?, rows: None, output_name, output_type })
}

/// Some of the values of another dimension.
fn filtered(node: &Node<'_>, kept: &Kept) -> Result<Described> {
    let delegate = node.require("delegate", "give the dimension whose values are filtered")?;
    let inner = described(&delegate)?;
    let rows = kept.rows(node, &inner.read)?;
    let rows = match inner.rows {
        None => rows,
        Some(others) => Filter::And(vec![others, rows]),
    };
    Ok(Described { read: kept.of(inner.read), rows: Some(rows), ..inner })
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
