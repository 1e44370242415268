//! [`NativePlanner`]: from [`NativeNode`] to the operators that ask.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};

use super::{Ask, NativeExec, NativeNode, NativeOverExec};

/// Plans native queries. It is given to DataFusion's planner as an extension.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NativePlanner;

#[async_trait]
impl ExtensionPlanner for NativePlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<NativeNode>() else { return Ok(None) };
        let schema = Arc::clone(UserDefinedLogicalNodeCore::schema(node).inner());
        let (query, names) = (Arc::clone(node.query()), Arc::clone(node.names()));
        Ok(Some(match inputs {
            [] => Arc::new(NativeExec::new(Ask::Query(query), names, schema)),
            [input] => Arc::new(NativeOverExec::new(query, names, schema, Arc::clone(input))),
            _ => {
                let message = "a native query reads the rows of one input".to_owned();
                return Err(DataFusionError::Internal(message));
            }
        }))
    }
}
