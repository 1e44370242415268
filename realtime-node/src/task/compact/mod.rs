//! Compaction: the used segments of some time are merged into few that are as they are wanted, which take
//! their place in one step.
//!
//! The time is cut into parts that are replaced by themselves (`henge_compaction`), the newest first. A part
//! is fetched, merged chunk by chunk, pushed and published under the condition that its used segments are
//! the very ones that were read. Pushes go on meanwhile: rows that are buffered are no segments yet, and rows
//! that were published in between make the condition fail, so that the part is read anew. What is published
//! carries the fingerprint of the wanted state: a task that runs again, after a kill or beside another one,
//! finds it and leaves it alone.

mod declared;
mod fetch;
mod merge;
mod publish;
mod work;

use std::path::PathBuf;
use std::sync::Arc;

use henge_compaction::CompactTask;
use henge_platform::metadata::TaskProgress;
use henge_platform::runtime::files;
use henge_types::Interval;

use super::ProgressBoard;
use super::stop::Stop;
use super::store::make_folder;
use crate::error::{RealtimeError, Result};
use crate::priority::COMPACT_PRIORITY;
use crate::shared::Shared;

/// How often a part is read anew because others published in it meanwhile, before the task gives up.
const ATTEMPTS: u32 = 10;
/// Notes of one report.
const MAX_NOTES: usize = 200;

/// What a compaction works with.
struct Compaction {
    shared: Arc<Shared>,
    id: String,
    task: Arc<CompactTask>,
    board: ProgressBoard,
    stop: Stop,
    progress: TaskProgress,
    /// Where its files are until they are published.
    folder: PathBuf,
}

/// Runs a compaction to its end.
pub(super) async fn run(
    shared: Arc<Shared>,
    id: &str,
    task: CompactTask,
    board: ProgressBoard,
    stop: Stop,
) -> Result<TaskProgress> {
    let folder = make_folder(&shared.options.spill_dir)?;
    let (id, task, progress) = (id.to_owned(), Arc::new(task), TaskProgress::default());
    let mut compaction = Compaction { shared, id, task, board, stop, progress, folder };
    let outcome = compaction.compact_all().await;
    let folder = compaction.folder.clone();
    let remove = move || {
        if let Err(error) = files::remove_dir_all(&folder) {
            tracing::warn!(folder = %folder.display(), %error, "failed to remove a task's files");
        }
    };
    let _ = compaction.shared.ingest_pool.spawn(COMPACT_PRIORITY, remove).await;
    outcome.map(|()| compaction.progress)
}

impl Compaction {
    async fn compact_all(&mut self) -> Result<()> {
        let mut done: Vec<Interval> = Vec::new();
        let mut attempt = 1;
        while let Some(work) = self.next(&done).await? {
            self.stop.check(&self.id)?;
            let written = self.write(&work).await?;
            if self.publish(&work, written).await? {
                done.push(work.unit.interval);
                attempt = 1;
                continue;
            }
            if attempt == ATTEMPTS {
                return Err(RealtimeError::Unavailable(format!(
                    "others published in {} while it was merged, {ATTEMPTS} times: nothing was replaced there; \
                     compact it when it is calm",
                    work.unit.interval
                )));
            }
            attempt += 1;
        }
        if done.is_empty() {
            let interval = self.task.interval;
            self.note(format!("there is nothing to compact in {interval}"));
        }
        Ok(())
    }

    fn note(&mut self, note: String) {
        let notes = &mut self.progress.report.notes;
        if notes.len() < MAX_NOTES && !notes.contains(&note) {
            notes.push(note);
        }
    }

    fn show(&self) {
        self.board.lock().insert(self.id.clone(), self.progress.clone());
    }
}
