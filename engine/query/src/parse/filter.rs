//! Filters.

use henge_types::ValueType;

use super::computed_filter;
use super::dimension::value_type;
use super::extraction::{self, Reading};
use super::intervals::interval_list;
use super::literal::literal;
use super::ordering::{ordering, regex};
use super::virtual_column::expression;
use crate::error::Result;
use crate::filter::{Filter, Literal, Ordering, RangeBound};
use crate::node::Node;

const SUPPORTED: &[&str] = &[
    "selector",
    "equals",
    "in",
    "bound",
    "range",
    "null",
    "like",
    "regex",
    "interval",
    "and",
    "or",
    "not",
    "true",
    "false",
    "istrue",
    "isfalse",
    "expression",
    "search",
    "extraction",
    "inType",
    "arrayContainsElement",
    "columnComparison",
];
/// Those whose column is a dimension, which an extraction function may stand before.
const OF_A_DIMENSION: &[&str] =
    &["selector", "in", "bound", "like", "regex", "interval", "search", "extraction"];
const PLANNED: &[&str] = &["spatial", "javascript", "bloom"];

/// An optional filter.
pub(super) fn optional_filter(parent: &Node<'_>, name: &str) -> Result<Option<Filter>> {
    parent.get(name).map(|node| filter(&node)).transpose()
}

/// An optional filter without extraction functions.
pub(crate) fn optional_plain_filter(parent: &Node<'_>, name: &str) -> Result<Option<Filter>> {
    parent.get(name).map(|node| plain_filter(&node)).transpose()
}

/// A filter of what no virtual columns of the query are seen by: where an extraction function cannot be.
pub(super) fn plain_filter(node: &Node<'_>) -> Result<Filter> {
    let outer = node.budget().swap_derived(Vec::new());
    let read = filter(node);
    let derived = node.budget().swap_derived(outer);
    match derived.is_empty() {
        true => read,
        false => Err(node.unsupported(
            "extraction functions are not supported here; use a filter of type expression",
        )),
    }
}

/// One filter, with everything below it.
pub(crate) fn filter(node: &Node<'_>) -> Result<Filter> {
    node.spend_filter()?;
    let type_name = node.type_name(SUPPORTED)?;
    if SUPPORTED.contains(&type_name) && !OF_A_DIMENSION.contains(&type_name) {
        let hint = "this filter takes no extraction function; use one over a virtual column";
        node.refuse("extractionFn", hint)?;
    }
    match type_name {
        "selector" => selector(node),
        "extraction" => {
            node.require("extractionFn", "give the function, or use a filter of type selector")?;
            selector(node)
        }
        "equals" => equals(node),
        "in" => Ok(Filter::In { column: dimension_name(node)?, values: in_values(node)? }),
        "inType" | "typedIn" => in_type(node),
        "search" => computed_filter::search(node, dimension_read(node)?),
        "arrayContainsElement" => computed_filter::array_contains_element(node),
        "columnComparison" => computed_filter::column_comparison(node),
        "bound" => bound(node),
        "range" => range(node),
        "null" => Ok(Filter::IsNull { column: column_name(node)? }),
        "like" => like(node),
        "regex" => {
            let pattern = node.require("pattern", "give a regular expression")?;
            Ok(Filter::Regex { column: dimension_name(node)?, regex: regex(&pattern)? })
        }
        "interval" => Ok(Filter::Interval {
            column: dimension_name(node)?,
            intervals: interval_list(&node.require("intervals", "give a list of intervals")?)?,
        }),
        "and" => fields(node).map(Filter::And),
        "or" => fields(node).map(Filter::Or),
        "not" => field(node).map(|inner| Filter::Not(Box::new(inner))),
        "istrue" => field(node).map(|inner| Filter::IsTrue(Box::new(inner))),
        "isfalse" => {
            field(node).map(|inner| Filter::IsTrue(Box::new(Filter::Not(Box::new(inner)))))
        }
        "true" => Ok(Filter::True),
        "false" => Ok(Filter::False),
        "expression" => Ok(Filter::Expression {
            expression: expression(&node.require("expression", "give an expression")?)?,
        }),
        other => Err(node.bad_type("filter", other, SUPPORTED, PLANNED)),
    }
}

fn dimension_name(node: &Node<'_>) -> Result<String> {
    dimension_read(node)?.into_column(node)
}

/// What a filter's `extractionFn` makes of its dimension.
fn dimension_read(node: &Node<'_>) -> Result<Reading> {
    let column = node.require("dimension", "name the column to filter on")?.name()?;
    let read = Reading::of_column(&column);
    match node.get("extractionFn") {
        None => Ok(read),
        Some(function) => extraction::apply(&function, read),
    }
}

fn column_name(node: &Node<'_>) -> Result<String> {
    node.require("column", "name the column to filter on")?.name()
}

fn selector(node: &Node<'_>) -> Result<Filter> {
    let value = node.optional_scalar_text("value")?;
    Ok(Filter::Selector { column: dimension_name(node)?, value })
}

