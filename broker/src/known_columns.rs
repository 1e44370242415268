//! What is told of the columns that a query names: those that no segment and no buffered row of its
//! datasources has, and numbers that it orders as text without having asked for that.
//!
//! The columns of published segments are in the view. Buffered rows are asked for theirs when the
//! view does not know a name; what they say is kept as long as the datasource's view stays.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use henge_exec::Partial;
use henge_query::{ColumnUse, Query, Remarks};
use henge_types::{ColumnType, Interval};
use parking_lot::Mutex;
use serde_json::json;

use crate::Broker;
use crate::error::Result;
use crate::execute::made_id;
use crate::view::{ClusterView, TableView};

/// Columns that are told of at most.
const MAX_WARNINGS: usize = 20;

type Types = HashMap<String, ColumnType>;
/// The columns, and the view of the datasource that they are of.
type TypesOfView = (Weak<TableView>, Arc<Types>);

/// What buffered rows said of their columns, by datasource: rows that come later only add to them.
#[derive(Debug, Default)]
pub(crate) struct BufferedColumns {
    tables: Mutex<HashMap<Arc<str>, TypesOfView>>,
}

impl BufferedColumns {
    fn get(&self, name: &str, table: &Arc<TableView>) -> Option<Arc<Types>> {
        let tables = self.tables.lock();
        let (of, types) = tables.get(name)?;
        std::ptr::eq(of.as_ptr(), Arc::as_ptr(table)).then(|| Arc::clone(types))
    }

    fn put(&self, name: &Arc<str>, table: &Arc<TableView>, types: Arc<Types>) {
        let mut tables = self.tables.lock();
        tables.retain(|_, (of, _)| of.strong_count() > 0);
        tables.insert(Arc::clone(name), (Arc::downgrade(table), types));
    }
}

impl Broker {
    /// What is to be told of the columns that a query names, each after the path of a field and a
    /// colon. Nothing when it cannot be found out: the query itself says why.
    pub(crate) async fn column_warnings(&self, query: &Query, remarks: &Remarks) -> Vec<String> {
        let uses = query.columns_read();
        let Ok(view) = self.views.current().await else { return Vec::new() };
        let known = |name: &str| view.tables.get_key_value(name);
        let names = query.base().data_source.table_names();
        let tables: Vec<_> = names.into_iter().filter_map(known).collect();
        if tables.is_empty() || tables.iter().any(|(_, table)| !table.columns.are_known()) {
            return Vec::new();
        }
        let mut columns = Columns::default();
        for (name, table) in &tables {
            columns.tables.push(table);
            columns.buffered.extend(self.buffered_columns.get(name, table));
        }
        if columns.lacks_one(&uses) && columns.has_buffered() {
            columns.buffered.clear();
            for (name, table) in &tables {
                let Ok(Some(types)) = self.ask_buffered(&view, name, table).await else {
                    return Vec::new();
                };
                let types = Arc::new(types);
                self.buffered_columns.put(name, table, Arc::clone(&types));
                columns.buffered.push(types);
            }
        }
        let datasource = query.base().data_source.table_names().join("', '");
        let unknown = uses.iter().filter_map(|column| columns.unknown(column, &datasource));
        let orders = &remarks.orders_by_text;
        let orders = orders.iter().filter_map(|column| columns.order_of(column, query));
        unknown.chain(orders).take(MAX_WARNINGS).collect()
    }

    /// The columns of a datasource's buffered rows; `None` when some of these are nowhere to be found.
    async fn ask_buffered(
        &self,
        view: &Arc<ClusterView>,
        name: &str,
        table: &TableView,
    ) -> Result<Option<Types>> {
        let segments: Vec<_> = table.buffered_within(Interval::ETERNITY).collect();
        if segments.is_empty() {
            return Ok(Some(Types::new()));
        }
        let query = Query::from_value(&json!({
            "queryType": "segmentMetadata",
            "dataSource": name,
            "intervals": [Interval::ETERNITY.to_string()],
            "merge": true,
            "analysisTypes": [],
        }))?;
        let running = self.running(query, &made_id());
        let gathered = self.scatter(&running, view, segments).await?;
        if !gathered.vanished.is_empty() {
            return Ok(None);
        }
        let analyses = gathered.partials.iter().filter_map(|partial| match partial {
            Partial::SegmentMetadata(analyses) => Some(analyses),
            _ => None,
        });
        let columns = analyses.flatten().flat_map(|analysis| &analysis.columns);
        let types = columns.map(|(name, column)| (name.clone(), column.column_type.clone()));
        Ok(Some(types.collect()))
    }
}

/// The columns of all datasources of a query.
#[derive(Debug, Default)]
struct Columns<'v> {
    tables: Vec<&'v Arc<TableView>>,
    buffered: Vec<Arc<Types>>,
}

impl Columns<'_> {
    fn has_buffered(&self) -> bool {
        self.tables.iter().any(|table| !table.buffered.is_empty())
    }

    fn types_of(&self, name: &str) -> impl Iterator<Item = &ColumnType> {
        let used = self.tables.iter().flat_map(move |table| table.columns.types_of(name));
        used.chain(self.buffered.iter().filter_map(move |types| types.get(name)))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let used = self.tables.iter().flat_map(|table| table.columns.names());
        used.chain(self.buffered.iter().flat_map(|types| types.keys().map(String::as_str)))
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
            Some(computed) => computed.output_type.as_ref().filter(|found| found.is_numeric())?,
            None if self.types_of(column).all(ColumnType::is_numeric) => {
                self.types_of(column).next()?
            }
            None => return None,
        };
        Some(format!(
            "{path}: missing, and the values of '{column}' ({column_type}) are ordered as text, 10 \
             before 9; say \"numeric\", or \"lexicographic\" if that is meant"
        ))
    }
}
