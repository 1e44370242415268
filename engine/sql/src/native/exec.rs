//! [`NativeExec`]: the leaf that asks.

use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::align::align;
use super::{Ask, Asker, NativeOverExec};

/// Asks for a native query or a system table and gives its rows, in one partition.
#[derive(Debug)]
pub(crate) struct NativeExec {
    ask: Ask,
    names: Arc<[String]>,
    properties: Arc<PlanProperties>,
}

impl NativeExec {
    /// `names` are columns of the answer, one for each field of `schema`.
    #[must_use]
    pub(crate) fn new(ask: Ask, names: Arc<[String]>, schema: SchemaRef) -> Self {
        Self { ask, names, properties: one_partition(schema) }
    }
}

/// Whether an operator is a native query that gives groups.
#[must_use]
pub(crate) fn is_grouped(plan: &dyn ExecutionPlan) -> bool {
    match plan.downcast_ref::<NativeExec>().map(|exec| &exec.ask) {
        Some(Ask::Query(query)) => {
            matches!(query["queryType"].as_str(), Some("groupBy" | "topN" | "timeseries"))
        }
        Some(Ask::System(_)) => false,
        None => plan.downcast_ref::<NativeOverExec>().is_some(),
    }
}

/// The properties of an operator that gives its rows in one partition and in no order that is known.
pub(super) fn one_partition(schema: SchemaRef) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(schema),
        Partitioning::UnknownPartitioning(1),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

impl DisplayAs for NativeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ask {
            Ask::Query(query) => write!(f, "NativeExec: {query}"),
            Ask::System(table) => write!(f, "NativeExec: sys.{table}"),
        }
    }
}

impl ExecutionPlan for NativeExec {
    fn name(&self) -> &str {
        "NativeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(&self, _: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let asker = Asker::of(&task)?;
        let schema = self.schema();
        let (ask, names, declared) =
            (self.ask.clone(), Arc::clone(&self.names), Arc::clone(&schema));
        let answer = async move {
            let batches = asker.ask(&ask).await?;
            let aligned = batches
                .into_iter()
                .map(move |batch| align(&batch, &names, &declared).map_err(DataFusionError::from));
            Ok::<_, DataFusionError>(stream::iter(aligned))
        };
        let rows = stream::once(answer).try_flatten().boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
