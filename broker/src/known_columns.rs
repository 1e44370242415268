//! What is told of the columns that a query names: those that no segment and no buffered row of its
//! datasources has, and numbers that it orders as text without having asked for that.
//!
//! The columns of published segments are in the view, and so are those of buffered rows, as their
//! servers announce them.

use std::sync::Arc;

use henge_platform::discovery::AnnouncedSchema;
use henge_query::{ColumnUse, Query, Remarks};
use henge_types::ColumnType;

use crate::Broker;
use crate::view::TableView;

/// Columns that are told of at most.
const MAX_WARNINGS: usize = 20;

impl Broker {
    /// What is to be told of the columns that a query names, each after the path of a field and a
    /// colon. Nothing when it cannot be found out: the query itself says why.
    pub(crate) async fn column_warnings(&self, query: &Query, remarks: &Remarks) -> Vec<String> {
        // Columns of other rows have names of their own.
        if !query.base().data_source.is_stored() {
            return Vec::new();
        }
        let uses = query.columns_read();
        let Ok(view) = self.views.current().await else { return Vec::new() };
        let names = query.base().data_source.table_names();
        let tables: Vec<_> = names.into_iter().filter_map(|name| view.tables.get(name)).collect();
        if tables.is_empty() || tables.iter().any(|table| !table.columns.are_known()) {
            return Vec::new();
        }
        let mut columns = Columns { tables, buffered: Vec::new() };
        if columns.lacks_one(&uses) || !remarks.orders_by_text.is_empty() {
            for table in columns.tables.clone() {
                let Some(schemas) = table.buffered_schemas() else { return Vec::new() };
                columns.buffered.extend(schemas);
            }
        }
        let datasource = query.base().data_source.table_names().join("', '");
        let unknown = uses.iter().filter_map(|column| columns.unknown(column, &datasource));
        let orders = &remarks.orders_by_text;
        let orders = orders.iter().filter_map(|column| columns.order_of(column, query));
        unknown.chain(orders).take(MAX_WARNINGS).collect()
    }
}

/// The columns of all datasources of a query.
#[derive(Debug)]
struct Columns<'v> {
    tables: Vec<&'v Arc<TableView>>,
    buffered: Vec<&'v AnnouncedSchema>,
}

impl Columns<'_> {
    fn types_of(&self, name: &str) -> impl Iterator<Item = &ColumnType> {
        let used = self.tables.iter().flat_map(move |table| table.columns.types_of(name));
        used.chain(self.buffered.iter().filter_map(move |schema| schema.column_type(name)))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let used = self.tables.iter().flat_map(|table| table.columns.names());
        let buffered = self.buffered.iter().flat_map(|schema| schema.columns());
        used.chain(buffered.map(|column| &*column.name))
    }

    fn lacks_one(&self, uses: &[ColumnUse]) -> bool {
        uses.iter().any(|column| self.types_of(&column.column).next().is_none())
    }

    fn unknown(&self, of: &ColumnUse, datasource: &str) -> Option<String> {
        let ColumnUse { path, column } = of;
        if self.types_of(column).next().is_some() {
            return None;
        }
        let meant = henge_query::closest_name(column, self.names());
        let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
        Some(format!("{path}: no row of '{datasource}' has a column '{column}'{meant}"))
    }

    /// Said when a dimension that is ordered as text is a number wherever it is known.
    fn order_of(&self, of: &ColumnUse, query: &Query) -> Option<String> {
        let ColumnUse { path, column } = of;
        let computed = query.base().virtual_columns.iter().find(|known| known.name == *column);
        let column_type = match computed {
            Some(computed) => computed.output_type.filter(|found| found.is_numeric())?,
            None if self.types_of(column).all(ColumnType::is_numeric) => {
                self.types_of(column).next()?.value_type()?
            }
            None => return None,
        };
        Some(format!(
            "{path}: missing, and the values of '{column}' ({column_type}) are ordered as text, 10 \
             before 9; say \"numeric\", or \"lexicographic\" if that is meant"
        ))
    }
}
