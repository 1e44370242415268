//! Filters that are expressions: searches, columns beside each other, arrays that hold a value.

use super::dimension::{read_of, value_type};
use super::extraction::{Reading, constant, quoted};
use super::literal::literal;
use super::search_match::search_match;
use crate::error::Result;
use crate::filter::{Filter, Literal};
use crate::node::Node;

/// `{"type":"search"}`: rows with a value that the search would find.
pub(super) fn search(node: &Node<'_>, read: Reading) -> Result<Filter> {
    let query = search_match(&node.require("query", "give what to look for")?)?;
    let test = query.test_of(read.text());
    holds(node, read.with(test))
}

/// `{"type":"columnComparison"}`: rows in which each two of the dimensions have a value in common, as
/// text. Null is a value here.
pub(super) fn column_comparison(node: &Node<'_>) -> Result<Filter> {
    /// Each is compared with each.
    const MOST: usize = 32;
    let list = node.require("dimensions", "give a list of two dimensions or more")?;
    let reads: Vec<Reading> = list.items()?.map(|item| read_of(&item)).collect::<Result<_>>()?;
    if !(2..=MOST).contains(&reads.len()) {
        return Err(list.invalid(format!("must hold 2 to {MOST} dimensions, not {}", reads.len())));
    }
    let pairs = reads.iter().enumerate().flat_map(|(index, left)| {
        let equal =
            move |right: &Reading| format!("istrue(mv_overlap({}, {}))", left.text(), right.text());
        reads[index + 1..].iter().map(equal)
    });
    let text = pairs.collect::<Vec<_>>().join(" && ");
    holds(node, Reading::of_several(reads, text))
}

/// `{"type":"arrayContainsElement"}`: rows whose array, or single value, has this one.
pub(super) fn array_contains_element(node: &Node<'_>) -> Result<Filter> {
    let read = Reading::of_column(&node.require("column", "name the column to filter on")?.name()?);
    let hint = "give the type of the value, for example \"STRING\" or \"LONG\"";
    let match_type = value_type(&node.require("elementMatchValueType", hint)?)?;
    let element = match node.get("elementMatchValue") {
        None => constant(None),
        Some(value) => match literal(&value, match_type)? {
            Literal::String(text) => quoted(&text, '\''),
            // The smallest number has no digits of its own in the language.
            Literal::Long(long) => format!("cast('{long}', 'LONG')"),
            Literal::Double(double) => format!("{double:?}"),
        },
    };
    let text = format!("array_contains({}, {element})", read.text());
    holds(node, read.with(text))
}

fn holds(node: &Node<'_>, read: Reading) -> Result<Filter> {
    let expression = read.checked(node)?.expression(node)?;
    Ok(Filter::Expression { expression })
}
