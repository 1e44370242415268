//! The inventory of this process: what its registry has of nodes in this process.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::runtime::watch;
use futures::stream::{StreamExt, unfold};

use super::super::{AnnouncedServer, ChangeSet, Discovery, DiscoveryChange, ServerAddress};
use super::{Inventory, InventoryUpdate, InventoryVersion, NodeChange, Updates};
use crate::runtime::random;

/// The inventory of this process.
#[derive(Debug)]
pub struct LocalInventory {
    discovery: Arc<dyn Discovery>,
    incarnation: u64,
}

impl LocalInventory {
    /// Of the nodes in this process that `discovery` knows.
    #[must_use]
    pub fn of(discovery: Arc<dyn Discovery>) -> Self {
        let incarnation: u64 = random();
        Self { discovery, incarnation: incarnation.max(1) }
    }

    /// The version at this moment: who followed up to there has all that was announced before.
    #[must_use]
    pub fn version(&self) -> InventoryVersion {
        let version = self.discovery.local_version();
        InventoryVersion { incarnation: self.incarnation, version }
    }
}

impl Inventory for LocalInventory {
    fn follow(&self, known: Option<InventoryVersion>) -> Updates {
        let of_this_start = known.filter(|known| known.incarnation == self.incarnation);
        let following = Following {
            seen: self.discovery.watch(),
            discovery: Arc::clone(&self.discovery),
            incarnation: self.incarnation,
            known: of_this_start.map(|known| known.version),
            ready: VecDeque::new(),
        };
        unfold(following, |mut following| async move {
            following.next().await.map(|update| (Ok(update), following))
        })
        .boxed()
    }
}

struct Following {
    seen: watch::Receiver<u64>,
    discovery: Arc<dyn Discovery>,
    incarnation: u64,
    known: Option<u64>,
    ready: VecDeque<InventoryUpdate>,
}

impl Following {
    async fn next(&mut self) -> Option<InventoryUpdate> {
        loop {
            if let Some(update) = self.ready.pop_front() {
                return Some(update);
            }
            self.seen.borrow_and_update();
            match self.known.and_then(|version| self.discovery.changes_since(version)) {
                Some(changes) if changes.is_empty() => self.seen.changed().await.ok()?,
                Some(changes) => {
                    self.known = changes.last().map(|change| change.version);
                    let updates = changes.iter().filter_map(|change| self.update_of(change));
                    self.ready = updates.collect();
                }
                None => return Some(self.whole()),
            }
        }
    }

    fn whole(&mut self) -> InventoryUpdate {
        let view = self.discovery.snapshot();
        self.known = Some(view.version);
        let near =
            |server: &AnnouncedServer| server.description.address == ServerAddress::InProcess;
        let nodes = view.servers.iter().filter(|(_, server)| near(server));
        let nodes = nodes.map(|(name, server)| NodeChange {
            server: Arc::clone(name),
            description: Arc::clone(&server.description),
            changes: ChangeSet {
                add: server.segments.values().cloned().collect(),
                ..ChangeSet::default()
            },
            left: false,
            loads: Some(Arc::clone(&server.loads)),
        });
        InventoryUpdate { at: self.at(view.version), is_whole: true, nodes: nodes.collect() }
    }

    /// `None` for a node of another process, which that process tells of.
    fn update_of(&self, change: &DiscoveryChange) -> Option<InventoryUpdate> {
        let DiscoveryChange { version, server, description, changes, left, loads, .. } = change;
        (description.address == ServerAddress::InProcess).then(|| InventoryUpdate {
            at: self.at(*version),
            is_whole: false,
            nodes: vec![NodeChange {
                server: Arc::clone(server),
                description: Arc::clone(description),
                changes: changes.clone(),
                left: *left,
                loads: loads.clone(),
            }],
        })
    }

    fn at(&self, version: u64) -> InventoryVersion {
        InventoryVersion { incarnation: self.incarnation, version }
    }
}
