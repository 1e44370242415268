//! Typed literals of `equals` and `range`.

use henge_types::ColumnType;

use crate::error::Result;
use crate::filter::Literal;
use crate::node::Node;

/// A value read as the declared type: numbers may come as strings and the other way round.
pub(super) fn literal(node: &Node<'_>, match_type: &ColumnType) -> Result<Literal> {
    match match_type {
        ColumnType::Long => long(node).map(Literal::Long),
        ColumnType::Float | ColumnType::Double => node.number().map(Literal::Double),
        _ => node.scalar_text().map(Literal::String),
    }
}

/// Saturation, which limits and priorities can live with, would match the wrong rows here.
fn long(node: &Node<'_>) -> Result<i64> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    match node.value() {
        serde_json::Value::Number(number)
            if !number.is_i64() && !(-TWO_TO_63..TWO_TO_63).contains(&node.number()?) =>
        {
            Err(node.invalid("does not fit into a LONG"))
        }
        _ => node.integer(),
    }
}
