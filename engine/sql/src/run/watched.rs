//! A plan of operators that ends soon after its statement may not go on: whatever reads or multiplies rows asks.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};

use super::condition::Condition;
use super::guard::{Duty, GuardExec};
use super::windows::Windows;
use crate::watch::Watch;

/// The plan, watched over. No rule may rewrite it any more.
///
/// # Errors
/// When an operator cannot be made anew.
pub(super) fn watched(
    plan: Arc<dyn ExecutionPlan>,
    watch: &Arc<dyn Watch>,
) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|operator| Ok(Transformed::yes(guarded(operator, watch)?)))
        .map(|watched| watched.data)
}

fn guarded(
    operator: Arc<dyn ExecutionPlan>,
    watch: &Arc<dyn Watch>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let guard = |operator: Arc<dyn ExecutionPlan>, duty| -> Arc<dyn ExecutionPlan> {
        Arc::new(GuardExec::new(operator, duty, Arc::clone(watch)))
    };
    if is_window(&operator) {
        let windows = Arc::new(Windows::default());
        let inputs = operator.children().into_iter().cloned();
        let inputs = inputs.map(|input| guard(input, Duty::Taken(Arc::clone(&windows)))).collect();
        let operator = replace_children_if_necessary(operator, inputs)?;
        return Ok(guard(operator, Duty::Given(windows)));
    }
    if let Some(join) = operator.downcast_ref::<HashJoinExec>() {
        let condition = join.filter().map(|filter| condition(filter, watch));
        let join = match condition {
            Some(condition) => join.builder().with_filter(Some(condition)).build_exec()?,
            None => operator,
        };
        return Ok(guard(join, Duty::Watch));
    }
    if let Some(join) = operator.downcast_ref::<NestedLoopJoinExec>() {
        let filter = join.filter().map(|filter| condition(filter, watch));
        let join = NestedLoopJoinExecBuilder::from(join).with_filter(filter).build()?;
        let join: Arc<dyn ExecutionPlan> = Arc::new(join);
        return Ok(guard(join, Duty::Watch));
    }
    let multiplies = operator.is::<CrossJoinExec>()
        || operator.is::<SortMergeJoinExec>()
        || operator.is::<UnnestExec>();
    if multiplies || operator.children().is_empty() {
        return Ok(guard(operator, Duty::Watch));
    }
    Ok(operator)
}

fn is_window(operator: &Arc<dyn ExecutionPlan>) -> bool {
    operator.is::<WindowAggExec>() || operator.is::<BoundedWindowAggExec>()
}

fn condition(filter: &JoinFilter, watch: &Arc<dyn Watch>) -> JoinFilter {
    let condition = Condition::new(Arc::clone(filter.expression()), Arc::clone(watch));
    let (columns, schema) = (filter.column_indices().to_vec(), Arc::clone(filter.schema()));
    JoinFilter::new(Arc::new(condition), columns, schema)
}
