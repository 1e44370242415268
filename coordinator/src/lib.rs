//! The coordinator: decides which segments each historical node holds.
//!
//! Deciding is pure (`plan` over a `ClusterSnapshot`); doing is separate (`apply`). Nothing is
//! ever dropped on a view of the metadata that is not complete.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod action;
mod apply;
mod duty;
mod error;
mod inventory;
mod plan;
mod run;
mod snapshot;

use std::sync::Arc;

use henge_data_node::SegmentHost;
use henge_platform::discovery::Discovery;
use henge_platform::metadata::MetadataStore;
use henge_platform::runtime::Clock;
use henge_platform::runtime::watch;
use parking_lot::RwLock;

pub use error::{CoordinatorError, Result};

use crate::apply::Attempts;
use crate::inventory::Inventory;

/// How far the coordinator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Runs completed.
    pub runs: u64,
    /// Used segments as of the last run.
    pub used_segments: usize,
    /// Of those, how many wait to be loaded (or failed to load and are tried again later).
    pub waiting_to_load: usize,
}

/// The coordinator role.
#[derive(Debug)]
pub struct Coordinator {
    pub(crate) metadata: Arc<dyn MetadataStore>,
    pub(crate) discovery: Arc<dyn Discovery>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hosts: RwLock<Vec<Arc<dyn SegmentHost>>>,
    pub(crate) inventory: tokio::sync::Mutex<Inventory>,
    pub(crate) attempts: Attempts,
    pub(crate) progress: watch::Sender<Progress>,
}

impl Coordinator {
    /// A coordinator without hosts; nothing happens before [`Coordinator::run_once`].
    #[must_use]
    pub fn new(
        metadata: Arc<dyn MetadataStore>,
        discovery: Arc<dyn Discovery>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            metadata,
            discovery,
            clock,
            hosts: RwLock::default(),
            inventory: tokio::sync::Mutex::default(),
            attempts: Attempts::default(),
            progress: watch::Sender::default(),
        }
    }

    /// Adds a node that can hold segments.
    pub fn connect(&self, host: Arc<dyn SegmentHost>) {
        self.hosts.write().push(host);
    }

    /// Follows the progress.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }
}
