//! [`Size`]: what a statement becomes once each name of a WITH stands for what it names: a line that names the one
//! before twice doubles the plan.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, ObjectName, Query, Select, SelectItem, SetExpr, Visit, Visitor,
};

use super::{StatementLimits, grouping, too_much};
use crate::catalog::Catalog;
use crate::error::{Result, SqlError};

/// What is counted for a table that the catalogue does not know: system tables and lookups.
const COLUMNS_OF_OTHERS: u64 = 20;
/// Levels of operators that a query is: it selects, filters, groups.
const LEVELS_OF_A_QUERY: u64 = 3;
/// Levels of a window: it is sorted for.
const LEVELS_OF_A_WINDOW: u64 = 2;
/// What a word of the text takes as a token, in trees, plans and native queries.
const BYTES_OF_A_WORD: u64 = 768;
/// What a column takes at each level that carries it, in the plans before and after a rule.
const BYTES_OF_A_CARRIED_COLUMN: u64 = 320;

/// How large the plan of a query is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    tables: u64,
    joins: u64,
    levels: u64,
    /// The columns at each level, together.
    carried: u64,
    /// Columns that it gives.
    width: u64,
}

impl Size {
    /// Counts a query.
    ///
    /// # Errors
    /// When it is larger than what is planned.
    pub(crate) fn of(
        query: &Query,
        catalog: &dyn Catalog,
        limits: &StatementLimits,
    ) -> Result<Self> {
        let mut walk = Walk {
            catalog,
            limits,
            bodies: HashMap::new(),
            names: HashMap::new(),
            open: vec![Frame::default()],
            defined: 0,
        };
        match query.visit(&mut walk) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => {
                let whole = walk.open.pop().unwrap_or_default().below;
                // Each body is planned, too, whoever reads it; those that it reads are there already.
                let carried = whole.carried.max(walk.defined);
                let whole = Self { carried, ..whole };
                whole.check(limits)?;
                Ok(whole)
            }
        }
    }

    /// An estimate of what planning holds at once for a text of so many words.
    pub(crate) fn planning_bytes(&self, words: usize) -> usize {
        let words = (words as u64).saturating_mul(BYTES_OF_A_WORD);
        let carried = self.carried.saturating_mul(BYTES_OF_A_CARRIED_COLUMN);
        usize::try_from(words.saturating_add(carried)).unwrap_or(usize::MAX)
    }

    fn check(&self, limits: &StatementLimits) -> Result<()> {
        let Self { tables, joins, levels, carried, .. } = *self;
        let counts = [
            (
                tables,
                limits.max_tables,
                "max_tables",
                "tables once the names of its WITH are written out",
                "name each of them less often",
            ),
            (
                joins,
                limits.max_joins,
                "max_joins",
                "joins and subqueries in expressions",
                "join less at once; lists of values belong into IN",
            ),
            (
                levels,
                limits.max_levels,
                "max_levels",
                "levels of subqueries, joins and windows above each other",
                "nest less",
            ),
            (
                carried,
                limits.max_carried_columns,
                "max_carried_columns",
                "columns (those of each level, together)",
                "nest and join less, or select fewer columns",
            ),
        ];
        for (count, most, setting, of, instead) in counts {
            if count > most as u64 {
                return Err(too_much(&format!("has {count} {of}"), most, setting, instead));
            }
        }
        Ok(())
    }

    fn and(self, other: Self) -> Self {
        Self {
            tables: self.tables.saturating_add(other.tables),
            joins: self.joins.saturating_add(other.joins),
            levels: self.levels.max(other.levels),
            carried: self.carried.saturating_add(other.carried),
            width: self.width.saturating_add(other.width),
        }
    }

    /// The larger of two things that have the same name, wherever each is meant.
    fn or(self, other: Self) -> Self {
        Self {
            tables: self.tables.max(other.tables),
            joins: self.joins.max(other.joins),
            levels: self.levels.max(other.levels),
            carried: self.carried.max(other.carried),
            width: self.width.max(other.width),
        }
    }
}

/// A query whose end was not seen yet.
#[derive(Debug, Default)]
struct Frame {
    /// What it reads.
    below: Size,
    joins: u64,
    windows: HashSet<String>,
    outputs: u64,
    /// Whether it gives columns without naming them.
    has_wildcard: bool,
}

