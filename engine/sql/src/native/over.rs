//! [`NativeOverExec`]: a native query over the rows of its child.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements,
    PhysicalExpr, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::Asker;
use super::align::align;
use super::exec::one_partition;
use super::spread::spread;

/// Runs Druid's aggregators where the rows come from an operator: it takes all rows of its child, within the
/// memory of the statement, and asks the native query over them.
#[derive(Debug)]
pub(crate) struct NativeOverExec {
    query: Arc<Value>,
    names: Arc<[String]>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl NativeOverExec {
    /// `names` are columns of the answer, one for each field of `schema`; the query reads the columns of `input` by
    /// their names.
    #[must_use]
    pub(crate) fn new(
        query: Arc<Value>,
        names: Arc<[String]>,
        schema: SchemaRef,
        input: Arc<dyn ExecutionPlan>,
    ) -> Self {
        Self { query, names, input, properties: one_partition(schema) }
    }
}

impl DisplayAs for NativeOverExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NativeOverExec: {}", self.query)
    }
}

impl ExecutionPlan for NativeOverExec {
    fn name(&self) -> &str {
        "NativeOverExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| {
            DataFusionError::Internal("a native query over rows needs its child".to_owned())
        })?;
        let (query, names) = (Arc::clone(&self.query), Arc::clone(&self.names));
        Ok(Arc::new(Self::new(query, names, self.schema(), input)))
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
        let (query, names, declared) =
            (Arc::clone(&self.query), Arc::clone(&self.names), Arc::clone(&schema));
        let input_schema = self.input.schema();
        let input = self.input.execute(0, Arc::clone(&task))?;
        let answer = async move {
            let memory = MemoryConsumer::new("NativeOverExec").register(task.memory_pool());
            let rows = input
                .try_fold(Vec::new(), |mut rows: Vec<RecordBatch>, batch| {
                    let taken = memory.try_grow(batch.get_array_memory_size());
                    rows.push(batch);
                    std::future::ready(taken.map(|()| rows))
                })
                .await?;
            let (input_schema, rows) = spread(input_schema, rows)?;
            let batches = asker.ask_over(&query, input_schema, rows).await?;
            let aligned = batches
                .into_iter()
                .map(move |batch| align(&batch, &names, &declared).map_err(DataFusionError::from));
            Ok::<_, DataFusionError>(stream::iter(aligned))
        };
        let rows = stream::once(answer).try_flatten().boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
