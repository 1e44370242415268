//! [`BrokerCatalog`]: the datasources and their columns as SQL sees them, from the view of the cluster alone.
//!
//! Segments tell of their columns when they are published, buffered rows when they are announced; no query asks
//! for them. What was made of a datasource is kept until its part of the view changes, so that a statement costs
//! nothing while nothing changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use henge_expr::Lookup;
use henge_sql::{Catalog, Column, LookupEntries, Table};
use henge_types::{ColumnType, TIME_COLUMN};
use parking_lot::Mutex;

use crate::Broker;
use crate::view::{ClusterView, TableView};

/// The tables of a broker's view, and its lookups.
#[derive(Debug)]
pub(crate) struct BrokerCatalog {
    broker: Arc<Broker>,
    known: Mutex<Known>,
}

/// What was made of a view.
#[derive(Debug, Default)]
struct Known {
    view: Weak<ClusterView>,
    tables: BTreeMap<Arc<str>, Made>,
    lookups: BTreeMap<String, (u64, Arc<Lookup>)>,
    version: u64,
}

#[derive(Debug)]
struct Made {
    of: Weak<TableView>,
    table: Arc<Table>,
}

impl BrokerCatalog {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self { broker, known: Mutex::default() }
    }

    /// Reads what is known, brought in line with the newest view.
    fn with<T>(&self, read: impl FnOnce(&Known) -> T) -> T {
        let view = self.broker.views.latest();
        let lookups = self.broker.lookups.known();
        let mut known = self.known.lock();
        if !std::ptr::eq(known.view.as_ptr(), Arc::as_ptr(&view)) {
            known.follow(&view);
        }
        known.take_lookups(lookups);
        read(&known)
    }
}

impl Catalog for BrokerCatalog {
    fn version(&self) -> u64 {
        self.with(|known| known.version)
    }

    fn table_names(&self) -> Vec<String> {
        self.with(|known| known.tables.keys().map(ToString::to_string).collect())
    }

    fn table(&self, name: &str) -> Option<Arc<Table>> {
        self.with(|known| known.tables.get(name).map(|made| Arc::clone(&made.table)))
    }

    fn lookup_names(&self) -> Vec<String> {
        self.with(|known| known.lookups.keys().cloned().collect())
    }

    fn lookup(&self, name: &str) -> Option<LookupEntries> {
        let lookup = self.with(|known| known.lookups.get(name).map(|(_, of)| Arc::clone(of)))?;
        let entries = lookup.entries();
        Some(entries.map(|(key, value)| (key.to_owned(), Some(value.to_owned()))).collect())
    }
}

impl Known {
    fn follow(&mut self, view: &Arc<ClusterView>) {
        let mut before = std::mem::take(&mut self.tables);
        let mut has_changed = false;
        for (name, of) in view.tables.iter().filter(|(_, table)| table.span().is_some()) {
            let old = before.remove(name);
            if let Some(old) = &old
                && std::ptr::eq(old.of.as_ptr(), Arc::as_ptr(of))
            {
                self.keep(name, of, Arc::clone(&old.table));
                continue;
            }
            let table = table_of(name, of);
            let same = old.map(|old| old.table).filter(|old| **old == table);
            has_changed |= same.is_none();
            let table = same.unwrap_or_else(|| Arc::new(table));
            self.keep(name, of, table);
        }
        if has_changed || !before.is_empty() {
            self.version += 1;
        }
        self.view = Arc::downgrade(view);
    }

    fn take_lookups(&mut self, lookups: BTreeMap<String, (u64, Arc<Lookup>)>) {
        let versions = |of: &BTreeMap<String, (u64, Arc<Lookup>)>| -> Vec<(String, u64)> {
            of.iter().map(|(name, (version, _))| (name.clone(), *version)).collect()
        };
        if versions(&lookups) != versions(&self.lookups) {
            self.lookups = lookups;
            self.version += 1;
        }
    }

    fn keep(&mut self, name: &Arc<str>, of: &Arc<TableView>, table: Arc<Table>) {
        self.tables.insert(Arc::clone(name), Made { of: Arc::downgrade(of), table });
    }
}

/// The columns of a datasource: `__time`, then those of published segments in the order of the longest schema,
/// then what only other segments or buffered rows have.
fn table_of(name: &str, table: &TableView) -> Table {
    let mut columns = Columns::default();
    columns.add(TIME_COLUMN, &ColumnType::Long, false);
    for list in table.columns.lists() {
        for column in list {
            columns.add(&column.name, &column.column_type, column.multi_value);
        }
    }
    // Rows that nobody announces have columns that nobody knows of.
    for schema in table.buffered_schemas().into_iter().flatten() {
        for column in schema.columns() {
            columns.add(&column.name, &column.column_type, false);
        }
    }
    Table { name: name.to_owned(), columns: columns.all }
}

#[derive(Debug, Default)]
struct Columns {
    all: Vec<Column>,
    places: HashMap<String, usize>,
}

impl Columns {
    fn add(&mut self, name: &str, column_type: &ColumnType, multi_value: bool) {
        if let Some(place) = self.places.get(name) {
            let known = &mut self.all[*place];
            known.multi_value |= multi_value;
            if known.column_type != *column_type {
                known.column_type = united(&known.column_type, column_type);
            }
            return;
        }
        self.places.insert(name.to_owned(), self.all.len());
        let (name, column_type) = (name.to_owned(), column_type.clone());
        self.all.push(Column { name, column_type, multi_value });
    }
}

/// The type of a column that has these two in different segments: what answers of native queries have there,
/// DOUBLE of different numbers, text of numbers and text; objects, which text cannot hold, win.
fn united(one: &ColumnType, other: &ColumnType) -> ColumnType {
    match (one, other) {
        (ColumnType::Complex(_), _) => one.clone(),
        (_, ColumnType::Complex(_)) => other.clone(),
        (ColumnType::String, _) | (_, ColumnType::String) => ColumnType::String,
        _ => ColumnType::Double,
    }
}

#[cfg(test)]
mod tests;
