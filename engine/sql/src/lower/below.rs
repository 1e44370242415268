//! What native queries cannot compute of the rows of an aggregate, computed below it.

use std::sync::Arc;

use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection};

/// The aggregate over rows that have its groups, arguments and conditions as columns, and these rows; `None` when
/// nothing of them is computed.
///
/// # Errors
/// When the rows cannot be put together.
pub(super) fn computed(
    aggregate: &Aggregate,
    input: &LogicalPlan,
) -> Result<Option<(Aggregate, LogicalPlan)>> {
    let mut columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    let known = columns.len();
    let mut over = aggregate.clone();
    let groups = over.group_expr.iter_mut().filter(|key| !matches!(key, Expr::GroupingSet(_)));
    for read in groups.chain(over.aggr_expr.iter_mut().flat_map(read_by)) {
        if !is_computed(read) {
            continue;
        }
        let name = format!("EXPR$B{}", columns.len());
        let column = Expr::Column(Column::new_unqualified(name.clone()));
        columns.push(std::mem::replace(read, column).alias(name));
    }
    if columns.len() == known {
        return Ok(None);
    }
    let rows = Projection::try_new(columns, Arc::new(input.clone()))?;
    Ok(Some((over, LogicalPlan::Projection(rows))))
}

/// The arguments of a call, and its condition.
fn read_by(call: &mut Expr) -> Vec<&mut Expr> {
    match call {
        Expr::Alias(alias) => read_by(&mut alias.expr),
        Expr::AggregateFunction(call) => {
            let condition = call.params.filter.as_deref_mut();
            call.params.args.iter_mut().chain(condition).collect()
        }
        _ => Vec::new(),
    }
}

/// Columns are read as they are, and constants say how.
fn is_computed(read: &Expr) -> bool {
    !matches!(read, Expr::Column(_)) && !read.column_refs().is_empty()
}
