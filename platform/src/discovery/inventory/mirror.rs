//! What another process announces, kept in the registry of this one.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;

use super::super::{ChangeSet, Discovery, DiscoveryError, LoadReport, ServerAddress, ServerId};
use super::{Inventory, InventoryUpdate, InventoryVersion, NodeChange};

/// The announcements of another process in the registry of this one.
#[derive(Debug)]
pub struct Mirror {
    into: Arc<dyn Discovery>,
    address: ServerAddress,
    known: Option<InventoryVersion>,
    servers: BTreeSet<ServerId>,
}

impl Mirror {
    /// Of the process at `address`, of which nothing is known yet.
    #[must_use]
    pub fn new(into: Arc<dyn Discovery>, address: ServerAddress) -> Self {
        Self { into, address, known: None, servers: BTreeSet::new() }
    }

    /// The version that is mirrored; `None` before there is one. A view without it is not complete.
    #[must_use]
    pub fn known(&self) -> Option<InventoryVersion> {
        self.known
    }

    /// Follows an inventory from what is known until that fails; `on_update` is told each version.
    /// What was mirrored stays.
    ///
    /// # Errors
    /// Why it cannot be followed.
    pub async fn follow(
        &mut self,
        inventory: &dyn Inventory,
        mut on_update: impl FnMut(InventoryVersion),
    ) -> Result<(), DiscoveryError> {
        let mut updates = inventory.follow(self.known);
        while let Some(update) = updates.next().await {
            let update = update?;
            let at = update.at;
            self.apply(update)?;
            on_update(at);
        }
        Ok(())
    }

    /// Takes an update. Each node changes at one instant.
    ///
    /// # Errors
    /// When the registry is away; take everything again then.
    pub fn apply(&mut self, update: InventoryUpdate) -> Result<(), DiscoveryError> {
        let InventoryUpdate { at, is_whole, nodes } = update;
        // Until all of it is taken there is no version that could be followed from.
        self.known = None;
        if is_whole {
            let named: BTreeSet<ServerId> =
                nodes.iter().map(|node| Arc::clone(&node.server)).collect();
            for gone in self.servers.difference(&named) {
                self.into.leave(gone)?;
            }
            self.servers.retain(|server| named.contains(server));
        }
        for NodeChange { server, description, changes, left, loads } in nodes {
            if left {
                self.into.leave(&server)?;
                self.servers.remove(&server);
                continue;
            }
            self.into.join(&server, &description.reached_at(&self.address))?;
            if is_whole {
                self.into.replace(&server, changes.add)?;
            } else if changes != ChangeSet::default() {
                self.into.apply(&server, changes)?;
            }
            if let Some(loads) = loads {
                self.into.report_loads(&server, LoadReport::clone(&loads))?;
            }
            self.servers.insert(server);
        }
        self.note(Some(at));
        Ok(())
    }

    /// Notes how far the process was followed, here and in the registry.
    fn note(&mut self, known: Option<InventoryVersion>) {
        self.known = known;
        if let ServerAddress::Network(address) = &self.address {
            self.into.note_followed(address, known);
        }
    }

    /// Withdraws all that the process announced: it is gone.
    ///
    /// # Errors
    /// When the registry is away.
    pub fn forget(&mut self) -> Result<(), DiscoveryError> {
        self.note(None);
        while let Some(server) = self.servers.first().cloned() {
            self.into.leave(&server)?;
            self.servers.remove(&server);
        }
        Ok(())
    }
}
