//! `INFORMATION_SCHEMA.SCHEMATA`

use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;

use super::rows::{self, Cell};

pub(super) fn schema() -> SchemaRef {
    rows::schema(&[
        "CATALOG_NAME",
        "SCHEMA_NAME",
        "SCHEMA_OWNER",
        "DEFAULT_CHARACTER_SET_CATALOG",
        "DEFAULT_CHARACTER_SET_SCHEMA",
        "DEFAULT_CHARACTER_SET_NAME",
        "SQL_PATH",
    ])
}

pub(super) fn table() -> Result<Arc<dyn TableProvider>> {
    let row = |name: &str| {
        let mut row = vec![Cell::from(super::CATALOG), Cell::from(name)];
        row.resize(7, Cell::Null);
        row
    };
    let names = [super::NAME, "druid", "lookup", "sys"];
    rows::table(schema(), &names.map(row))
}
