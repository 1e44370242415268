//! Which columns are read: all, or some by name.

use std::collections::BTreeSet;

use henge_query::Query;
use henge_types::TIME_COLUMN;

/// Columns that are read; `None` is all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needs(pub(crate) Option<BTreeSet<String>>);

impl Needs {
    /// These columns.
    pub(crate) fn of(names: &[String]) -> Self {
        Self(Some(names.iter().cloned().collect()))
    }

    pub(crate) fn insert(&mut self, name: &str) {
        if let Some(names) = &mut self.0 {
            names.insert(name.to_owned());
        }
    }

    pub(crate) fn add(&mut self, names: &[String]) {
        names.iter().for_each(|name| self.insert(name));
    }

    pub(crate) fn extend(&mut self, others: &Self) {
        others.0.iter().flatten().for_each(|name| self.insert(name));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(names) = &mut self.0 {
            names.remove(name);
        }
    }

    /// True for a column that is read.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(name))
    }

    /// Those of the left of a join, and those of the right without their prefix.
    pub(crate) fn split(&self, prefix: &str) -> (Self, Self) {
        let Some(names) = &self.0 else { return (self.clone(), self.clone()) };
        let (right, left): (Vec<_>, Vec<_>) =
            names.iter().cloned().partition(|name| name.starts_with(prefix));
        let right = right.into_iter().map(|name| name[prefix.len()..].to_owned());
        (Self(Some(left.into_iter().collect())), Self(Some(right.collect())))
    }
}

/// What a query reads of its data source.
pub(crate) fn needed_by(query: &Query) -> Needs {
    let reads_all = match query {
        Query::Scan(query) => query.columns.is_empty(),
        Query::Search(query) => query.search_dimensions.is_empty(),
        _ => false,
    };
    if reads_all {
        return Needs(None);
    }
    let mut names: BTreeSet<String> =
        query.columns_read().into_iter().map(|read| read.column).collect();
    for column in &query.base().virtual_columns {
        names.extend(column.expression.identifiers().iter().cloned());
    }
    names.insert(TIME_COLUMN.to_owned());
    Needs(Some(names))
}
