//! [`AnyOfSeveral`]: conditions on texts of which a row may have several. As in native queries one that is equal is
//! enough, and NOT asks that none is.
//!
//! As a comparison of columns DataFusion would take them for one text: two that must both be there would contradict
//! each other, and where no native query decides, the list itself would be compared. So each becomes the call that
//! says what is meant; `lower/filter` makes the filters of comparisons of it again.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, Result};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, not};
use datafusion::optimizer::AnalyzerRule;

use crate::functions::invoke;
use crate::native::MULTI_VALUE;

/// Says what comparisons of several texts mean.
#[derive(Debug)]
pub(super) struct AnyOfSeveral;

impl AnalyzerRule for AnyOfSeveral {
    fn name(&self) -> &str {
        "any_of_several"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|node| match has_several(&node) {
            true => in_operator(node),
            false => Ok(Transformed::no(node)),
        })
        .data()
    }
}

fn has_several(node: &LogicalPlan) -> bool {
    let inputs = node.inputs();
    let mut fields = inputs.iter().flat_map(|input| input.schema().fields().iter());
    fields.any(|field| field.metadata().contains_key(MULTI_VALUE))
}

fn in_operator(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Filter(mut filter) => {
            filter.predicate = met(filter.predicate, filter.input.schema())?;
            Ok(Transformed::yes(LogicalPlan::Filter(filter)))
        }
        LogicalPlan::Join(mut join) => {
            let schema = join.left.schema().join(join.right.schema())?;
            join.filter = join.filter.map(|filter| met(filter, &schema)).transpose()?;
            Ok(Transformed::yes(LogicalPlan::Join(join)))
        }
        LogicalPlan::Aggregate(aggregate) => {
            let schema = Arc::clone(aggregate.input.schema());
            in_aggregates(LogicalPlan::Aggregate(aggregate), &schema)
        }
        other => Ok(Transformed::no(other)),
    }
}

/// The conditions of FILTER.
fn in_aggregates(node: LogicalPlan, schema: &DFSchema) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&node);
    node.map_expressions(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_up(|part| match part {
            Expr::AggregateFunction(mut call) if call.params.filter.is_some() => {
                let filter = call.params.filter.take();
                let filter = filter.map(|filter| met(*filter, schema)).transpose()?;
                call.params.filter = filter.map(Box::new);
                Ok(Transformed::yes(Expr::AggregateFunction(call)))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(rewritten.update_data(|expr| name.restore(expr)))
    })?
    .map_data(LogicalPlan::recompute_schema)
}

/// A condition of rows. What is computed within it is that of each text, and stays.
fn met(condition: Expr, schema: &DFSchema) -> Result<Expr> {
    let of = |inner: Box<Expr>| met(*inner, schema).map(Box::new);
    let several =
        |expr: &Expr| matches!(expr, Expr::Column(column) if is_of_several(column, schema));
    Ok(match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            Expr::BinaryExpr(BinaryExpr { left: of(left)?, op, right: of(right)? })
        }
        Expr::Not(inner) => Expr::Not(of(inner)?),
        Expr::IsTrue(inner) => Expr::IsTrue(of(inner)?),
        Expr::IsNotTrue(inner) => Expr::IsNotTrue(of(inner)?),
        Expr::IsFalse(inner) => Expr::IsFalse(of(inner)?),
        Expr::IsNotFalse(inner) => Expr::IsNotFalse(of(inner)?),
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Eq | Operator::NotEq), right })
            if several(&left) && is_text(&right) || several(&right) && is_text(&left) =>
        {
            let (texts, text) = if several(&left) { (left, right) } else { (right, left) };
            let equals = invoke("any_equals", vec![*texts, *text])?;
            if op == Operator::Eq { equals } else { not(equals) }
        }
        Expr::InList(InList { expr, list, negated })
            if several(&expr) && list.iter().all(is_text) =>
        {
            let is_in = invoke("any_in", vec![*expr, invoke("array", list)?])?;
            if negated { not(is_in) } else { is_in }
        }
        other => other,
    })
}

/// True for a constant that is not null.
fn is_text(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if !value.is_null())
}

fn is_of_several(column: &Column, schema: &DFSchema) -> bool {
    schema.field_from_column(column).is_ok_and(|field| field.metadata().contains_key(MULTI_VALUE))
}
