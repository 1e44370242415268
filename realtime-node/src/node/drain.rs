//! An orderly end: all is published, keys and followers are given back, and others need not wait.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::RealtimeNode;
use crate::push::{KeyOwners, PushDatasource};

impl RealtimeNode {
    /// Gives its idempotency keys to the others that are alive, takes no more events, publishes all that is
    /// buffered and waits for it, ends the copies of its logs, and gives its lease back. It can be given up
    /// at any moment: what is not published then is in the log.
    pub async fn drain(&self) {
        // First, and while events are taken: who pushes with a key waits for that, and is not refused.
        self.give_all_keys().await;
        self.is_draining.store(true, Ordering::SeqCst);
        self.flush().await;
        // Some may have been given back meanwhile.
        self.give_all_keys().await;
        for datasource in self.all_datasources() {
            if let Some(replication) = datasource.log_copy()
                && let Err(error) = replication.end().await
            {
                tracing::warn!(datasource = %datasource.name, %error, "the metadata still name a copy of the log, which is published");
            }
        }
        if let Err(error) = self.shared.registration.end().await {
            tracing::warn!(%error, "brokers read the metadata for every query until this node is back");
        }
        self.resign().await;
    }

    /// The last that a node says that stops in order, drained or not: it notes how far its logs are and gives
    /// its lease back, so that nobody takes it for living until that has run out. For when no request is at
    /// work any more: what is buffered is in the log, and is not published by this process.
    pub async fn resign(&self) {
        self.note_log_marks().await;
        self.shared.lease.give_back().await;
    }

    fn all_datasources(&self) -> Vec<Arc<PushDatasource>> {
        self.datasources.read().values().cloned().collect()
    }

    async fn give_all_keys(&self) {
        let node = &self.shared.options.node;
        let live: BTreeSet<Arc<str>> =
            self.shared.peers.live().into_iter().map(|peer| peer.node).collect();
        let others: Vec<Arc<str>> = live.into_iter().filter(|other| other != node).collect();
        if others.is_empty() {
            return;
        }
        for datasource in self.all_datasources() {
            match KeyOwners::read(&*self.shared.metadata, &datasource.name).await {
                Ok(Some(owners)) if owners.has(node) => {
                    let wanted = owners.without(node, &others);
                    self.give_keys(&datasource, &owners, wanted).await;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(datasource = %datasource.name, %error, "idempotency keys stay this node's");
                }
            }
        }
    }

    /// Returns once another node goes on with the logs of this one, which takes no more events: only a new
    /// start does.
    pub async fn lost(&self) {
        self.shared.lease.lost().await;
    }
}
