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

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    pub interval: Interval,
    pub ended_ms: i64,
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

    /// Compactions of a datasource that failed, the newest first.
    pub(crate) async fn failed(
        &self,
        metadata: &dyn MetadataStore,
        datasource: &str,
    ) -> Result<Vec<Failed>> {
        let filter = TaskFilter {
            status: Some(TaskStatus::Failed),
            datasource: Some(datasource.to_owned()),
            limit: FAILED_LOOKED_AT,
            ..TaskFilter::default()
        };
        let mut failed = Vec::new();
        for record in metadata.list_tasks(&filter).await? {
            if record.task_type != TASK_TYPE {
                continue;
            }
            if let Some(interval) = self.of(metadata, &record.id).await? {
                let ended_ms = record.created_ms + record.duration_ms.unwrap_or(0);
                failed.push(Failed { interval, ended_ms, error: record.error.unwrap_or_default() });
            }
        }
        Ok(failed)
    }
}
