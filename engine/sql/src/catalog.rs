//! [`Catalog`]: the tables that statements may name, and their columns.

use std::fmt::Debug;
use std::sync::Arc;

use henge_types::ColumnType;

/// A datasource as SQL sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name, case-sensitive.
    pub name: String,
    /// `__time` first, then in the order in which they are to be shown.
    pub columns: Vec<Column>,
}

/// A column of a datasource.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, case-sensitive.
    pub name: String,
    /// Its type as segments keep it; `__time` is a long here and a TIMESTAMP in SQL.
    pub column_type: ColumnType,
    /// True when a row may hold several values (VARCHAR all the same).
    pub multi_value: bool,
}

/// The entries of a lookup: keys, and what they stand for.
pub type LookupEntries = Arc<[(String, Option<String>)]>;

/// The tables there are. Asked for each statement: answers come from memory.
pub trait Catalog: Debug + Send + Sync {
    /// Grows whenever what the other methods answer changes; plans are remembered by it.
    fn version(&self) -> u64;

    /// The names of all datasources, sorted.
    fn table_names(&self) -> Vec<String>;

    /// A datasource; `None` when there is none of that name.
    fn table(&self, name: &str) -> Option<Arc<Table>>;

    /// The names of lookups: tables `lookup.NAME` with the columns `k` and `v`.
    fn lookup_names(&self) -> Vec<String>;

    /// The entries of a lookup; `None` when there is none of that name.
    fn lookup(&self, name: &str) -> Option<LookupEntries>;
}
