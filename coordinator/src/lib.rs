//! The coordinator: decides which segments each historical node holds.
//!
//! Deciding is pure (`plan` over a `ClusterSnapshot`); doing is separate (`apply`, and a queue for each
//! host). One of several coordinators leads, the others stand by. Nothing is ever dropped on a view of the
//! metadata or of the cluster that is not complete.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod action;
mod api;
mod apply;
mod attempts;
mod audit;
mod compaction;
mod config;
mod duty;
mod error;
mod explain;
mod hosts;
mod inventory;
mod kill;
mod leadership;
mod lookups;
mod marking;
mod options;
mod picture;
mod plan;
mod preview;
mod queue;
mod rules;
mod run;
mod settled;
mod shared;
mod sight;
mod snapshot;
#[cfg(test)]
mod testing;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_data_node::{DialHosts, SegmentHost};
use henge_platform::discovery::{Discovery, ServerId};
use henge_platform::metadata::MetadataStore;
use henge_platform::runtime::Clock;
use henge_platform::runtime::watch;
use henge_platform::storage::DeepStorage;
use parking_lot::Mutex;

pub use api::router;
pub use audit::AuditEntry;
pub use compaction::{CompactionChange, CompactionCounts, CompactionLimits, TaskRunner};
pub use config::{ConfigChange, ConfigStore, DynamicConfig, Said};
pub use error::{CoordinatorError, Result};
pub use explain::{ExplainedMove, Outcome};
pub use leadership::{LEADER_LEASE, LeaderStatus, Leadership, LeaseOptions};
pub use options::CoordinatorOptions;
pub use rules::{RULES, RuleChange, RuleHistory, RuleStore};
pub use sight::{OneProcess, Sight};

use crate::audit::AuditLog;
use crate::compaction::Compaction;
use crate::hosts::Hosts;
use crate::inventory::Inventory;
use crate::leadership::Term;
use crate::lookups::LookupStore;
use crate::shared::Shared;

/// How far the coordinator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Runs completed while leading.
    pub runs: u64,
    /// Used segments as of the last run.
    pub used_segments: usize,
    /// Of those, how many no host had then (or had failed to load: that is tried again later).
    pub waiting_to_load: usize,
    /// How many copies wait because no host has room for them.
    pub without_room: usize,
    /// How many copies rules asked for, of what was served, and no host had.
    pub missing_copies: usize,
}

/// What a coordinator works with.
#[derive(Debug)]
pub struct Dependencies {
    /// What is used.
    pub metadata: Arc<dyn MetadataStore>,
    /// Who has what.
    pub discovery: Arc<dyn Discovery>,
    /// Waits and terms are counted by its running time.
    pub clock: Arc<dyn Clock>,
    /// Whether it leads.
    pub leadership: Leadership,
    /// Whether it sees all of the cluster.
    pub sight: Arc<dyn Sight>,
    /// The way to hosts of other processes, where there are any.
    pub dial: Option<Arc<dyn DialHosts>>,
}

impl Dependencies {
    /// Of a cluster that is one process.
    #[must_use]
    pub fn of_one_process(
        metadata: Arc<dyn MetadataStore>,
        discovery: Arc<dyn Discovery>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (leadership, sight) = (Leadership::alone(), Arc::new(OneProcess));
        Self { metadata, discovery, clock, leadership, sight, dial: None }
    }
}

/// The coordinator role.
#[derive(Debug)]
pub struct Coordinator {
    pub(crate) metadata: Arc<dyn MetadataStore>,
    pub(crate) discovery: Arc<dyn Discovery>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) hosts: Hosts,
    /// Held by the run that decides: there is one at a time.
    pub(crate) deciding: tokio::sync::Mutex<()>,
    pub(crate) inventory: tokio::sync::Mutex<Inventory>,
    /// Since when not everything is seen, in running time.
    pub(crate) blind_since_ms: Mutex<Option<u64>>,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) lookups: LookupStore,
    pub(crate) rules: RuleStore,
    pub(crate) compaction: Compaction,
    pub(crate) config: ConfigStore,
    /// What is deleted goes from here; without it nothing is.
    pub(crate) storage: Option<Arc<dyn DeepStorage>>,
    pub(crate) audit: AuditLog,
    /// What was seen when there was nothing to do.
    pub(crate) settled: Mutex<Option<settled::Seen>>,
    pub(crate) tiers_without_nodes: Mutex<Vec<Arc<str>>>,
    /// How much segments are read.
    pub(crate) told: told::ToldWork,
}

impl Coordinator {
    /// A coordinator without hosts; nothing happens before it runs.
    #[must_use]
    pub fn new(options: CoordinatorOptions, dependencies: Dependencies) -> Self {
        let Dependencies { metadata, discovery, clock, leadership, sight, dial } = dependencies;
        let shared = Arc::new(Shared::new(options, clock, leadership, sight));
        Self {
            lookups: LookupStore::new(Arc::clone(&metadata)),
            rules: RuleStore::new(Arc::clone(&metadata)),
            compaction: Compaction::new(Arc::clone(&metadata)),
            config: ConfigStore::new(Arc::clone(&metadata)),
            storage: None,
            audit: AuditLog::new(Arc::clone(&metadata)),
            settled: Mutex::default(),
            tiers_without_nodes: Mutex::default(),
            told: told::ToldWork::default(),
            metadata,
            discovery,
            hosts: Hosts::new(Arc::clone(&shared), dial),
            shared,
            deciding: tokio::sync::Mutex::default(),
            inventory: tokio::sync::Mutex::default(),
            blind_since_ms: Mutex::default(),
            progress: watch::Sender::default(),
        }
    }

    /// With the deep storage that segments are deleted from, once nobody has used them for long.
    #[must_use]
    pub fn with_storage(self, storage: Arc<dyn DeepStorage>) -> Self {
        Self { storage: Some(storage), ..self }
    }

    /// Adds a node of this process that can hold segments. Those of others are found in discovery.
    pub fn connect(&self, host: Arc<dyn SegmentHost>) {
        self.hosts.connect(host);
    }

    /// The rules, to be read and set.
    #[must_use]
    pub fn rules(&self) -> &RuleStore {
        &self.rules
    }

    /// What operators set while it runs.
    #[must_use]
    pub fn config(&self) -> &ConfigStore {
        &self.config
    }

    /// Who leads, as far as this coordinator knows.
    #[must_use]
    pub fn leader(&self) -> LeaderStatus {
        self.shared.leadership.status()
    }

    /// The term, for what only the leader may do.
    pub(crate) fn leading(&self) -> Result<Term> {
        self.shared.leadership.term().ok_or(CoordinatorError::LeadsNoMore)
    }

    /// Decides no more and gives the lease back, so that another need not wait for its end.
    ///
    /// # Errors
    /// When the metadata store cannot be reached; the lease then runs out.
    pub async fn resign(&self) -> Result<()> {
        Ok(self.shared.leadership.resign().await?)
    }

    /// What each node was told and has not done: loads and drops.
    #[must_use]
    pub fn orders(&self) -> BTreeMap<ServerId, (usize, usize)> {
        let servers = self.hosts.servers().into_iter();
        servers.map(|(name, server)| (name, (server.coming.len(), server.going.len()))).collect()
    }

    /// Follows the progress.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }
}
