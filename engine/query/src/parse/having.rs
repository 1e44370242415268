//! Having clauses and limit specs of groupBy.

use super::extraction::{self, Reading, quoted};
use super::filter::plain_filter as filter;
use super::literal::number;
use super::ordering::result_ordering;
use crate::error::Result;
use crate::filter::{Filter, Literal, Ordering};
use crate::having::Having;
use crate::limit::{Direction, LimitSpec, OrderByColumn};
use crate::node::{Node, excerpt};

const SUPPORTED: &[&str] = &[
    "filter",
    "greaterThan",
    "lessThan",
    "equalTo",
    "dimSelector",
    "and",
    "or",
    "not",
    "always",
    "never",
];

pub(super) fn having(node: &Node<'_>) -> Result<Having> {
    node.spend_filter()?;
    match node.type_name(SUPPORTED)? {
        "always" => Ok(Having::Always),
        "never" => Ok(Having::Never),
        "filter" => Ok(Having::Filter(filter(&node.require("filter", "give a filter")?)?)),
        "greaterThan" => {
            let (aggregation, value) = comparison(node)?;
            Ok(Having::GreaterThan { aggregation, value })
        }
        "lessThan" => {
            let (aggregation, value) = comparison(node)?;
            Ok(Having::LessThan { aggregation, value })
        }
        "equalTo" => {
            let (aggregation, value) = comparison(node)?;
            Ok(Having::EqualTo { aggregation, value })
        }
        "dimSelector" => dim_selector(node),
        "and" => specs(node).map(Having::And),
        "or" => specs(node).map(Having::Or),
        "not" => {
            let inner = node.require("havingSpec", "give a having clause")?;
            Ok(Having::Not(Box::new(having(&inner)?)))
        }
        other => Err(node.bad_type("having", other, SUPPORTED, &[])),
    }
}

/// Equality of a dimension, or of what an extraction function makes of it.
fn dim_selector(node: &Node<'_>) -> Result<Having> {
    let dimension = node.require("dimension", "name a dimension of the query")?.name()?;
    let value = node.optional_scalar_text("value")?;
    let Some(function) = node.get("extractionFn") else {
        return Ok(Having::DimSelector { dimension, value });
    };
    let read = extraction::apply(&function, Reading::of_column(&dimension))?;
    let test = match &value {
        None => format!("isnull({})", read.text()),
        Some(value) => format!("cast({}, 'STRING') == {}", read.text(), quoted(value, '\'')),
    };
    let expression = read.with(test).expression(node)?;
    Ok(Having::Filter(Filter::Expression { expression }))
}

fn comparison(node: &Node<'_>) -> Result<(String, Literal)> {
    let hint = "name an aggregator or post-aggregator of the query";
    let aggregation = node.require("aggregation", hint)?.name()?;
    let value = number(&node.require("value", "give the number to compare with")?)?;
    Ok((aggregation, value))
}

fn specs(node: &Node<'_>) -> Result<Vec<Having>> {
    node.require("havingSpecs", "give a list of having clauses")?
        .items()?
        .map(|item| having(&item))
        .collect()
}

/// The `limitSpec` of a query; `noop` and null are none.
pub(super) fn limit_spec(query: &Node<'_>) -> Result<Option<LimitSpec>> {
    let Some(node) = query.get("limitSpec") else { return Ok(None) };
    let limit = match node.type_name(&["default", "noop"])? {
        "default" => positive(&node, "limit")?,
        "noop" | "NoopLimitSpec" => return Ok(None),
        other => return Err(node.bad_type("limitSpec", other, &["default", "noop"], &[])),
    };
    Ok(Some(LimitSpec {
        limit,
        offset: node.optional_unsigned("offset")?.unwrap_or(0),
        columns: node.list("columns", order_by)?,
    }))
}

/// A count that must be at least 1 when it is given.
fn positive(node: &Node<'_>, name: &str) -> Result<Option<u64>> {
    match node.get(name) {
        None => Ok(None),
        Some(limit) => match limit.unsigned()? {
            0 => Err(limit.invalid("must be at least 1; leave it out for no limit")),
            number => Ok(Some(number)),
        },
    }
}

fn order_by(node: &Node<'_>) -> Result<OrderByColumn> {
    if node.value().is_string() {
        return Ok(OrderByColumn {
            column: node.name()?,
            direction: Direction::Ascending,
            ordering: Ordering::Lexicographic,
        });
    }
    Ok(OrderByColumn {
        column: node.require("dimension", "name a column of the result to order by")?.name()?,
        direction: node.get("direction").map_or(Ok(Direction::Ascending), |d| direction(&d))?,
        ordering: node
            .get("dimensionOrder")
            .map_or(Ok(Ordering::Lexicographic), |order| result_ordering(&order))?,
    })
}

fn direction(node: &Node<'_>) -> Result<Direction> {
    let name = node.text()?;
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "" => Err(node.invalid("must be ascending or descending")),
        // Druid takes any beginning of the two words.
        prefix if "ascending".starts_with(prefix) => Ok(Direction::Ascending),
        prefix if "descending".starts_with(prefix) => Ok(Direction::Descending),
        _ => Err(node.invalid(format!(
            "unknown direction \"{}\"; use ascending or descending",
            excerpt(name)
        ))),
    }
}
