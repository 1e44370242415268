//! Running a task: read, then write, push and publish (`publish`).

use std::path::PathBuf;
use std::sync::Arc;

use henge_platform::metadata::{DeadLetter, TaskInput, TaskProgress};
use henge_platform::runtime::{CpuTask, files};
use henge_query::ingest::IndexTask;

use super::ProgressBoard;
use super::read::Reading;
use super::stop::Stop;
use crate::commit::settled;
use crate::error::{RealtimeError, Result};
use crate::letters;
use crate::priority::LOAD_PRIORITY;
use crate::shared::Shared;

/// What a task works with.
pub(super) struct Run {
    pub(super) shared: Arc<Shared>,
    pub(super) id: String,
    pub(super) task: IndexTask,
    board: ProgressBoard,
    pub(super) stop: Stop,
    pub(super) progress: TaskProgress,
    /// Names and hashes of the inputs, in the making.
    pub(super) hashing: Option<CpuTask<std::io::Result<Vec<TaskInput>>>>,
    /// Where uploaded files are, once they were fetched.
    pub(super) fetched: Option<PathBuf>,
}

/// Runs a task to its end.
pub(super) async fn run(
    shared: Arc<Shared>,
    id: &str,
    task: IndexTask,
    board: ProgressBoard,
    stop: Stop,
) -> Result<TaskProgress> {
    if settled(&*shared.metadata, id, |_| ()).await.is_some() {
        // It had published before the restart and only its end was not recorded.
        return Ok(TaskProgress::default());
    }
    let progress = TaskProgress::default();
    let id = id.to_owned();
    let mut run = Run { shared, id, task, board, stop, progress, hashing: None, fetched: None };
    let reading = run.start_reading().await;
    let own = reading.as_ref().ok().map(|reading| reading.store.folder.clone());
    let outcome = match reading {
        Ok(reading) => run.read_and_publish(reading).await,
        Err(error) => Err(error),
    };
    let folders: Vec<PathBuf> = own.into_iter().chain(run.fetched.take()).collect();
    let remove = move || {
        for folder in folders {
            if let Err(error) = files::remove_dir_all(&folder) {
                tracing::warn!(folder = %folder.display(), %error, "failed to remove a task's files");
            }
        }
    };
    let _ = run.shared.ingest_pool.spawn(LOAD_PRIORITY, remove).await;
    outcome.map(|()| run.progress)
}

impl Run {
    pub(super) fn show(&self) {
        self.board.lock().insert(self.id.clone(), self.progress.clone());
    }

    async fn read_and_publish(&mut self, reading: Reading) -> Result<()> {
        let (reading, chunks) = self.read(reading).await?;
        self.note_inputs().await?;
        self.check_strictly()?;
        let files = reading.store.files(&self.task.spec, &self.shared.options);
        self.finish(chunks, &files).await
    }

    pub(super) async fn keep_letters(&self, letters: &[DeadLetter]) {
        letters::keep(&self.shared, &self.task.spec.data_schema.data_source, letters, None).await;
    }

    pub(super) fn check_rejections(&self) -> Result<()> {
        let Some(limit) = self.task.spec.tuning_config.max_parse_exceptions else {
            return Ok(());
        };
        if self.progress.rejected > limit {
            return Err(RealtimeError::Invalid(format!(
                "{} refused, tuningConfig.maxParseExceptions is {limit}; {}",
                counted(self.progress.rejected, "event"),
                self.where_letters_are()
            )));
        }
        Ok(())
    }

    /// Of a strict task everything is stored as it came, or nothing is.
    fn check_strictly(&self) -> Result<()> {
        let report = &self.progress.report;
        let refused = report.refusals.first().map(|entry| {
            format!(
                "{} refused, the first in {}: {}; {}",
                counted(report.refusals.iter().map(|entry| entry.count).sum(), "event"),
                entry.place,
                entry.example,
                self.where_letters_are()
            )
        });
        let changed = report.changes.first().map(|entry| {
            format!(
                "column '{}' would not store {} as they came, the first in {}: {} would become {}",
                entry.column,
                counted(entry.count, "value"),
                entry.place,
                entry.example,
                entry.stored
            )
        });
        let ignored = report.ignored.first().map(|entry| {
            format!(
                "the spec names the field '{}' nowhere (first in {}); list it under \
                 dimensionExclusions if it is not to be stored",
                entry.field, entry.place
            )
        });
        let found = report.warnings.first().cloned().or(refused).or(changed).or(ignored);
        match found.filter(|_| self.task.is_strict) {
            Some(reason) => Err(RealtimeError::Invalid(format!("{reason}; the task is strict"))),
            None => Ok(()),
        }
    }

    /// The events that were refused, with their reasons.
    fn where_letters_are(&self) -> String {
        let name = &self.task.spec.data_schema.data_source;
        format!("all of them: GET /v1/datasources/{name}/dead-letters")
    }

    pub(super) fn check_counts(&self) -> Result<()> {
        let progress = &self.progress;
        if progress.accepted == 0 && progress.rejected > 0 {
            return Err(RealtimeError::Invalid(format!(
                "{} refused, and none stored; {}",
                counted(progress.rejected, "event"),
                self.where_letters_are()
            )));
        }
        Ok(())
    }
}

/// A number of things.
fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}
