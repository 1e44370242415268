//! Data sources.

use std::sync::Arc;

use henge_types::{ColumnType, TIME_COLUMN, ValueType};

use super::dimension::value_type;
use super::filter::{optional_plain_filter, plain_filter};
use super::virtual_column::{expression, virtual_column};
use crate::datasource::{
    DataSource, Filtered, InlineColumn, InlineRows, InlineType, Join, JoinType, Unnest,
};
use crate::error::Result;
use crate::limits::MAX_LIST_ENTRIES;
use crate::node::{Node, excerpt};
use crate::query::Query;

const SUPPORTED: &[&str] =
    &["table", "globalTable", "union", "inline", "lookup", "query", "join", "unnest", "filter"];
const PLANNED: &[&str] = &["external", "inputNumber", "restrict"];

pub(super) fn data_source(query: &Node<'_>) -> Result<DataSource> {
    source(&query.require("dataSource", "name the datasource to read")?)
}

fn source(node: &Node<'_>) -> Result<DataSource> {
    if node.value().is_string() {
        return Ok(DataSource::Table(node.name()?));
    }
    match node.type_name(SUPPORTED)? {
        "table" | "globalTable" => Ok(DataSource::Table(table_name(node)?)),
        "union" => union(node),
        "inline" => inline(node).map(|rows| DataSource::Inline(Arc::new(rows))),
        "lookup" => {
            let name = node.require("lookup", "name the lookup to read")?;
            name.lookup(&name.name()?).map(DataSource::Lookup)
        }
        "query" => sub_query(node).map(|query| DataSource::Query(Box::new(query))),
        "join" => join(node).map(|join| DataSource::Join(Box::new(join))),
        "unnest" => unnest(node).map(|unnest| DataSource::Unnest(Box::new(unnest))),
        "filter" => Ok(DataSource::Filtered(Box::new(Filtered {
            base: source(&node.require("base", "give the data source to filter")?)?,
            filter: plain_filter(&node.require("filter", "give the filter of its rows")?)?,
        }))),
        other => Err(node.bad_type("dataSource", other, SUPPORTED, PLANNED)),
    }
}

fn table_name(node: &Node<'_>) -> Result<String> {
    node.require("name", "name the datasource to read")?.name()
}

fn union(node: &Node<'_>) -> Result<DataSource> {
    let list = node.require("dataSources", "give a list of datasource names")?;
    let items = list.items()?;
    if items.len() == 0 || items.len() > MAX_LIST_ENTRIES {
        return Err(list.invalid(format!("must hold 1 to {MAX_LIST_ENTRIES} datasources")));
    }
    let member = |item: Node<'_>| {
        if item.value().is_string() {
            return item.name();
        }
        match item.type_name(&["table"])? {
            "table" => table_name(&item),
            other => Err(item.bad_type("union member", other, &["table"], SUPPORTED)),
        }
    };
    items.map(member).collect::<Result<_>>().map(DataSource::Union)
}

/// `columnTypes` may be left out, or be null where the values are to say.
fn inline(node: &Node<'_>) -> Result<InlineRows> {
    let names = node.require("columnNames", "give the names of the columns")?;
    let names = names.items()?.map(|name| name.name()).collect::<Result<Vec<_>>>()?;
    if names.len() > MAX_LIST_ENTRIES {
        return Err(node.invalid(format!("more than {MAX_LIST_ENTRIES} columns")));
    }
    if let Some(double) = (1..names.len()).find(|at| names[..*at].contains(&names[*at])) {
        let message = format!("two columns are named '{}'", excerpt(&names[double]));
        return Err(node.invalid(message));
    }
    let mut types = vec![None; names.len()];
    if let Some(list) = node.get("columnTypes") {
        let items = list.items()?;
        if items.len() != names.len() {
            let (given, wanted) = (items.len(), names.len());
            return Err(list.invalid(format!("holds {given} types for {wanted} columns")));
        }
        for (place, item) in types.iter_mut().zip(items) {
            *place = if item.value().is_null() { None } else { Some(column_type(&item)?) };
        }
    }
    let list = node.require("rows", "give a list of rows, each a list of values")?;
    let mut rows = Vec::new();
    for item in list.items()? {
        let Some(values) = item.value().as_array().filter(|values| values.len() == names.len())
        else {
            return Err(item.invalid(format!("must be a list of {} values", names.len())));
        };
        rows.push(values.clone());
    }
    let columns = names.into_iter().zip(types);
    let columns = columns.map(|(name, column_type)| InlineColumn { name, column_type });
    Ok(InlineRows { columns: columns.collect(), rows })
}

