//! Pushes into a datasource that only tasks have written so far: it takes them from then on, under the
//! schema of the latest task.

use std::sync::Arc;

use henge_platform::metadata::{TaskFilter, TaskStatus};
use henge_query::ingest::{DataSchema, IndexTask};

use super::RealtimeNode;
use crate::error::{RealtimeError, Result};
use crate::priority::PUSH_PRIORITY;
use crate::push::PushDatasource;

/// Tasks of a datasource that are looked at: some merge segments and have no schema.
const TASKS_SEEN: usize = 1_000;

impl RealtimeNode {
    /// Lets a datasource take pushes that a task has loaded.
    ///
    /// # Errors
    /// With `unknown` when none has; else when the metadata store fails.
    pub(super) async fn adopt(
        &self,
        name: &str,
        unknown: RealtimeError,
    ) -> Result<Arc<PushDatasource>> {
        let Some(schema) = self.loaded_schema(name).await? else { return Err(unknown) };
        let put = self.put_datasource(&schema).await?;
        tracing::info!(
            datasource = name,
            version = put.version,
            "takes pushes from now on, under the schema of the latest load"
        );
        self.datasource(name).await
    }

    /// The schema of the latest task that loaded events into a datasource.
    async fn loaded_schema(&self, name: &str) -> Result<Option<DataSchema>> {
        let filter = TaskFilter {
            status: Some(TaskStatus::Success),
            datasource: Some(name.to_owned()),
            limit: TASKS_SEEN,
            ..TaskFilter::default()
        };
        let tasks = self.shared.metadata.list_tasks(&filter).await?;
        let loads = |task_type: &str| matches!(task_type, "index_parallel" | "index");
        let Some(latest) = tasks.iter().find(|task| loads(&task.task_type)) else {
            return Ok(None);
        };
        let Some(task) = self.shared.metadata.get_task(&latest.id).await? else { return Ok(None) };
        let pool = &self.shared.ingest_pool;
        let work = move || IndexTask::parse(task.payload_json.as_bytes());
        let mut schema = pool.spawn(PUSH_PRIORITY, work).await??.spec.data_schema;
        // Pushes have no whole input that would choose: rows go to the chunks that are there, else to days.
        schema.granularity_spec.is_automatic = false;
        Ok(Some(schema))
    }
}
