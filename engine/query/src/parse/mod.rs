//! From JSON to the query model: a hand-written walk, so that each error names its path and fix.
//!
//! Unknown fields are ignored, as Druid does, and told of; one that is a letter or two away from a
//! known one is an error, as are unknown `type`s and wrong value types.

mod computed_filter;
mod context;
mod context_names;
mod datasource;
mod dimension;
mod extraction;
mod filter;
mod filtered;
mod grouped;
mod having;
mod intervals;
mod literal;
mod metadata;
mod nested_field;
mod ordering;
mod post_aggregator;
mod rows;
mod search_match;
mod virtual_column;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use henge_expr::Lookups;
use henge_types::Interval;
use serde_json::Value;

pub(crate) use context_names::CONTEXT_OF_DRUID;
pub(crate) use dimension::{dimension, value_type};
pub(crate) use filter::{filter, optional_plain_filter};
pub(crate) use intervals::{granularity, interval_list};
pub(crate) use virtual_column::{expression, virtual_column};

use crate::bounds;
use crate::columns_read::ColumnUse;
use crate::error::{QueryError, Result};
use crate::exact_json::parse_json;
use crate::limits::MAX_JSON_DEPTH;
use crate::lookups::{LookupSet, lookup_of};
use crate::node::{Budget, Node};
use crate::query::{Query, QueryBase};
use crate::suggest::closest;

const SUPPORTED: &[&str] = &[
    "timeseries",
    "topN",
    "groupBy",
    "scan",
    "search",
    "timeBoundary",
    "segmentMetadata",
    "dataSourceMetadata",
];

/// What is to be told of a query beside its answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remarks {
    /// Fields that nothing reads, each after its path and a colon.
    pub warnings: Vec<String>,
    /// Dimensions by whose text the answer is ordered although the query names no ordering: worth a
    /// warning when they are numbers. The path is that of the missing field.
    pub orders_by_text: Vec<ColumnUse>,
}

impl Query {
    /// Reads and validates a native query.
    ///
    /// # Errors
    /// The first thing that is wrong, with its path and how to put it right.
    pub fn parse(json: &[u8]) -> Result<Self> {
        Self::from_value(&parse_json(json)?)
    }

    /// As [`Query::parse`], with what is to be told of it, for a query that may name `lookups`. With
    /// `strict` in the context, or wanted by the caller, fields that nothing reads are errors.
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn parse_with_warnings(
        json: &[u8],
        strict: bool,
        lookups: Option<Arc<dyn Lookups>>,
    ) -> Result<(Self, Remarks)> {
        let document = parse_json(json)?;
        let (query, warnings) = read_document(&document, MAX_JSON_DEPTH, lookups)?;
        match warnings.first().and_then(|warning| warning.split_once(':')) {
            Some((path, _)) if strict || query.base().context.strict => {
                Err(QueryError::invalid(path, "unknown field; leave it out, or leave strict out"))
            }
            _ => {
                let orders_by_text = query.orders_by_text(&document);
                Ok((query, Remarks { warnings, orders_by_text }))
            }
        }
    }

    /// Reads what [`Query::to_value`] wrote. It may nest a little deeper than what a client sent: short
    /// forms are spelled out.
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn decode(json: &[u8]) -> Result<Self> {
        /// What spelling out adds.
        const DEEPER: usize = 16;
        let document = parse_json(json)?;
        let lookups = lookups_of(&document);
        read_document(&document, MAX_JSON_DEPTH + DEEPER, lookups).map(|(query, _)| query)
    }

    /// Reads and validates a native query that was parsed as JSON before.
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn from_value(value: &Value) -> Result<Self> {
        Self::from_value_with(value, None)
    }

    /// As [`Query::from_value`], for a query that may name `lookups`.
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn from_value_with(value: &Value, lookups: Option<Arc<dyn Lookups>>) -> Result<Self> {
        read_document(value, MAX_JSON_DEPTH, lookups).map(|(query, _)| query)
    }
}

/// The lookups that a query which was written for another process takes along.
fn lookups_of(document: &Value) -> Option<Arc<dyn Lookups>> {
    let mut set = LookupSet::default();
    for (name, content) in document.get("lookups")?.as_object()? {
        set.insert(Arc::new(lookup_of(name, content.as_object()?)));
    }
    Some(Arc::new(set))
}

