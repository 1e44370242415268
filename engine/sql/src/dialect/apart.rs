//! Casts told apart: the planner calls `CAST(x AS t)` like `x`, so that aggregates or groups of both would be two
//! columns of one name. Until types are settled (`functions::casts` takes it away again) each stands in a call that
//! says its type.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, VisitMut, VisitorMut};

use super::tree;
use crate::functions::casts::AS_TYPE;

/// Casts of casts that are told apart; deeper ones would make a deep tree twice as deep.
const MOST_NESTED: usize = 8;

/// Tells the casts of a query apart.
pub(crate) fn tell_apart(query: &mut Query) {
    let _ = query.visit(&mut Apart { open: 0 });
}

struct Apart {
    /// Casts around the expression that is visited, itself included.
    open: usize,
}

impl VisitorMut for Apart {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.open += usize::from(matches!(expr, Expr::Cast { .. }));
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { data_type, .. } = expr {
            let data_type = tree::text(data_type.to_string());
            if self.open <= MOST_NESTED {
                let cast = tree::take(expr);
                *expr = tree::call(AS_TYPE, vec![cast, data_type]);
            }
            self.open -= 1;
        }
        ControlFlow::Continue(())
    }
}
