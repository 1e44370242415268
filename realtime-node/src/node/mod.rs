//! The node: its datasources and its tasks.

mod adopt;
mod compare;
mod datasources;
mod drain;
mod give_up;
mod identity;
mod ingested;
mod left_buffered;
mod log_marks;
mod lost_logs;
mod peer;
mod refresh;
mod route;
mod schema_change;
mod sources;
mod start;
mod take_over;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::RwLock;

pub use give_up::{GivenUp, LostRecords};
pub use identity::node_of_folder;
pub use ingested::Ingested;
pub use schema_change::PutSchema;
pub use start::Dependencies;

use crate::ingest::handoff::BacklogStatus;
use crate::peers::CopyId;
use crate::push::PushDatasource;
use crate::shared::Shared;
use crate::task::{TaskCounts, TaskQueue};
use take_over::Begun;

/// The realtime role.
#[derive(Debug)]
pub struct RealtimeNode {
    pub(crate) shared: Arc<Shared>,
    pub(crate) datasources: RwLock<BTreeMap<String, Arc<PushDatasource>>>,
    creating: tokio::sync::Mutex<()>,
    /// Held by who goes on with logs of others, with what is not finished of it.
    taking_over: tokio::sync::Mutex<BTreeMap<CopyId, Begun>>,
    /// The name under which it asks for leases.
    holder: String,
    is_draining: AtomicBool,
    pub(crate) tasks: TaskQueue,
}

impl RealtimeNode {
    /// Bytes of damaged or unfinished last writes that were cut off the logs at the start, and files
    /// kept in their quarantines.
    #[must_use]
    pub fn log_damage(&self) -> (u64, u64) {
        let datasources = self.datasources.read();
        let reports = datasources.values().map(|datasource| datasource.wal.wal.recovery());
        reports.fold((0, 0), |(bytes, files), report| {
            (bytes + report.torn_bytes, files + report.quarantined as u64)
        })
    }

    /// Bytes of the files of logs, by datasource.
    #[must_use]
    pub fn log_bytes(&self) -> Vec<(String, u64)> {
        let datasources = self.datasources.read();
        let sizes = datasources.iter().map(|(name, of)| (name.clone(), of.wal.wal.size_bytes()));
        sizes.collect()
    }

    /// How many batch tasks wait and run, and how many ended since the start.
    #[must_use]
    pub fn task_counts(&self) -> TaskCounts {
        self.tasks.counts()
    }

    /// What waits to be handed off, by datasource.
    #[must_use]
    pub fn backlogs(&self) -> Vec<(String, BacklogStatus)> {
        let datasources = self.datasources.read();
        datasources.iter().map(|(name, datasource)| (name.clone(), datasource.backlog())).collect()
    }

    /// Persists and publishes everything that is buffered, and waits for it. For orderly shutdowns
    /// and tests; a kill is as safe, it only leaves more to replay.
    pub async fn flush(&self) {
        let datasources: Vec<_> = self.datasources.read().values().cloned().collect();
        for datasource in datasources {
            datasource.flush().await;
        }
    }
}
