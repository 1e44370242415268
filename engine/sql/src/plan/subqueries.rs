//! Scalar subqueries in the arguments of aggregates: they are computed for each row below the aggregate, where they
//! can be decorrelated.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection};

/// Puts the scalar subqueries of aggregates into a projection of their own.
///
/// # Errors
/// When a part of the plan cannot be put together again.
pub(super) fn below_aggregates(plan: LogicalPlan) -> Result<LogicalPlan> {
    let moved = plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.iter().any(has_subquery) => {
            below(aggregate).map(Transformed::yes)
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(moved.data)
}

fn has_subquery(call: &Expr) -> bool {
    call.exists(|part| Ok(matches!(part, Expr::ScalarSubquery(_)))).unwrap_or(false)
}

fn below(aggregate: Aggregate) -> Result<LogicalPlan> {
    let mut columns: Vec<Expr> =
        aggregate.input.schema().columns().into_iter().map(Expr::Column).collect();
    let mut found: Vec<Expr> = Vec::new();
    let mut calls = Vec::with_capacity(aggregate.aggr_expr.len());
    for call in aggregate.aggr_expr {
        let shown = call.schema_name().to_string();
        let read = call.transform_down(|part| match part {
            Expr::ScalarSubquery(_) => {
                let place = found.iter().position(|known| *known == part).unwrap_or(found.len());
                if place == found.len() {
                    found.push(part);
                }
                Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name(place)))))
            }
            other => Ok(Transformed::no(other)),
        })?;
        calls.push(if read.transformed { read.data.alias(shown) } else { read.data });
    }
    let subqueries = found.into_iter().enumerate();
    columns.extend(subqueries.map(|(place, subquery)| subquery.alias(name(place))));
    let rows = LogicalPlan::Projection(Projection::try_new(columns, aggregate.input)?);
    Aggregate::try_new(Arc::new(rows), aggregate.group_expr, calls).map(LogicalPlan::Aggregate)
}

fn name(place: usize) -> String {
    format!("EXPR$S{place}")
}
