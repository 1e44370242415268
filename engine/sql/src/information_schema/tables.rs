//! `INFORMATION_SCHEMA.TABLES`

use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;

use super::rows::{self, Cell};
use crate::catalog::Catalog;
use crate::plan::is_private;

pub(super) fn schema() -> SchemaRef {
    rows::schema(&[
        "TABLE_CATALOG",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "TABLE_TYPE",
        "IS_JOINABLE",
        "IS_BROADCAST",
    ])
}

pub(super) fn table(catalog: &dyn Catalog) -> Result<Arc<dyn TableProvider>> {
    let row = |schema: &str, name: &str| {
        let (kind, broadcast) = match schema {
            "druid" => ("TABLE", "NO"),
            "lookup" => ("TABLE", "YES"),
            _ => ("SYSTEM_TABLE", "NO"),
        };
        // What is held in memory can be looked up in a native join.
        let joinable = broadcast;
        [super::CATALOG, schema, name, kind, joinable, broadcast].map(Cell::from).to_vec()
    };
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    rows.extend(super::TABLES.iter().map(|name| row(super::NAME, name)));
    let names = catalog.table_names();
    rows.extend(names.iter().filter(|name| !is_private(name)).map(|name| row("druid", name)));
    rows.extend(catalog.lookup_names().iter().map(|name| row("lookup", name)));
    rows.extend(super::system_tables().map(|name| row("sys", name)));
    rows::table(schema(), &rows)
}
