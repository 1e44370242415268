//! How deep the trees of expressions are. Tokens tell it nearly always, before anything is made of them; but a word
//! may be a name where another begins something, so that only the tree is certain.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Query, Visit, Visitor};

use super::bounds::{MAX_DEPTH, too_deep};
use crate::error::{Result, SqlError};

/// Refuses trees that are too deep for whoever walks them.
pub(super) fn check(query: &Query) -> Result<()> {
    match query.visit(&mut Depth::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// The expressions around the one that is looked at: whether each is a level of its own, and the chain that it is
/// part of. Chains of AND and of OR become flat.
#[derive(Default)]
struct Depth {
    open: Vec<(bool, Option<bool>)>,
    levels: usize,
}

impl Visitor for Depth {
    type Break = SqlError;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<SqlError> {
        let chain = match expr {
            Expr::BinaryOp { op: BinaryOperator::And, .. } => Some(true),
            Expr::BinaryOp { op: BinaryOperator::Or, .. } => Some(false),
            _ => None,
        };
        let above = self.open.last().and_then(|(_, chain)| *chain);
        let is_level = chain.is_none() || chain != above;
        self.open.push((is_level, chain));
        self.levels += usize::from(is_level);
        match self.levels > MAX_DEPTH {
            true => ControlFlow::Break(too_deep()),
            false => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<SqlError> {
        let was_level = self.open.pop().is_some_and(|(is_level, _)| is_level);
        self.levels -= usize::from(was_level);
        ControlFlow::Continue(())
    }
}
