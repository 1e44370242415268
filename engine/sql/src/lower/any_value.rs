//! Comparisons of texts of which a row may have several, where no native query decides them: as there, one that is
//! equal is enough, and NOT asks that none is. As they are such texts are one, which shows all of them.

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, Result};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, not};

use crate::functions::{casts, invoke};
use crate::native::MULTI_VALUE;

/// The plan with such comparisons.
///
/// # Errors
/// When a part of it cannot be put together again.
pub(super) fn compared(plan: LogicalPlan) -> Result<LogicalPlan> {
    let holds_several = plan.exists(|node| {
        Ok(node.schema().fields().iter().any(|field| field.metadata().contains_key(MULTI_VALUE)))
    });
    match holds_several? {
        true => plan.transform_up_with_subqueries(in_operator).data(),
        false => Ok(plan),
    }
}

fn in_operator(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match node {
        // What they compare they ask natively.
        LogicalPlan::TableScan(_) | LogicalPlan::Extension(_) => Ok(Transformed::no(node)),
        other => casts::rewrite_in(other, compare),
    }
}

fn compare(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let several =
        |expr: &Expr| matches!(expr, Expr::Column(column) if is_of_several(column, schema));
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Eq | Operator::NotEq), right })
            if several(&left) != several(&right) =>
        {
            let (texts, value) = if several(&left) { (left, right) } else { (right, left) };
            let contains = invoke("mv_contains", vec![*texts, *value])?;
            Ok(Transformed::yes(if op == Operator::Eq { contains } else { not(contains) }))
        }
        Expr::InList(InList { expr, list, negated }) if several(&expr) => {
            let overlap = invoke("mv_overlap", vec![*expr, invoke("array", list)?])?;
            Ok(Transformed::yes(if negated { not(overlap) } else { overlap }))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn is_of_several(column: &Column, schema: &DFSchema) -> bool {
    schema.field_from_column(column).is_ok_and(|field| field.metadata().contains_key(MULTI_VALUE))
}