/// The type of an inline column: one of stored columns, or `ARRAY<type>`. Documents in arrays are texts.
fn column_type(node: &Node<'_>) -> Result<InlineType> {
    let name = node.text()?;
    let upper = name.to_ascii_uppercase();
    let element = upper.strip_prefix("ARRAY<").and_then(|rest| rest.strip_suffix('>'));
    let read = match element {
        Some("COMPLEX<JSON>") => Ok(InlineType::Array(ValueType::String)),
        Some(element) => element.parse().map(InlineType::Array),
        None if upper.starts_with("COMPLEX") => name.parse().map(InlineType::Stored),
        None => value_type(node)
            .map(ColumnType::from)
            .map(InlineType::Stored)
            .map_err(|_| String::new()),
    };
    read.map_err(|_| {
        node.invalid(format!(
            "unknown type \"{}\"; known: STRING, LONG, FLOAT, DOUBLE, ARRAY<..> of these, \
             COMPLEX<name>",
            excerpt(name)
        ))
    })
}

fn sub_query(node: &Node<'_>) -> Result<Query> {
    let inner = node.require("query", "give the query whose rows are read")?;
    let query = super::read(&inner)?;
    match &query {
        Query::Timeseries(_) | Query::TopN(_) | Query::GroupBy(_) | Query::Scan(_) => Ok(query),
        _ => Err(inner.unsupported(
            "only timeseries, topN, groupBy and scan queries can be read as a data source",
        )),
    }
}

fn join(node: &Node<'_>) -> Result<Join> {
    let left = source(&node.require("left", "give the data source on the left")?)?;
    let right_node = node.require("right", "give the data source on the right")?;
    let right = source(&right_node)?;
    if matches!(right, DataSource::Union(_)) {
        return Err(right_node.unsupported(
            "the right side of a join is a table, a lookup, a query or inline rows; wrap the union \
             in {\"type\":\"query\"} with a scan of the columns that are needed",
        ));
    }
    let hint = "give what the names of the right side's columns begin with, for example \"r.\"";
    let prefix_node = node.require("rightPrefix", hint)?;
    let prefix = prefix_node.name()?;
    if let Some(hidden) = hidden_by(&prefix, &left) {
        return Err(prefix_node.invalid(format!(
            "hides '{}' of the left side: take one that no name there begins with, for example \"r.\"",
            excerpt(hidden)
        )));
    }
    let condition =
        node.require("condition", "give an expression, for example \"a == \\\"r.b\\\"\"")?;
    let type_node = node.require("joinType", "give INNER, LEFT, RIGHT or FULL")?;
    let wanted = type_node.text()?;
    let join_type = JoinType::ALL.into_iter().find(|t| t.name().eq_ignore_ascii_case(wanted));
    Ok(Join {
        left,
        right,
        prefix,
        condition: expression(&condition)?,
        join_type: join_type.ok_or_else(|| {
            let wanted = excerpt(wanted);
            type_node
                .invalid(format!("unknown join type \"{wanted}\"; use INNER, LEFT, RIGHT or FULL"))
        })?,
        left_filter: optional_plain_filter(node, "leftFilter")?,
    })
}

/// What of the left side of a join could not be read any more, as far as it is known without its rows.
fn hidden_by<'s>(prefix: &str, left: &'s DataSource) -> Option<&'s str> {
    let mut source = left;
    loop {
        let (name, base) = match source {
            // Either would hide columns of the other.
            DataSource::Join(join) if prefix.starts_with(&join.prefix) => {
                return Some(&join.prefix);
            }
            DataSource::Join(join) => (Some(&join.prefix), &join.left),
            DataSource::Unnest(unnest) => (Some(&unnest.column.name), &unnest.base),
            DataSource::Filtered(filtered) => (None, &filtered.base),
            DataSource::Inline(rows) => {
                let mut names = rows.columns.iter().map(|column| column.name.as_str());
                let found = names.find(|name| name.starts_with(prefix));
                return found.or_else(|| TIME_COLUMN.starts_with(prefix).then_some(TIME_COLUMN));
            }
            _ => return TIME_COLUMN.starts_with(prefix).then_some(TIME_COLUMN),
        };
        match name.filter(|name| name.starts_with(prefix)) {
            Some(name) => return Some(name),
            None => source = base,
        }
    }
}

fn unnest(node: &Node<'_>) -> Result<Unnest> {
    let hint = "give an expression virtual column: its elements become rows";
    Ok(Unnest {
        base: source(&node.require("base", "give the data source to unnest")?)?,
        column: virtual_column(&node.require("virtualColumn", hint)?)?,
        filter: optional_plain_filter(node, "unnestFilter")?,
    })
}
