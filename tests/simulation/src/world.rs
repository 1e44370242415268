//! What survives the processes: disks, deep storage, metadata and their clock, the date, and the network
//! between.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use henge_platform::metadata::manifest::ManifestedStore;
use henge_platform::metadata::{MemoryMetadataStore, MetadataStore};
use henge_platform::runtime::{Clock, ManualClock, watch};
use henge_platform::storage::{FaultPlan, ObjectDeepStorage, UnreliableStorage};
use tempfile::TempDir;

use crate::audit::Audit;
use crate::gossip::Gossip;
use crate::metadata::SharedMetadata;
use crate::network::Network;

/// 2020-09-13T12:26:40Z.
const FIRST_MS: i64 = 1_600_000_000_000;

/// What all processes share.
#[derive(Debug)]
pub(crate) struct World {
    folder: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    /// By which leases run out.
    pub(crate) store_clock: Arc<ManualClock>,
    pub(crate) metadata: Arc<SharedMetadata>,
    pub(crate) storage: Arc<UnreliableStorage>,
    pub(crate) network: Arc<Network>,
    pub(crate) gossip: Arc<Gossip>,
    pub(crate) audit: Arc<Audit>,
    /// Whether coordinators see all of the cluster.
    pub(crate) sight: watch::Sender<bool>,
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
        let store_clock = Arc::new(ManualClock::new(FIRST_MS));
        let store = Arc::new(MemoryMetadataStore::with_clock(store_clock.clone()));
        let audit = Arc::new(Audit::new(store.clone()));
        let network = Arc::new(Network::new(seed, audit.clone()));
        Ok(Self {
            cluster: store.cluster_uuid().await?.into(),
            metadata: Arc::new(SharedMetadata::new(store, network.clone(), seed)),
            gossip: Arc::new(Gossip::new(seed, network.clone())),
            folder: folder.context("make a folder for the disks")?,
            clock: Arc::new(ManualClock::new(FIRST_MS)),
            store_clock,
            storage,
            network,
            audit,
            sight: watch::Sender::new(true),
        })
    }

    /// Lets time pass, on all clocks.
    pub(crate) fn pass(&self, elapsed_ms: u64) {
        self.clock.pass(elapsed_ms);
        self.store_clock.pass(elapsed_ms);
    }

    /// The metadata store as a process uses it.
    pub(crate) fn metadata_of(&self, process: &str) -> Arc<ManifestedStore> {
        let remote = self.metadata.seen_by(process);
        Arc::new(ManifestedStore::new(remote, self.storage.clone()))
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