/// Membership whose values have a declared type: they are what they are as text, whatever the column is.
fn in_type(node: &Node<'_>) -> Result<Filter> {
    let match_type = match_type(node)?;
    let list = match node.get("sortedValues") {
        Some(list) => list,
        None => node.require("values", "give a list of values")?,
    };
    let value = |item: Node<'_>| -> Result<Option<String>> {
        if item.value().is_null() {
            return Ok(None);
        }
        Ok(Some(match literal(&item, match_type)? {
            Literal::String(text) => text,
            Literal::Long(long) => long.to_string(),
            Literal::Double(double) => format!("{double:?}"),
        }))
    };
    let values = list.items()?.map(value).collect::<Result<Vec<_>>>()?;
    Ok(Filter::In { column: column_name(node)?, values: sorted_set(values) })
}

fn field(node: &Node<'_>) -> Result<Filter> {
    filter(&node.require("field", "give a filter")?)
}

fn fields(node: &Node<'_>) -> Result<Vec<Filter>> {
    let list = node.require("fields", "give a list of filters")?;
    let fields: Vec<Filter> = list
        .items()?
        .filter(|item| !item.value().is_null())
        .map(|item| filter(&item))
        .collect::<Result<_>>()?;
    if fields.is_empty() {
        return Err(list.invalid("must hold at least one filter"));
    }
    Ok(fields)
}

fn match_type(node: &Node<'_>) -> Result<ValueType> {
    let hint = "give the type of the value, for example \"STRING\" or \"LONG\"";
    value_type(&node.require("matchValueType", hint)?)
}

fn equals(node: &Node<'_>) -> Result<Filter> {
    let match_type = match_type(node)?;
    let hint = "give the value to match; for null use {\"type\":\"null\"}";
    let value = literal(&node.require("matchValue", hint)?, match_type)?;
    Ok(Filter::Equals { column: column_name(node)?, match_type, value })
}

/// Sorted and free of duplicates, null first. A million values take one sort.
fn sorted_set(mut values: Vec<Option<String>>) -> Vec<Option<String>> {
    values.sort_unstable();
    values.dedup();
    values
}

fn in_values(node: &Node<'_>) -> Result<Vec<Option<String>>> {
    let list = node.require("values", "give a list of values")?;
    let values = list
        .items()?
        .map(|item| if item.value().is_null() { Ok(None) } else { item.scalar_text().map(Some) })
        .collect::<Result<Vec<_>>>()?;
    Ok(sorted_set(values))
}

fn bound(node: &Node<'_>) -> Result<Filter> {
    let end = |name: &str, strict: &str| -> Result<Option<RangeBound<String>>> {
        let strict = node.boolean_or(strict, false)?;
        Ok(node.optional_scalar_text(name)?.map(|value| RangeBound { value, strict }))
    };
    let lower = end("lower", "lowerStrict")?;
    let upper = end("upper", "upperStrict")?;
    if lower.is_none() && upper.is_none() {
        return Err(node.missing("lower", "give lower, upper or both"));
    }
    let ordering = match node.get("ordering") {
        Some(name) => ordering(&name)?,
        None if node.boolean_or("alphaNumeric", false)? => Ordering::Alphanumeric,
        None => Ordering::Lexicographic,
    };
    Ok(Filter::Bound { column: dimension_name(node)?, lower, upper, ordering })
}

fn range(node: &Node<'_>) -> Result<Filter> {
    let match_type = match_type(node)?;
    let end = |name: &str, open: &str| -> Result<Option<RangeBound<Literal>>> {
        let strict = node.boolean_or(open, false)?;
        let Some(value) = node.get(name) else { return Ok(None) };
        Ok(Some(RangeBound { value: literal(&value, match_type)?, strict }))
    };
    let lower = end("lower", "lowerOpen")?;
    let upper = end("upper", "upperOpen")?;
    if lower.is_none() && upper.is_none() {
        return Err(node.missing("lower", "give lower, upper or both"));
    }
    Ok(Filter::Range { column: column_name(node)?, match_type, lower, upper })
}

fn like(node: &Node<'_>) -> Result<Filter> {
    let pattern_node = node.require("pattern", "give a pattern, for example \"%air%\"")?;
    let pattern = pattern_node.scalar_text()?;
    let escape = match node.get("escape") {
        None => None,
        Some(escape) => {
            let mut chars = escape.text()?.chars();
            match (chars.next(), chars.next()) {
                (first, None) => first,
                _ => return Err(escape.invalid("must be a single character")),
            }
        }
    };
    if let Some(escape) = escape
        && ends_in_open_escape(&pattern, escape)
    {
        return Err(pattern_node.invalid(format!(
            "ends in the escape character '{escape}'; write it twice to match it"
        )));
    }
    Ok(Filter::Like { column: dimension_name(node)?, pattern, escape })
}

fn ends_in_open_escape(pattern: &str, escape: char) -> bool {
    pattern.chars().fold(false, |open, c| !open && c == escape)
}
