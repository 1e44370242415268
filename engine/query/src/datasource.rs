//! What a query reads: datasources by name, rows that come with the query, other queries, lookups, and
//! what joins, unnests or filters these.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use henge_expr::{Expr, Lookup};
use henge_types::{ColumnType, ValueType};
use serde_json::Value;

use crate::filter::Filter;
use crate::query::Query;
use crate::virtual_column::VirtualColumn;

/// The data source of a query.
#[derive(Debug, Clone)]
pub enum DataSource {
    /// One datasource by name.
    Table(String),
    /// Several datasources, read as one; a column that one of them lacks reads as null there.
    Union(Vec<String>),
    /// Rows that are part of the query.
    Inline(Arc<InlineRows>),
    /// The keys and values of a lookup, as columns `k` and `v`.
    Lookup(Arc<Lookup>),
    /// The rows that another query answers.
    Query(Box<Query>),
    /// Rows of the left that meet rows of the right.
    Join(Box<Join>),
    /// A row for each element of a value.
    Unnest(Box<Unnest>),
    /// The rows that pass a filter.
    Filtered(Box<Filtered>),
    /// Rows at hand: what a sub-query, a lookup or inline rows came to.
    Rows(Arc<dyn Rows>),
}

/// Rows at hand, in the form of whoever made them.
pub trait Rows: Any + Debug + Send + Sync {
    /// The rows as an inline datasource, for other processes.
    fn to_value(&self) -> Value;

    /// Bytes of memory.
    fn memory_bytes(&self) -> usize;
}

/// Rows as a query brings them.
#[derive(Debug, Clone, PartialEq)]
pub struct InlineRows {
    /// Names and types.
    pub columns: Vec<InlineColumn>,
    /// As many values a row as there are columns.
    pub rows: Vec<Vec<Value>>,
}

/// A column of rows that a query brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineColumn {
    /// Its name.
    pub name: String,
    /// Its type; `None` when the values are to say.
    pub column_type: Option<InlineType>,
}

/// The type of a column of rows at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InlineType {
    /// A type that stored columns have.
    Stored(ColumnType),
    /// Lists, which count as one value: only expressions and unnesting look into them.
    Array(ValueType),
}

impl std::fmt::Display for InlineType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stored(column_type) => write!(f, "{column_type}"),
            Self::Array(element) => write!(f, "ARRAY<{element}>"),
        }
    }
}

/// Which rows a join keeps that meet none of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinType {
    /// None.
    Inner,
    /// Those of the left.
    Left,
    /// Those of the right.
    Right,
    /// Those of both.
    Full,
}

impl JoinType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Inner, Self::Left, Self::Right, Self::Full];

    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inner => "INNER",
            Self::Left => "LEFT",
            Self::Right => "RIGHT",
            Self::Full => "FULL",
        }
    }

    /// True when rows of the left stay that meet none.
    #[must_use]
    pub fn keeps_left(self) -> bool {
        matches!(self, Self::Left | Self::Full)
    }

    /// True when rows of the right stay that meet none.
    #[must_use]
    pub fn keeps_right(self) -> bool {
        matches!(self, Self::Right | Self::Full)
    }
}

/// `{"type":"join"}`: the right side is held in memory wherever the left is read.
#[derive(Debug, Clone)]
pub struct Join {
    /// Whose rows are gone through.
    pub left: DataSource,
    /// Whose rows are looked up: no datasource that is read segment by segment.
    pub right: DataSource,
    /// What the names of the right's columns begin with in the result.
    pub prefix: String,
    /// When two rows meet.
    pub condition: Expr,
    /// Which rows stay that meet none.
    pub join_type: JoinType,
    /// Rows of the left must pass this.
    pub left_filter: Option<Filter>,
}

/// `{"type":"unnest"}`.
#[derive(Debug, Clone)]
pub struct Unnest {
    /// Whose rows are multiplied.
    pub base: DataSource,
    /// The value that is taken apart, and what each of its elements is called.
    pub column: VirtualColumn,
    /// Rows must pass this, elements known.
    pub filter: Option<Filter>,
}

/// `{"type":"filter"}`.
#[derive(Debug, Clone)]
pub struct Filtered {
    /// Whose rows.
    pub base: DataSource,
    /// What they must pass.
    pub filter: Filter,
}

impl DataSource {
    /// True for what is read segment by segment and nothing else: datasources by name.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        matches!(self, Self::Table(_) | Self::Union(_))
    }

    /// What joins, unnests and filters are over, on their left.
    #[must_use]
    pub fn base(&self) -> &Self {
        match self {
            Self::Join(join) => join.left.base(),
            Self::Unnest(unnest) => unnest.base.base(),
            Self::Filtered(filtered) => filtered.base.base(),
            Self::Table(_)
            | Self::Union(_)
            | Self::Inline(_)
            | Self::Lookup(_)
            | Self::Query(_)
            | Self::Rows(_) => self,
        }
    }

    /// The names of the datasources whose segments the query itself reads: none when its rows come
    /// from elsewhere.
    #[must_use]
    pub fn table_names(&self) -> Vec<&str> {
        match self.base() {
            Self::Table(name) => vec![name],
            Self::Union(names) => names.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The names of all datasources that it reads or its sub-queries do, each once.
    #[must_use]
    pub fn all_table_names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.for_each_leaf(&mut |leaf| match leaf {
            Self::Table(name) => names.push(name.as_str()),
            Self::Union(more) => names.extend(more.iter().map(String::as_str)),
            Self::Query(query) => names.extend(query.base().data_source.all_table_names()),
            _ => {}
        });
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(*name));
        names
    }

    /// Visits what is neither join nor unnest nor filter.
    pub fn for_each_leaf<'d>(&'d self, visit: &mut dyn FnMut(&'d Self)) {
        match self {
            Self::Join(join) => {
                join.left.for_each_leaf(visit);
                join.right.for_each_leaf(visit);
            }
            Self::Unnest(unnest) => unnest.base.for_each_leaf(visit),
            Self::Filtered(filtered) => filtered.base.for_each_leaf(visit),
            leaf => visit(leaf),
        }
    }
}
