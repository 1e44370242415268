//! Typed literals of `equals` and `range`.

use std::num::IntErrorKind::{NegOverflow, PosOverflow};

use henge_types::ValueType;

use crate::error::Result;
use crate::filter::Literal;
use crate::node::Node;

/// A value read as the declared type: numbers may come as strings and the other way round.
pub(super) fn literal(node: &Node<'_>, match_type: ValueType) -> Result<Literal> {
    match match_type {
        ValueType::Long => long(node).map(Literal::Long),
        ValueType::Float | ValueType::Double => node.number().map(Literal::Double),
        ValueType::String => node.scalar_text().map(Literal::String),
    }
}

/// A number of any size, exact: what a double may not hold stays text.
pub(super) fn number(node: &Node<'_>) -> Result<Literal> {
    const TWO_TO_53: f64 = 9_007_199_254_740_992.0;
    /// A double holds so many digits.
    const SAFE_DIGITS: usize = 15;
    let double = node.number()?;
    let text = match node.value() {
        serde_json::Value::String(text) => text.trim().to_owned(),
        serde_json::Value::Number(number) if !number.is_f64() => number.to_string(),
        _ => return Ok(Literal::Double(double)),
    };
    Ok(match text.parse() {
        Ok(long) => Literal::Long(long),
        Err(_) if text.len() <= SAFE_DIGITS && double.abs() < TWO_TO_53 => Literal::Double(double),
        Err(_) => Literal::String(text),
    })
}

/// Saturation, which limits and priorities can live with, would match the wrong rows here. What is
/// read as -2^63 and is no integer may have been `-9223372036854775809`, so it is none either.
fn long(node: &Node<'_>) -> Result<i64> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    match node.value() {
        serde_json::Value::Number(number)
            if !number.is_i64() && node.number()?.abs() >= TWO_TO_63 =>
        {
            Err(node.invalid("does not fit into a LONG"))
        }
        serde_json::Value::String(text) => {
            let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
            let is_whole = fraction.bytes().all(|digit| digit == b'0');
            match whole.parse::<i64>() {
                Ok(long) if is_whole => Ok(long),
                Err(error) if matches!(error.kind(), PosOverflow | NegOverflow) => {
                    Err(node.invalid("does not fit into a LONG"))
                }
                _ => node.integer(),
            }
        }
        _ => node.integer(),
    }
}
