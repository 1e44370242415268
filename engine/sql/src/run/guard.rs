//! [`GuardExec`]: an operator that passes on what its input gives, as long as the statement may go on, and counts
//! what windows hold.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{ReplaceChildrenOptions, SchedulingType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

use super::windows::Windows;
use crate::operator::{only, operator};
use crate::plan::check;
use crate::watch::{Stage, Watch};

/// What it does with a batch beside asking whether the statement may go on.
#[derive(Debug, Clone)]
pub(super) enum Duty {
    /// Nothing.
    Watch,
    /// A window takes it.
    Taken(Arc<Windows>),
    /// A window gave it.
    Given(Arc<Windows>),
}

/// Stands above an operator.
#[derive(Debug)]
pub(super) struct GuardExec {
    input: Arc<dyn ExecutionPlan>,
    duty: Duty,
    watch: Arc<dyn Watch>,
    properties: Arc<PlanProperties>,
}

impl GuardExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, duty: Duty, watch: Arc<dyn Watch>) -> Self {
        let properties = PlanProperties::clone(input.properties());
        let properties = properties.with_scheduling_type(SchedulingType::Cooperative);
        Self { input, duty, watch, properties: Arc::new(properties) }
    }
}

impl DisplayAs for GuardExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuardExec")
    }
}

impl ExecutionPlan for GuardExec {
    operator!("GuardExec");

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(only(children)?, self.duty.clone(), Arc::clone(&self.watch))))
    }

    fn execute(
        &self,
        partition: usize,
        task: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let (duty, watch) = (self.duty.clone(), Arc::clone(&self.watch));
        if let Duty::Taken(windows) = &duty {
            windows.begin(partition, &task);
        }
        let seen = move |batch: Result<RecordBatch>| -> Result<RecordBatch> {
            let batch = batch?;
            check(watch.as_ref(), Stage::Run)?;
            match &duty {
                Duty::Watch => {}
                Duty::Taken(windows) => windows.taken(partition, &batch)?,
                Duty::Given(windows) => windows.given(partition, &batch)?,
            }
            Ok(batch)
        };
        let rows = self.input.execute(partition, task)?.map(seen);
        // Whoever reads it in a loop lets others work from time to time, and can be stopped then.
        Ok(make_cooperative(Box::pin(RecordBatchStreamAdapter::new(schema, rows))))
    }
}
