//! `{"type":"bucket"}`: numbers are rounded down to multiples of a size.

use super::Reading;
use crate::error::Result;
use crate::node::Node;

/// The start of the bucket of a number, as text: without a fraction where it is whole. What is no number
/// is null.
pub(super) fn bucket(node: &Node<'_>, read: Reading) -> Result<Reading> {
    let offset = node.get("offset").map_or(Ok(0.0), |offset| offset.number())?;
    let size = match node.get("size") {
        None => 1.0,
        Some(size) => match size.number()? {
            number if number > 0.0 => number,
            number => return Err(size.invalid(format!("must be more than 0, but is {number}"))),
        },
    };
    // Numbers are written so that they are doubles to the parser.
    let value = format!("cast({}, 'DOUBLE')", read.text());
    let start = format!("((floor(({value} - ({offset:?})) / {size:?}) * {size:?}) + ({offset:?}))");
    let whole = format!("cast({start}, 'LONG')");
    let text = format!("if({start} == {whole}, cast({whole}, 'STRING'), cast({start}, 'STRING'))");
    Ok(read.with(text))
}
