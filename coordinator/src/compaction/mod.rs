//! Automatic compaction: what operators want is kept (`store`), what there is to do is planned
//! (`duty/compact`), and realtime nodes do it (`tasks`).

mod store;
mod tasks;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use henge_compaction::Forms;
use henge_platform::metadata::MetadataStore;
use henge_platform::runtime::blocking;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

pub use store::{CompactionChange, CompactionLimits};
pub(crate) use store::{CompactionStore, Configured};
pub use tasks::TaskRunner;
pub(crate) use tasks::{AtWork, Ended, UnderWay};

use crate::Coordinator;
use crate::duty::compact::{JudgedDatasource, Seen, Turns, judge_datasource, plan};
use crate::error::Result;

/// Time between two looks while there is nothing to do.
const CALM: Duration = Duration::from_secs(30);
/// The same while tasks are under way, or parts wait.
const BUSY: Duration = Duration::from_secs(5);
/// How often it is looked whether one of these tasks has ended.
const STEP: Duration = Duration::from_millis(500);
/// Looking at everything, of millions of segments, takes at most such a part of the time.
const LOOKING_SHARE: u32 = 10;

/// Automatic compaction of one coordinator.
#[derive(Debug)]
pub(crate) struct Compaction {
    pub(crate) store: CompactionStore,
    intervals: tasks::Intervals,
    turns: Mutex<Turns>,
    forms: Arc<Mutex<Forms>>,
    /// Somebody changed what is wanted, or asks for a look.
    pub(crate) wake: Notify,
    pub(crate) counts: CompactionCounts,
}

/// What a coordinator had compacted since its start.
#[derive(Debug, Default)]
pub struct CompactionCounts {
    submitted: AtomicU64,
    refused: AtomicU64,
    running: AtomicU64,
}

impl CompactionCounts {
    /// Tasks that nodes took.
    #[must_use]
    pub fn submitted(&self) -> u64 {
        self.submitted.load(Ordering::Relaxed)
    }

    /// Tasks that no node took.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Tasks under way as of the last look.
    #[must_use]
    pub fn running(&self) -> u64 {
        self.running.load(Ordering::Relaxed)
    }
}

impl Compaction {
    pub(crate) fn new(metadata: Arc<dyn MetadataStore>) -> Self {
        Self {
            store: CompactionStore::new(metadata),
            intervals: tasks::Intervals::default(),
            turns: Mutex::default(),
            forms: Arc::default(),
            wake: Notify::new(),
            counts: CompactionCounts::default(),
        }
    }
}

impl Coordinator {
    /// What it had compacted.
    #[must_use]
    pub fn compaction_counts(&self) -> &CompactionCounts {
        &self.compaction.counts
    }

    /// Compacts what is configured, while it leads, until the future is dropped.
    pub async fn compact_with(&self, runner: &dyn TaskRunner) {
        let (mut wait, mut took, mut at_work) = (BUSY, Duration::ZERO, 0);
        loop {
            let step = STEP.max(took * LOOKING_SHARE);
            let _ = timeout(wait.max(step), self.task_ends(at_work, step)).await;
            let began = Instant::now();
            (wait, at_work) = match self.compact_once(runner).await {
                Ok(true) => (BUSY, self.compaction.counts.running()),
                Ok(false) => (CALM, 0),
                Err(error) => {
                    tracing::warn!(%error, "looking for what is to be compacted failed, will look again");
                    (CALM, 0)
                }
            };
            took = began.elapsed();
        }
    }

    /// Waits until one of the compactions under way ends, so that the next begins at once, or somebody asks for
    /// a look.
    async fn task_ends(&self, at_work: u64, step: Duration) {
        let Compaction { wake, intervals, .. } = &self.compaction;
        if at_work == 0 {
            return wake.notified().await;
        }
        while timeout(step, wake.notified()).await.is_err() {
            let now = intervals.under_way(self.metadata.as_ref()).await;
            if now.is_ok_and(|now| (now.compactions.len() as u64) < at_work) {
                return;
            }
        }
    }

    /// One look; true when there is something to do, or being done.
    ///
    /// # Errors
    /// When the metadata cannot be read; then nothing was asked for.
    pub async fn compact_once(&self, runner: &dyn TaskRunner) -> Result<bool> {
        if self.shared.leadership.term().is_none() {
            return Ok(false);
        }
        let configured = self.compaction.store.all().await?;
        if configured.is_empty() {
            return Ok(false);
        }
        let limits = self.compaction.store.limits().await?;
        let judged = self.judge(configured).await?;
        let under_way = self.compaction.intervals.under_way(self.metadata.as_ref()).await?;
        let counts = &self.compaction.counts;
        counts.running.store(under_way.compactions.len() as u64, Ordering::Relaxed);
        // What people wait for comes first.
        let room = match under_way.others {
            0 => limits.slots(runner.nodes()).saturating_sub(under_way.compactions.len()),
            _ => 0,
        };
        let tasks = plan(&judged, room, &self.compaction.turns.lock());
        for task in tasks {
            let (datasource, interval) = (task.data_source.clone(), task.interval);
            match runner.submit(task.to_value().to_string()).await {
                Ok(task) => {
                    counts.submitted.fetch_add(1, Ordering::Relaxed);
                    counts.running.fetch_add(1, Ordering::Relaxed);
                    self.compaction.turns.lock().took(&datasource);
                    tracing::info!(%task, %datasource, %interval, "compaction submitted");
                }
                Err(error) => {
                    counts.refused.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(%datasource, %interval, %error, "no node takes a compaction, will try again");
                    break;
                }
            }
        }
        Ok(!under_way.compactions.is_empty() || judged.iter().any(JudgedDatasource::waits))
    }

    /// All configured datasources, with what is thought of each part of their time.
    pub(crate) async fn judge(&self, configured: Vec<Configured>) -> Result<Vec<JudgedDatasource>> {
        let metadata = self.metadata.as_ref();
        let used = {
            let mut inventory = self.inventory.lock().await;
            inventory.refresh(metadata).await?;
            inventory.used()
        };
        let UnderWay { compactions, .. } = self.compaction.intervals.under_way(metadata).await?;
        let compactions = Arc::new(compactions);
        let mut judged = Vec::with_capacity(configured.len());
        for Configured { config, since_ms } in configured {
            let (intervals, name) = (&self.compaction.intervals, &config.data_source);
            let now_ms = self.shared.clock.now_ms();
            // What failed before it was configured otherwise says nothing of it now.
            let failed = intervals.failed(metadata, name, since_ms).await?;
            let done = intervals.done(metadata, name, config.rested_before_ms(now_ms)).await?;
            let (used, compactions) = (Arc::clone(&used), Arc::clone(&compactions));
            let forms = Arc::clone(&self.compaction.forms);
            let work = move || {
                let (failed, done) = (failed.as_slice(), done.as_slice());
                let seen = Seen { used: &used, at_work: &compactions, failed, done, now_ms };
                judge_datasource(config, &seen, &mut forms.lock())
            };
            judged.push(blocking(work).await??);
        }
        Ok(judged)
    }
}
