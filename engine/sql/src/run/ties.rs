//! Windows over groups: rows that tie in what a window orders by come in the order of the groups, so that an answer
//! does not depend on how a sort leaves them.

use std::sync::Arc;

use arrow_schema::{DataType, SortOptions};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};

use crate::native::is_grouped;

/// The plan with the sorts below windows over groups by all of their columns.
///
/// # Errors
/// When an operator does not take its child.
pub(super) fn settled(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let settled = plan.transform_up(|plan| {
        let is_window = plan.downcast_ref::<WindowAggExec>().is_some()
            || plan.downcast_ref::<BoundedWindowAggExec>().is_some();
        let child = plan.children().first().map(|child| Arc::clone(child));
        let sort = child.as_ref().filter(|_| is_window);
        let sort = sort.and_then(|child| child.downcast_ref::<SortExec>());
        match sort.filter(|sort| sort.fetch().is_none() && gives_groups(sort.input())) {
            Some(sort) => {
                replace_children_if_necessary(plan, vec![by_all(sort)]).map(Transformed::yes)
            }
            None => Ok(Transformed::no(plan)),
        }
    })?;
    Ok(settled.data)
}

/// Whether rows are groups, under operators that pass rows on.
fn gives_groups(plan: &Arc<dyn ExecutionPlan>) -> bool {
    if plan.downcast_ref::<AggregateExec>().is_some() || is_grouped(plan.as_ref()) {
        return true;
    }
    match plan.children().as_slice() {
        [only] => gives_groups(only),
        _ => false,
    }
}

/// The sort by all columns besides, in their order.
fn by_all(sort: &SortExec) -> Arc<dyn ExecutionPlan> {
    let schema = sort.input().schema();
    let fields = schema.fields().iter().enumerate();
    let has_order = |data_type: &DataType| !data_type.is_nested();
    let others = fields.filter(|(_, field)| has_order(field.data_type())).map(|(place, field)| {
        let options = SortOptions { descending: false, nulls_first: true };
        PhysicalSortExpr::new(Arc::new(Column::new(field.name(), place)), options)
    });
    let keys = sort.expr().iter().cloned().chain(others);
    let keys = LexOrdering::new(keys).unwrap_or_else(|| sort.expr().clone());
    let sorted = SortExec::new(keys, Arc::clone(sort.input()));
    Arc::new(sorted.with_preserve_partitioning(sort.preserve_partitioning()))
}
