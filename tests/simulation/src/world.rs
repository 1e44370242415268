//! What survives the processes: disks, deep storage, metadata, the date, and the network between.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use henge_platform::discovery::InProcessDiscovery;
use henge_platform::metadata::manifest::ManifestedStore;
use henge_platform::metadata::{MemoryMetadataStore, MetadataStore};
use henge_platform::runtime::{Clock, ManualClock};
use henge_platform::storage::{FaultPlan, ObjectDeepStorage, UnreliableStorage};
use henge_platform::wal::LogMarks;
use tempfile::TempDir;

use crate::network::Network;

/// 2020-09-13T12:26:40Z.
const FIRST_MS: i64 = 1_600_000_000_000;

/// What all processes share.
#[derive(Debug)]
pub(crate) struct World {
    folder: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) metadata: Arc<ManifestedStore>,
    pub(crate) storage: Arc<UnreliableStorage>,
    pub(crate) discovery: Arc<InProcessDiscovery>,
    pub(crate) network: Arc<Network>,
    /// What is noted of logs outside of their folders.
    pub(crate) log_marks: LogMarks,
    cluster: Arc<str>,
}

impl World {
    /// A world without processes. Disks are folders, in memory where the machine has such a place.
    pub(crate) async fn new(seed: u64) -> Result<Self> {
        let in_memory = Path::new("/dev/shm");
        let folder = match in_memory.is_dir() {
            true => TempDir::new_in(in_memory),
            false => TempDir::new(),
        };
        let objects = Arc::new(ObjectDeepStorage::in_memory());
        let storage = Arc::new(UnreliableStorage::new(objects, FaultPlan::default(), seed));
        let metadata = Arc::new(MemoryMetadataStore::new());
        let metadata = Arc::new(ManifestedStore::new(metadata, storage.clone()));
        Ok(Self {
            cluster: metadata.cluster_uuid().await?.into(),
            log_marks: LogMarks::default(),
            folder: folder.context("make a folder for the disks")?,
            clock: Arc::new(ManualClock::new(FIRST_MS)),
            metadata,
            storage,
            discovery: Arc::new(InProcessDiscovery::new()),
            network: Arc::new(Network::new(seed)),
        })
    }

    /// Moves the date, for all processes.
    pub(crate) fn move_date(&self, by_ms: i64) {
        self.clock.set(self.clock.now_ms() + by_ms);
    }

    /// The cluster's identity.
    pub(crate) fn cluster(&self) -> Arc<str> {
        Arc::clone(&self.cluster)
    }

    /// The disk of a process.
    pub(crate) fn disk(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
