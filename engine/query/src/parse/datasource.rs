//! Data sources.

use crate::datasource::DataSource;
use crate::error::Result;
use crate::limits::MAX_LIST_ENTRIES;
use crate::node::Node;

const SUPPORTED: &[&str] = &["table", "union"];
const PLANNED: &[&str] = &[
    "globalTable",
    "inline",
    "lookup",
    "query",
    "join",
    "unnest",
    "filter",
    "external",
    "inputNumber",
    "restrict",
];

pub(super) fn data_source(query: &Node<'_>) -> Result<DataSource> {
    let node = query.require("dataSource", "name the datasource to read")?;
    if node.value().is_string() {
        return Ok(DataSource::Table(node.name()?));
    }
    match node.type_name(SUPPORTED)? {
        "table" => Ok(DataSource::Table(table_name(&node)?)),
        "union" => union(&node),
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
            other => Err(item.bad_type("union member", other, &["table"], PLANNED)),
        }
    };
    items.map(member).collect::<Result<_>>().map(DataSource::Union)
}
