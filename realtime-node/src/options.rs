//! Settings of a realtime node.

use std::path::PathBuf;
use std::sync::Arc;

use henge_ingest::ParseLimits;
use henge_platform::config::{IngestionConfig, LimitsConfig};
use henge_platform::discovery::{ServerDescription, ServerId};
use henge_platform::runtime::files;
use henge_platform::wal::WalOptions;
use henge_segment::WriteOptions;

use crate::error::{RealtimeError, Result};

/// The realtime node of a cluster that has one, and of data folders from before there could be more.
pub const FIRST_NODE: &str = "0";

/// The name in discovery of a realtime node.
#[must_use]
pub fn server_of(node: &str) -> ServerId {
    format!("realtime-{node}").into()
}

/// Settings of a realtime node.
#[derive(Debug, Clone)]
pub struct RealtimeOptions {
    /// The node's name among the realtime nodes of the cluster; see [`RealtimeOptions::of_node`].
    pub node: Arc<str>,
    /// Name in discovery.
    pub server_id: ServerId,
    /// Brokers of other processes answer for it as well.
    pub is_in_cluster: bool,
    /// Where clients reach it over HTTP, host and port; empty when that is not known.
    pub http_address: Arc<str>,
    /// What it shares its fate with.
    pub zone: Arc<str>,
    /// Tier in discovery.
    pub tier: Arc<str>,
    /// Where the logs are.
    pub wal_dir: PathBuf,
    /// Where the copies of other nodes' logs are.
    pub copies_dir: PathBuf,
    /// Where parts of unpublished segments are kept; emptied at every start.
    pub spill_dir: PathBuf,
    /// Rows of one datasource in memory before they are persisted to a local part.
    pub max_rows_in_memory: usize,
    /// Bytes of one datasource in memory before they are persisted to a local part.
    pub max_bytes_in_memory: usize,
    /// Rows after which buffered chunks are handed off.
    pub handoff_rows: usize,
    /// Age after which buffered chunks are handed off.
    pub handoff_period_ms: u64,
    /// What may wait for the hand-off of a datasource before pushes into it are refused.
    pub backlog: BacklogLimits,
    /// Time chunks that may be open at once in one datasource.
    pub max_open_chunks: usize,
    /// Pushes that may wait in one datasource.
    pub max_waiting_pushes: usize,
    /// Refused events kept a datasource.
    pub dead_letters_kept: u64,
    /// How long an idempotency key is remembered after its push was published, counted while servers
    /// run.
    pub idempotency_retention_ms: u64,
    /// What one event may be.
    pub parse_limits: ParseLimits,
    /// How the logs are written.
    pub wal: WalOptions,
    /// Folders whose files batch tasks may read; empty means any but those of the system.
    pub local_roots: Vec<PathBuf>,
    /// What is the node's own: which node it is, and the defaults of its folders.
    pub data_dir: PathBuf,
    /// The server's own files and folders, which tasks never read.
    pub own_files: Vec<PathBuf>,
    /// Bytes of chunks that a batch task holds while they grow, and of one piece of its input.
    pub max_load_bytes: usize,
    /// Bytes of indexes or loaded rows that are merged into one segment; more become several.
    pub max_merge_bytes: usize,
    /// Batch tasks that may wait.
    pub max_waiting_tasks: usize,
    /// How segments for deep storage are written.
    pub segment: WriteOptions,
}

/// How much may wait before pushes are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogLimits {
    /// Closed generations that are not in segment files yet.
    pub generations: usize,
    /// Bytes of pushed requests that the log keeps because something in them is not published.
    pub request_bytes: u64,
}

impl RealtimeOptions {
    pub(crate) fn description(&self) -> ServerDescription {
        ServerDescription {
            zone: Arc::clone(&self.zone),
            tier: Arc::clone(&self.tier),
            ..ServerDescription::default()
        }
    }

    /// The defaults of the configuration, with all folders under `data_dir`.
    #[must_use]
    pub fn under(data_dir: &std::path::Path) -> Self {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let (ingestion, limits) = (IngestionConfig::default(), LimitsConfig::default());
        Self {
            node: FIRST_NODE.into(),
            server_id: server_of(FIRST_NODE),
            is_in_cluster: false,
            http_address: Arc::default(),
            zone: Arc::default(),
            tier: "_realtime".into(),
            wal_dir: data_dir.join("wal"),
            copies_dir: data_dir.join("log-copies"),
            spill_dir: data_dir.join("spill"),
            max_rows_in_memory: size(ingestion.max_rows_in_memory),
            max_bytes_in_memory: size(ingestion.max_bytes_in_memory),
            handoff_rows: size(ingestion.handoff_rows),
            handoff_period_ms: ingestion.handoff_age_ms,
            backlog: BacklogLimits {
                generations: 4,
                request_bytes: ingestion.handoff_waiting_bytes,
            },
            max_open_chunks: ingestion.open_chunks_per_datasource as usize,
            max_waiting_pushes: 64,
            dead_letters_kept: limits.dead_letters_per_datasource,
            idempotency_retention_ms: ingestion.idempotency_window_ms,
            parse_limits: ParseLimits::default(),
            wal: WalOptions::default(),
            local_roots: Vec::new(),
            data_dir: data_dir.to_owned(),
            own_files: vec![data_dir.to_owned()],
            max_load_bytes: usize::MAX,
            max_merge_bytes: usize::MAX,
            max_waiting_tasks: ingestion.waiting_tasks as usize,
            segment: WriteOptions::default(),
        }
    }

    /// The same for a node of this name. Its logs, its tasks and what it buffers go by the name, so a
    /// data folder keeps it.
    #[must_use]
    pub fn of_node(self, node: &str) -> Self {
        Self { node: node.into(), server_id: server_of(node), ..self }
    }

    pub(crate) fn prepare_folders(&self) -> Result<()> {
        let make = |folder| files::create_dir_all(folder).map_err(RealtimeError::io(folder));
        make(&self.wal_dir)?;
        // Parts are remade from the log: after a restart none of them is known any more.
        if self.spill_dir.exists() {
            let folder = &self.spill_dir;
            files::remove_dir_all(folder).map_err(RealtimeError::io(folder))?;
        }
        make(&self.spill_dir)
    }
}