impl Frame {
    fn size(&self) -> Size {
        let below = self.below;
        let windows = self.windows.len() as u64 * LEVELS_OF_A_WINDOW;
        let levels = LEVELS_OF_A_QUERY + windows + self.joins;
        let read = if self.has_wildcard { below.width } else { 0 };
        let width = read.saturating_add(self.outputs).max(1);
        let carried = below.width.saturating_add(width).saturating_mul(levels);
        Size {
            tables: below.tables.max(1),
            joins: below.joins.saturating_add(self.joins),
            levels: below.levels.saturating_add(levels),
            carried: below.carried.saturating_add(carried),
            width,
        }
    }
}

/// Walks over a statement once: the bodies of a WITH come before what reads them.
struct Walk<'w> {
    catalog: &'w dyn Catalog,
    limits: &'w StatementLimits,
    /// The names of bodies whose end was not seen yet, by their addresses.
    bodies: HashMap<usize, String>,
    names: HashMap<String, Size>,
    /// From the outside, beginning with what reads the whole statement.
    open: Vec<Frame>,
    /// Carried by all bodies.
    defined: u64,
}

impl Walk<'_> {
    fn frame(&mut self) -> Option<&mut Frame> {
        self.open.last_mut()
    }

    fn named(&self, name: &ObjectName) -> Size {
        let last = name.0.last().and_then(|part| part.as_ident());
        if let (Some(ident), 1) = (last, name.0.len())
            && let Some(size) = self.names.get(&ident.value)
        {
            return *size;
        }
        let table = last.and_then(|ident| self.catalog.table(&ident.value));
        let width = table.map_or(COLUMNS_OF_OTHERS, |table| table.columns.len() as u64);
        Size { tables: 1, width, ..Size::default() }
    }

    fn enter(&mut self, query: &Query) -> Result<()> {
        for entry in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.bodies.insert(address(&entry.query), entry.alias.name.value.clone());
        }
        let mut frame = Frame::default();
        match query.body.as_ref() {
            SetExpr::Values(values) => {
                frame.outputs = values.rows.first().map_or(0, |row| row.content.len() as u64);
            }
            SetExpr::Table(_) => frame.has_wildcard = true,
            _ => {}
        }
        self.open.push(frame);
        match &query.with {
            Some(with) if with.recursive => Err(SqlError::unsupported(
                "WITH RECURSIVE is not supported; ask for each level in a statement of its own",
            )),
            _ => Ok(()),
        }
    }

    fn leave(&mut self, query: &Query) -> Result<()> {
        let size = self.open.pop().unwrap_or_default().size();
        size.check(self.limits)?;
        if let Some(name) = self.bodies.remove(&address(query)) {
            self.defined = self.defined.max(size.carried);
            let known = self.names.get(&name).copied().unwrap_or_default();
            self.names.insert(name, known.or(size));
        } else if let Some(frame) = self.frame() {
            frame.below = frame.below.and(size);
        }
        Ok(())
    }
}

impl Visitor for Walk<'_> {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<SqlError> {
        flow(self.enter(query))
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<SqlError> {
        flow(self.leave(query))
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<SqlError> {
        if let Some(frame) = self.frame() {
            let joined = select.from.iter().map(|from| from.joins.len() as u64 + 1).sum::<u64>();
            frame.joins += joined.saturating_sub(1);
            frame.outputs += select.projection.len() as u64;
            let is_wildcard = |item: &SelectItem| {
                matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
            };
            frame.has_wildcard |= select.projection.iter().any(is_wildcard);
        }
        flow(grouping::check(&select.group_by, self.limits))
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<SqlError> {
        let size = self.named(name);
        if let Some(frame) = self.frame() {
            frame.below = frame.below.and(size);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<SqlError> {
        let Some(frame) = self.frame() else { return ControlFlow::Continue(()) };
        match expr {
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => frame.joins += 1,
            Expr::Function(Function { over: Some(over), .. }) => {
                frame.windows.insert(over.to_string());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Queries stay where they are while they are walked over.
fn address(query: &Query) -> usize {
    std::ptr::from_ref(query).addr()
}

fn flow(outcome: Result<()>) -> ControlFlow<SqlError> {
    match outcome {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}
