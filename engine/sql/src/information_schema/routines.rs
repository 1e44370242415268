//! `INFORMATION_SCHEMA.ROUTINES`: the functions.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::logical_expr::Signature;

use super::rows::{self, Cell};
use crate::{aggregates, functions};

pub(super) fn schema() -> SchemaRef {
    rows::schema(&[
        "ROUTINE_CATALOG",
        "ROUTINE_SCHEMA",
        "ROUTINE_NAME",
        "ROUTINE_TYPE",
        "IS_AGGREGATOR",
        "SIGNATURES",
    ])
}

pub(super) fn table() -> Result<Arc<dyn TableProvider>> {
    let mut rows = Vec::new();
    for function in functions::scalars() {
        add(&mut rows, function.name(), function.aliases(), "NO", function.signature());
    }
    for function in aggregates::all() {
        add(&mut rows, function.name(), function.aliases(), "YES", function.signature());
    }
    rows::table(schema(), &rows)
}

fn add(
    rows: &mut Vec<Vec<Cell>>,
    name: &str,
    aliases: &[String],
    aggregates: &str,
    signature: &Signature,
) {
    let arguments = signature.type_signature.to_string_repr().join(", ");
    for name in std::iter::once(name).chain(aliases.iter().map(String::as_str)) {
        let name = name.to_ascii_uppercase();
        let signatures = format!("{name}({arguments})");
        let row = [super::CATALOG, super::NAME, &name, "FUNCTION", aggregates, &signatures]
            .map(Cell::from);
        rows.push(row.to_vec());
    }
}
