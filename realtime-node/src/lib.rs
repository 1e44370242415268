//! The realtime role: takes pushed events and batch tasks, makes them queryable at once from the
//! write-optimised index, and hands them off as immutable segments.
//!
//! A push is acknowledged when its record in the write-ahead log is durable and its rows are in the
//! index. Segments and the log position that they contain are published in one transaction.

pub mod api;
mod commit;
pub mod error;
pub mod handoff;
mod log_marks;
pub mod merging;
mod odd_times;
pub mod options;
pub(crate) mod placing;
pub(crate) mod publication;
pub mod push;
pub mod query;
pub mod serving;
pub mod sink;
pub mod task;
pub mod uptime;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use henge_data_node::{QueryRunner, QueryServices};
use henge_platform::discovery::{Discovery, ServerId};
use henge_platform::metadata::MetadataStore;
use henge_platform::runtime::{Clock, CpuPool, MemoryAccount};
use henge_platform::storage::DeepStorage;
use henge_platform::wal::{LogHandles, LogMarks};
use parking_lot::RwLock;
use tokio::sync::Notify;

pub use error::{RealtimeError, Result};
pub use options::RealtimeOptions;

use crate::handoff::BacklogStatus;
use crate::merging::MergeRoom;
use crate::push::PushDatasource;
use crate::push::index_memory::IndexMemory;
use crate::push::left_buffered::LeftBuffered;
use crate::serving::Serving;
use crate::task::{LocalRoots, TaskQueue};
use crate::uptime::Uptime;

/// How often the uptime is written down, and old keys are forgotten. A crash loses at most so much:
/// keys then live that much longer.
const UPTIME_PERIOD: Duration = Duration::from_secs(60);

/// Everything the parts of the role share.
#[derive(Debug)]
pub struct Shared {
    /// Settings.
    pub options: RealtimeOptions,
    /// Metadata.
    pub metadata: Arc<dyn MetadataStore>,
    /// Deep storage.
    pub storage: Arc<dyn DeepStorage>,
    /// Announcements.
    pub discovery: Arc<dyn Discovery>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How long servers have run, all runs together.
    pub uptime: Uptime,
    /// Where parsing, adding and persisting run.
    pub ingest_pool: CpuPool,
    /// Runs queries.
    pub queries: QueryRunner,
    /// What is announced and queryable.
    pub serving: Serving,
    /// What requests are charged to until their rows are in the index.
    pub requests: MemoryAccount,
    /// The memory of the indexes.
    pub index_memory: IndexMemory,
    /// Room for merges at hand-off.
    pub merge_room: MergeRoom,
    /// The open files of the logs.
    pub log_handles: LogHandles,
    /// How far the logs are durable, beside them.
    pub log_marks: LogMarks,
    /// Told after each publish, so that the coordinator looks at once.
    pub published: Arc<Notify>,
}

impl Shared {
    /// The local files that batch tasks may read.
    pub(crate) fn local_roots(&self) -> LocalRoots {
        LocalRoots::new(&self.options.local_roots, &self.options.data_dir)
    }
}

/// The realtime role.
#[derive(Debug)]
pub struct RealtimeNode {
    pub(crate) shared: Arc<Shared>,
    pub(crate) datasources: RwLock<BTreeMap<String, Arc<PushDatasource>>>,
    pub(crate) creating: tokio::sync::Mutex<()>,
    pub(crate) tasks: TaskQueue,
}

/// What a realtime node is made of.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// Metadata.
    pub metadata: Arc<dyn MetadataStore>,
    /// Deep storage.
    pub storage: Arc<dyn DeepStorage>,
    /// Announcements.
    pub discovery: Arc<dyn Discovery>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// CPU threads of ingestion.
    pub ingest_pool: CpuPool,
    /// What queries are answered with.
    pub queries: QueryServices,
    /// Told after each publish.
    pub published: Arc<Notify>,
    /// How far the logs are durable, beside them.
    pub log_marks: LogMarks,
    /// What requests are charged to.
    pub requests: MemoryAccount,
    /// What write-optimised indexes are charged to.
    pub indexes: MemoryAccount,
}

impl RealtimeNode {
    /// Starts the role: opens the logs, replays what was acknowledged but not published, and takes
    /// up tasks that a restart interrupted. What was queryable before is queryable when this returns.
    ///
    /// # Errors
    /// When a log is corrupt, or the metadata store or a local folder cannot be used.
    pub async fn start(options: RealtimeOptions, deps: Dependencies) -> Result<Arc<Self>> {
        let server: ServerId = Arc::clone(&options.server_id);
        deps.discovery.join(&server)?;
        options.prepare_folders()?;
        let shared = Arc::new(Shared {
            serving: Serving::new(server, Arc::clone(&deps.discovery)),
            merge_room: MergeRoom::new(options.max_merge_bytes),
            options,
            uptime: Uptime::new(Arc::clone(&deps.metadata), Arc::clone(&deps.clock)),
            metadata: deps.metadata,
            storage: deps.storage,
            discovery: deps.discovery,
            clock: deps.clock,
            ingest_pool: deps.ingest_pool,
            queries: QueryRunner::new(deps.queries),
            published: deps.published,
            requests: deps.requests,
            index_memory: IndexMemory::new(deps.indexes),
            log_handles: LogHandles::default(),
            log_marks: deps.log_marks,
        });
        let node = Arc::new(Self {
            tasks: TaskQueue::new(Arc::clone(&shared)),
            shared,
            datasources: RwLock::default(),
            creating: tokio::sync::Mutex::default(),
        });
        // What was buffered is placed anew, and tasks begin again.
        let server = node.shared.serving.server_id();
        node.shared.metadata.forget_pending(server).await?;
        let mut left = LeftBuffered::of(&node.shared).await?;
        let noted = node.shared.metadata.log_marks().await?;
        for record in node.shared.metadata.list_datasources().await? {
            let (noted, name) = (noted.get(&record.name).copied(), record.name.clone());
            node.open_datasource(record, noted).await?;
            left.replayed(&name).await?;
        }
        left.forget_rest().await?;
        node.note_log_marks().await;
        tokio::spawn(log_marks::keep_noted(Arc::downgrade(&node)));
        tokio::spawn(count_uptime(Arc::downgrade(&node.shared)));
        node.tasks.resume().await?;
        Ok(node)
    }

    /// Bytes of damaged or unfinished last writes that were cut off the logs at the start, and files
    /// kept in their quarantines.
    #[must_use]
    pub fn log_damage(&self) -> (u64, u64) {
        let datasources = self.datasources.read();
        let reports = datasources.values().map(|datasource| datasource.wal.recovery());
        reports.fold((0, 0), |(bytes, files), report| {
            (bytes + report.torn_bytes, files + report.quarantined as u64)
        })
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

/// Counts the time for as long as the node lives.
async fn count_uptime(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(UPTIME_PERIOD).await;
        let Some(shared) = shared.upgrade() else { return };
        shared.uptime.prune_keys(shared.options.idempotency_retention_ms).await;
    }
}
