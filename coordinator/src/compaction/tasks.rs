//! The tasks of realtime nodes as compaction sees them: what is under way, and which attempts failed. All of
//! it is in the metadata, so that whoever leads next knows it too.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use henge_compaction::{CompactTask, TASK_TYPE};
use henge_platform::metadata::{MetadataStore, TaskFilter, TaskRecord, TaskStatus};
use henge_types::Interval;
use parking_lot::Mutex;

use crate::error::Result;

/// Failed tasks that are looked at, a datasource.
const FAILED_LOOKED_AT: usize = 100;
/// Tasks that came to their end are many more; what is older than these is taken for rested.
const DONE_LOOKED_AT: usize = 500;
/// Tasks under way that are counted.
const MOST_COUNTED: usize = 10_000;

/// Gives tasks to realtime nodes: to the one of this process, or to any of the cluster.
#[async_trait]
pub trait TaskRunner: Send + Sync + Debug {
    /// Submits a task, and gives its id.
    ///
    /// # Errors
    /// When no node takes it, with what was said.
    async fn submit(&self, task_json: String) -> Result<String, String>;

    /// Nodes that run a task at a time each.
    fn nodes(&self) -> usize;
}

/// A part of the time that a task is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AtWork {
    pub task: String,
    pub datasource: String,
    pub interval: Interval,
}

/// A task that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub interval: Interval,
    pub ended_ms: i64,
    /// Why it failed, if it did.
    pub error: String,
}

/// What is under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnderWay {
    pub compactions: Vec<AtWork>,
    /// Tasks of other types that run or wait.
    pub others: usize,
}

/// The time that tasks are about, by their ids: it is in their specs, which are not listed.
#[derive(Debug, Default)]
pub(crate) struct Intervals(Mutex<BTreeMap<String, Option<Interval>>>);

impl Intervals {
    async fn of(&self, metadata: &dyn MetadataStore, id: &str) -> Result<Option<Interval>> {
        if let Some(known) = self.0.lock().get(id) {
            return Ok(*known);
        }
        let record = metadata.get_task(id).await?;
        let task = record.map(|record| CompactTask::parse(record.payload_json.as_bytes()));
        let interval = task.and_then(|task| task.ok()).map(|task| task.interval);
        let mut known = self.0.lock();
        if known.len() >= MOST_COUNTED {
            known.clear();
        }
        known.insert(id.to_owned(), interval);
        Ok(interval)
    }

    /// All tasks that have not ended.
    pub(crate) async fn under_way(&self, metadata: &dyn MetadataStore) -> Result<UnderWay> {
        let running = TaskFilter {
            status: Some(TaskStatus::Running),
            limit: MOST_COUNTED,
            ..TaskFilter::default()
        };
        let mut found = UnderWay::default();
        for record in metadata.list_tasks(&running).await? {
            if record.task_type != TASK_TYPE {
                found.others += 1;
                continue;
            }
            let interval = self.of(metadata, &record.id).await?.unwrap_or(Interval::ETERNITY);
            let TaskRecord { id: task, datasource, .. } = record;
            found.compactions.push(AtWork { task, datasource, interval });
        }
        Ok(found)
    }

    /// Compactions of a datasource that failed after some moment, the newest first.
    pub(crate) async fn failed(
        &self,
        metadata: &dyn MetadataStore,
        datasource: &str,
        after_ms: i64,
    ) -> Result<Vec<Ended>> {
        let (status, limit) = (Some(TaskStatus::Failed), FAILED_LOOKED_AT);
        let datasource = Some(datasource.to_owned());
        let filter = TaskFilter { status, datasource, limit, ..TaskFilter::default() };
        self.ended(metadata, &filter, after_ms).await
    }

    /// Compactions of a datasource that were done after some moment, the newest first.
    pub(crate) async fn done(
        &self,
        metadata: &dyn MetadataStore,
        datasource: &str,
        after_ms: i64,
    ) -> Result<Vec<Ended>> {
        let (status, limit) = (Some(TaskStatus::Success), DONE_LOOKED_AT);
        let datasource = Some(datasource.to_owned());
        let filter = TaskFilter { status, datasource, limit, ..TaskFilter::default() };
        self.ended(metadata, &filter, after_ms).await
    }

    async fn ended(
        &self,
        metadata: &dyn MetadataStore,
        filter: &TaskFilter,
        after_ms: i64,
    ) -> Result<Vec<Ended>> {
        let mut ended = Vec::new();
        for record in metadata.list_tasks(filter).await? {
            let ended_ms = record.created_ms + record.duration_ms.unwrap_or(0);
            if record.task_type != TASK_TYPE || ended_ms < after_ms {
                continue;
            }
            if let Some(interval) = self.of(metadata, &record.id).await? {
                let error = record.error.unwrap_or_default();
                ended.push(Ended { interval, ended_ms, error });
            }
        }
        Ok(ended)
    }
}
