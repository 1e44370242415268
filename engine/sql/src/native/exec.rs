//! [`NativeExec`]: the leaf that asks.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::align::align;
use super::{Ask, Asker, NativeOverExec};
use crate::operator::operator;

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

/// The rows of an answer, which is awaited when the first of them is, as a plan declares them.
pub(super) fn declared(
    schema: SchemaRef,
    names: Arc<[String]>,
    answer: impl Future<Output = Result<Vec<RecordBatch>>> + Send + 'static,
) -> SendableRecordBatchStream {
    let wanted = Arc::clone(&schema);
    let aligned = async move {
        let batches = answer.await?.into_iter();
        let aligned =
            move |batch: RecordBatch| align(&batch, &names, &wanted).map_err(DataFusionError::from);
        Ok::<_, DataFusionError>(stream::iter(batches.map(aligned)))
    };
    let rows = stream::once(aligned).try_flatten().boxed();
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
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
    operator!("NativeExec");

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let asker = Asker::of(&task)?;
        let ask = self.ask.clone();
        let answer = async move { asker.ask(&ask).await };
        Ok(declared(self.schema(), Arc::clone(&self.names), answer))
    }
}
