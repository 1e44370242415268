//! A task of whatever type, as the queue has it.

use std::sync::Arc;

use henge_compaction::{CompactTask, TASK_TYPE};
use henge_platform::metadata::TaskProgress;
use henge_query::ingest::IndexTask;
use serde::Deserialize;

use super::stop::Stop;
use super::{ProgressBoard, compact, run};
use crate::error::Result;
use crate::shared::Shared;

/// A task.
#[derive(Debug)]
pub(super) enum AnyTask {
    /// It loads events.
    Index(Box<IndexTask>),
    /// It merges segments.
    Compact(Box<CompactTask>),
}

/// What tells the types apart.
#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "type")]
    kind: String,
}

impl AnyTask {
    /// Reads a task.
    ///
    /// # Errors
    /// The first thing that is wrong, and how to put it right.
    pub(super) fn parse(json: &[u8]) -> Result<Self> {
        let kind = serde_json::from_slice::<Typed>(json).map(|typed| typed.kind);
        Ok(match kind.as_deref() {
            Ok(TASK_TYPE) => Self::Compact(Box::new(CompactTask::parse(json)?)),
            // Also what is no task at all: it says what is wrong.
            _ => Self::Index(Box::new(IndexTask::parse(json)?)),
        })
    }

    /// Druid's name of the type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Index(task) => task.task_type.name(),
            Self::Compact(_) => TASK_TYPE,
        }
    }

    /// The id that the caller wants.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::Index(task) => task.id.as_deref(),
            Self::Compact(task) => task.id.as_deref(),
        }
    }

    /// What it works on.
    pub(super) fn datasource(&self) -> &str {
        match self {
            Self::Index(task) => &task.spec.data_schema.data_source,
            Self::Compact(task) => &task.data_source,
        }
    }

    /// Runs the task to its end.
    pub(super) async fn run(
        self,
        shared: Arc<Shared>,
        id: &str,
        board: ProgressBoard,
        stop: Stop,
    ) -> Result<TaskProgress> {
        match self {
            Self::Index(task) => run::run(shared, id, *task, board, stop).await,
            Self::Compact(task) => compact::run(shared, id, *task, board, stop).await,
        }
    }
}
