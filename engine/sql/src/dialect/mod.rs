//! sqlparser's tree of Druid's SQL to one that DataFusion plans. What depends on the session, its zone, its clock
//! and its parameters, becomes part of the tree: nothing behind it knows a session. The README lists the forms.

mod apart;
mod calls;
mod chains;
mod from;
mod literal;
mod outputs;
mod parameters;
#[cfg(test)]
mod tests;
mod time;
mod tree;
mod tuples;
mod units;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Fetch, GroupByExpr, LimitClause, Query, Select, TableFactor, VisitMut,
    VisitorMut,
};
use henge_types::ErrorClass;
use jiff::tz::TimeZone;

use crate::error::{Result, SqlError};
use crate::session::Parameter;

pub(crate) use apart::tell_apart;
pub(crate) use outputs::another as another_name;

/// `POSITION(part IN text FROM first)`
pub(crate) fn position(part: Expr, text: Expr, first: Expr) -> Expr {
    tree::call("position", vec![part, text, first])
}

/// What of a session statements can see.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// The session's zone; `None` for UTC.
    pub zone: Option<Zone>,
    /// CURRENT_TIMESTAMP, ms.
    pub now_ms: i64,
    /// The values of `?`; `None` leaves them open, to find their types.
    pub parameters: Option<Vec<Parameter>>,
    /// Whether COUNT(DISTINCT x) may be a sketch's estimate.
    pub approximate_distinct: bool,
}

/// A zone other than UTC.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    /// As the context names it.
    pub name: String,
    /// Its rules.
    pub rules: TimeZone,
}

/// What rewriting found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Whether the statement asks for the time: its plan is good for this moment only.
    pub reads_clock: bool,
}

/// Columns of one SELECT: planning takes the square of it.
const MAX_OUTPUTS: usize = 2_000;

/// Rewrites a query in place.
///
/// # Errors
/// When a literal, a unit or a parameter is wrong, or the statement grows too large.
pub(crate) fn rewrite(query: &mut Query, around: &Surroundings) -> Result<Findings> {
    let mut rewriter = Rewriter { around, findings: Findings::default(), derived: 0 };
    match query.visit(&mut rewriter) {
        ControlFlow::Continue(()) => Ok(rewriter.findings),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter<'a> {
    around: &'a Surroundings,
    findings: Findings,
    /// Subqueries in FROM that were given a name.
    derived: usize,
}

impl VisitorMut for Rewriter<'_> {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        limit_by_fetch(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
        if select.projection.len() > MAX_OUTPUTS {
            return ControlFlow::Break(SqlError::new(
                ErrorClass::ResourceLimit,
                format!(
                    "a SELECT has {} columns, at most {MAX_OUTPUTS} are planned; ask for them in \
                     several statements",
                    select.projection.len()
                ),
            ));
        }
        if let Some(refused) = refused_clause(select) {
            return ControlFlow::Break(refused);
        }
        from::nest_unnests(&mut select.from);
        without_empty_group(&mut select.group_by);
        outputs::name(&mut select.projection);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<SqlError> {
        match factor {
            TableFactor::Table { sample: Some(_), .. }
            | TableFactor::Derived { sample: Some(_), .. } => {
                return ControlFlow::Break(SqlError::unsupported(
                    "TABLESAMPLE is not supported: all rows are read; filter by a hash of a column, or ask for fewer days",
                ));
            }
            TableFactor::Table { with_hints, .. } if !with_hints.is_empty() => {
                return ControlFlow::Break(SqlError::unsupported(
                    "WITH (hint) behind a table is not supported; leave it out",
                ));
            }
            TableFactor::Derived { alias: alias @ None, .. } => {
                *alias = Some(tree::table_alias(&format!("EXPR$T{}", self.derived)));
                self.derived += 1;
            }
            // `foo.*` means the table of whatever schema.
            TableFactor::Table { name, alias: alias @ None, args: None, .. }
                if name.0.len() > 1 =>
            {
                let last = name.0.last().and_then(|part| part.as_ident());
                *alias = last.map(|ident| tree::table_alias(&ident.value));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        chains::balance(expr);
        literal::negative(expr);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        match self.rewritten(expr) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(other)) => {
                *expr = other;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Rewriter<'_> {
    /// What stands in the place of an expression, whose parts are rewritten already.
    fn rewritten(&mut self, expr: &mut Expr) -> Result<Option<Expr>> {
        match expr {
            Expr::Value(value) => parameters::value(value, self.around),
            Expr::TypedString(literal) => literal::typed(literal, self.around).map(Some),
            Expr::Floor { expr, field } => time::floor(expr, field, "floor", self.around).map(Some),
            Expr::Ceil { expr, field } => time::floor(expr, field, "ceil", self.around).map(Some),
            Expr::Extract { field, expr, .. } => {
                Ok(Some(time::extract(&field.to_string(), expr, self.around)))
            }
            Expr::BinaryOp { left, op, right } => time::shifted(left, op, right, self.around),
            Expr::Position { expr, r#in } => {
                Ok(Some(tree::call("position", vec![tree::take(expr), tree::take(r#in)])))
            }
            Expr::Trim { .. } => Ok(calls::trim(expr)),
            Expr::Substring { .. } => Ok(calls::substring(expr)),
            Expr::InList { .. } => Ok(tuples::in_list(expr)),
            Expr::InSubquery { .. } => Ok(tuples::in_subquery(expr)),
            Expr::Function(function) => {
                calls::prepare(function, self.around);
                let clock = time::clock(function, self.around)?;
                self.findings.reads_clock |= clock.is_some();
                match clock {
                    Some(literal) => Ok(Some(literal)),
                    None => time::call(function, self.around),
                }
            }
            _ => Ok(None),
        }
    }
}

/// What is said of clauses of a SELECT that the planner reads otherwise, or not at all.
fn refused_clause(select: &Select) -> Option<SqlError> {
    let said = if matches!(select.distinct, Some(Distinct::On(_))) {
        "DISTINCT ON is not supported; take LATEST(x) or EARLIEST(x) with GROUP BY, or ROW_NUMBER() in a subquery"
    } else if select.top.is_some() {
        "TOP is not supported; write LIMIT at the end"
    } else if select.into.is_some() {
        "SELECT INTO is not supported: statements only ask"
    } else {
        return None;
    };
    Some(SqlError::unsupported(said))
}

/// `FETCH FIRST 5 ROWS ONLY` is `LIMIT 5`.
fn limit_by_fetch(query: &mut Query) {
    let Some(Fetch { quantity: Some(quantity), percent: false, with_ties: false }) = &query.fetch
    else {
        return;
    };
    let quantity = Some(quantity.clone());
    match &mut query.limit_clause {
        None => {
            query.limit_clause = Some(LimitClause::LimitOffset {
                limit: quantity,
                offset: None,
                limit_by: Vec::new(),
            });
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = quantity,
        Some(_) => return,
    }
    query.fetch = None;
}

/// `GROUP BY ()` is what aggregates do without GROUP BY.
fn without_empty_group(group_by: &mut GroupByExpr) {
    if let GroupByExpr::Expressions(expressions, _) = group_by {
        expressions.retain(|expr| !matches!(expr, Expr::Tuple(parts) if parts.is_empty()));
    }
}