fn read_document(
    value: &Value,
    max_depth: usize,
    lookups: Option<Arc<dyn Lookups>>,
) -> Result<(Query, Vec<String>)> {
    let budget = Budget::watching().with_lookups(lookups);
    let root = Node::root_within(value, &budget, max_depth)?;
    let query = read(&root)?;
    // A misspelt field is more to the point than a name that is missing for it.
    let warnings = budget.reads().map_or(Ok(Vec::new()), |reads| reads.unread(value))?;
    query.validate()?;
    Ok((query, warnings))
}

/// The query, and the names of fields that were looked for in the object at `pointer`: for the reference.
pub(crate) fn observed(
    document: &Value,
    pointer: &str,
    lookups: Option<Arc<dyn Lookups>>,
) -> Result<(Query, Vec<String>)> {
    let budget = Budget::watching().with_lookups(lookups);
    let query = read(&Node::root(document, &budget)?)?;
    query.validate()?;
    let looked_at = budget.reads().zip(document.pointer(pointer));
    Ok((query, looked_at.map(|(reads, object)| reads.names_of(object)).unwrap_or_default()))
}

/// Reads a query, the document's or one within it. What it says in another way than by virtual columns
/// becomes virtual columns of its own.
fn read(root: &Node<'_>) -> Result<Query> {
    let outer = root.budget().swap_derived(Vec::new());
    let query = read_by_type(root);
    let derived = root.budget().swap_derived(outer);
    let mut query = query?;
    if let (Query::Scan(scan), false) = (&query, derived.is_empty())
        && scan.columns.is_empty()
    {
        return Err(
            root.missing("columns", "a filter has an extraction function: name the columns")
        );
    }
    query.base_mut().virtual_columns.extend(derived);
    Ok(query)
}

fn read_by_type(root: &Node<'_>) -> Result<Query> {
    let hint = format!("give one of {}", SUPPORTED.join(", "));
    let type_node = root.require("queryType", &hint)?;
    match type_node.text()? {
        "timeseries" => grouped::timeseries(root).map(Query::Timeseries),
        "topN" => grouped::top_n(root).map(Query::TopN),
        "groupBy" => grouped::group_by(root).map(Query::GroupBy),
        "scan" => rows::scan(root).map(Query::Scan),
        "search" => rows::search(root).map(Query::Search),
        "timeBoundary" => metadata::time_boundary(root).map(Query::TimeBoundary),
        "segmentMetadata" => metadata::segment_metadata(root).map(Query::SegmentMetadata),
        "dataSourceMetadata" => metadata::data_source_metadata(root).map(Query::DataSourceMetadata),
        "select" => {
            Err(type_node.unsupported("select was removed from Druid; use a scan query instead"))
        }
        other @ ("movingAverage" | "windowOperator" | "unionQuery") => Err(type_node.unsupported(
            format!("query type \"{other}\" is not supported; supported: {}", SUPPORTED.join(", ")),
        )),
        other => {
            let meant = closest(other, SUPPORTED.iter().copied());
            let meant = meant.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
            Err(type_node.invalid(format!(
                "unknown query type \"{}\"; known: {}{meant}",
                crate::node::excerpt(other),
                SUPPORTED.join(", ")
            )))
        }
    }
}

/// What to do when a query gives no intervals.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WithoutIntervals {
    Refuse,
    Eternity,
}

fn base(root: &Node<'_>, without: WithoutIntervals) -> Result<QueryBase> {
    let data_source = datasource::data_source(root)?;
    let intervals = match intervals::query_intervals(root)? {
        Some(intervals) => intervals,
        None if without == WithoutIntervals::Eternity => vec![Interval::ETERNITY],
        None => {
            let hint = "give the time to query, for example [\"2015-09-12/2015-09-13\"]";
            return Err(root.missing("intervals", hint));
        }
    };
    Ok(QueryBase {
        filter: filter::optional_filter(root, "filter")?,
        virtual_columns: bounded_list(root, "virtualColumns", virtual_column::virtual_column)?,
        context: context::context(root)?,
        ..QueryBase::new(data_source, intervals)
    })
}

/// An optional list that may not grow without bound.
fn bounded_list<T>(
    parent: &Node<'_>,
    name: &str,
    read: impl Fn(&Node<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let list = parent.list(name, read)?;
    bounds::list(name, list.len())?;
    Ok(list)
}
