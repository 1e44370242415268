//! Batch tasks: a queue of one at a time, with progress, that survives restarts.

mod chunks;
mod file;
mod input;
mod letters;
mod pieces;
mod read;
mod ready;
mod run;
mod store;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use henge_platform::metadata::{
    MetadataError, TaskFilter, TaskProgress, TaskRecord, TaskStatus, TaskUpdate,
};
use henge_query::ingest::IndexTask;
use henge_types::format_timestamp;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

pub use file::LocalFile;

use crate::Shared;
use crate::error::{RealtimeError, Result};
use crate::push::accept::PUSH_PRIORITY;

/// Live progress of the tasks at work, by task id.
pub(crate) type ProgressBoard = Arc<Mutex<HashMap<String, TaskProgress>>>;

/// The tasks of a node.
#[derive(Debug, Clone)]
pub struct TaskQueue {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    progress: ProgressBoard,
}

impl TaskQueue {
    /// An empty queue that works through one task at a time.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, places: Arc::new(Semaphore::new(1)), progress: ProgressBoard::default() }
    }

    /// Accepts a task; gives its id. It is checked in full before.
    ///
    /// # Errors
    /// When the spec is wrong or the id is taken.
    pub async fn submit(&self, json: Bytes) -> Result<String> {
        let (task, json) = self.parse(json).await?;
        let created_ms = self.shared.clock.now_ms();
        let schema = &task.spec.data_schema;
        let id = task.id.clone().unwrap_or_else(|| {
            let (kind, unique) = (task.task_type.name(), rand::random::<u32>());
            let time = format_timestamp(created_ms);
            format!("{kind}_{}_{unique:08x}_{time}", schema.data_source)
        });
        let record = TaskRecord {
            id: id.clone(),
            task_type: task.task_type.name().into(),
            datasource: schema.data_source.clone(),
            created_ms,
            status: TaskStatus::Running,
            error: None,
            duration_ms: None,
            payload_json: json,
            progress: TaskProgress::default(),
        };
        match self.shared.metadata.put_task(&record).await {
            Ok(()) => {}
            Err(MetadataError::Invalid(reason)) => return Err(RealtimeError::Invalid(reason)),
            Err(error) => return Err(error.into()),
        }
        self.start(record, task);
        Ok(id)
    }

    /// Takes up the tasks that a restart interrupted. A task publishes in one transaction under its
    /// own id, so running it again never stores anything twice.
    ///
    /// # Errors
    /// When the metadata store fails.
    pub async fn resume(&self) -> Result<()> {
        let filter = TaskFilter { status: Some(TaskStatus::Running), ..TaskFilter::default() };
        for record in self.shared.metadata.list_tasks(&filter).await? {
            match IndexTask::parse(record.payload_json.as_bytes()) {
                Ok(task) => {
                    tracing::info!(task = %record.id, "taking up an interrupted task");
                    self.start(record, task);
                }
                Err(error) => self.end(&record, Err(error.into())).await,
            }
        }
        Ok(())
    }

    /// A task with its live progress.
    ///
    /// # Errors
    /// When there is none, or the metadata store fails.
    pub async fn get(&self, id: &str) -> Result<TaskRecord> {
        let record = self.shared.metadata.get_task(id).await?;
        let mut record =
            record.ok_or_else(|| RealtimeError::NotFound(format!("there is no task '{id}'")))?;
        self.add_progress(&mut record);
        Ok(record)
    }

    /// Tasks, newest first, with live progress.
    ///
    /// # Errors
    /// When the metadata store fails.
    pub async fn list(&self, filter: &TaskFilter) -> Result<Vec<TaskRecord>> {
        let mut records = self.shared.metadata.list_tasks(filter).await?;
        records.iter_mut().for_each(|record| self.add_progress(record));
        Ok(records)
    }

    /// A spec may have megabytes, most of them inline data: it is parsed on a CPU thread.
    async fn parse(&self, json: Bytes) -> Result<(IndexTask, String)> {
        let work = move || {
            let task = IndexTask::parse(&json)?;
            Ok::<_, RealtimeError>((task, String::from_utf8_lossy(&json).into_owned()))
        };
        self.shared.ingest_pool.spawn(PUSH_PRIORITY, work).await?
    }

    fn add_progress(&self, record: &mut TaskRecord) {
        if record.status == TaskStatus::Running
            && let Some(progress) = self.progress.lock().get(&record.id)
        {
            record.progress = *progress;
        }
    }

    fn start(&self, record: TaskRecord, task: IndexTask) {
        let queue = self.clone();
        tokio::spawn(async move {
            let Ok(_place) = Arc::clone(&queue.places).acquire_owned().await else { return };
            let board = Arc::clone(&queue.progress);
            let outcome = run::run(Arc::clone(&queue.shared), &record.id, task, board).await;
            queue.end(&record, outcome).await;
        });
    }

    async fn end(&self, record: &TaskRecord, outcome: Result<TaskProgress>) {
        let live = self.progress.lock().get(&record.id).copied().unwrap_or_default();
        let (status, error, progress) = match outcome {
            Ok(progress) => (TaskStatus::Success, None, progress),
            Err(error) => (TaskStatus::Failed, Some(error.to_string()), live),
        };
        if let Some(error) = &error {
            tracing::error!(task = %record.id, %error, "task failed");
        }
        let duration_ms = Some(self.shared.clock.now_ms() - record.created_ms);
        let update = TaskUpdate { status, error, duration_ms, progress };
        if let Err(error) = self.shared.metadata.update_task(&record.id, &update).await {
            tracing::error!(task = %record.id, %error, "failed to record the end of a task");
        }
        self.progress.lock().remove(&record.id);
    }
}
