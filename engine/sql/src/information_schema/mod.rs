//! `INFORMATION_SCHEMA`: what the catalogue has, as tables; and which columns `sys` tables have, whose rows the
//! source gives.

mod columns;
mod routines;
mod rows;
mod schemata;
mod system;
mod tables;

use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result};
use henge_query::closest_name;

use crate::catalog::Catalog;

pub(crate) use system::{schema as system_schema, tables as system_tables};

/// The schema's name.
pub(crate) const NAME: &str = "INFORMATION_SCHEMA";

/// The catalogue's name, the only one there is.
const CATALOG: &str = "druid";

/// Its tables.
const TABLES: [&str; 4] = ["SCHEMATA", "TABLES", "COLUMNS", "ROUTINES"];

/// A table of the schema.
///
/// # Errors
/// When there is none of this name.
pub(crate) fn table(name: &str, catalog: &dyn Catalog) -> Result<Arc<dyn TableProvider>> {
    match name.to_ascii_uppercase().as_str() {
        "SCHEMATA" => schemata::table(),
        "TABLES" => tables::table(catalog),
        "COLUMNS" => columns::table(catalog),
        "ROUTINES" => routines::table(),
        _ => {
            let near = closest_name(name, TABLES);
            let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            Err(DataFusionError::Plan(format!("table {NAME}.'{name}' is not known{hint}")))
        }
    }
}

/// The columns of one of its tables.
fn schema(name: &str) -> Option<SchemaRef> {
    Some(match name {
        "SCHEMATA" => schemata::schema(),
        "TABLES" => tables::schema(),
        "COLUMNS" => columns::schema(),
        "ROUTINES" => routines::schema(),
        _ => return None,
    })
}
