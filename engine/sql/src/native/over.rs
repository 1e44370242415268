//! [`NativeOverExec`]: a native query over the rows of its child.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements,
    PlanProperties,
};
use futures::TryStreamExt;
use serde_json::Value;

use super::Asker;
use super::exec::{declared, one_partition};
use super::spread::spread;
use crate::operator::{only, operator};

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
    operator!("NativeOverExec");

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (query, names) = (Arc::clone(&self.query), Arc::clone(&self.names));
        Ok(Arc::new(Self::new(query, names, self.schema(), only(children)?)))
    }

    fn execute(&self, _: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let asker = Asker::of(&task)?;
        let query = Arc::clone(&self.query);
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
            asker.ask_over(&query, input_schema, rows).await
        };
        Ok(declared(self.schema(), Arc::clone(&self.names), answer))
    }
}
