//! What the metadata have of this node is compared with what it knows itself: when an answer was lost, and
//! every minute, because what was given up may come about late.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::RealtimeNode;
use crate::error::Result;
use crate::notes::Taking;
use crate::push::LogState;
use crate::repeat::Waits;

const PERIOD: Duration = Duration::from_secs(60);

impl RealtimeNode {
    async fn compare(&self) -> Result<()> {
        // Whoever goes on with its logs has a say in the notes as well.
        if self.shared.lease.check().is_err() {
            return Ok(());
        }
        self.shared.notes.compare().await?;
        self.compare_takings().await?;
        self.tasks.find().await
    }

    /// Ends notes of takeovers that are finished, or did not come about.
    async fn compare_takings(&self) -> Result<()> {
        let Ok(begun) = self.taking_over.try_lock() else { return Ok(()) };
        let metadata = &*self.shared.metadata;
        let this = &self.shared.options.node;
        for note in metadata.buffered_segments().await? {
            let Some(taking) = Taking::of(&note.owner) else { continue };
            let is_own = taking.node == *this;
            if !is_own && taking.by != *this {
                continue;
            }
            let datasource = &note.id.datasource;
            let state = LogState::of(metadata, datasource, &taking.node).await?;
            let is_taken = state.body.life != taking.life;
            let is_begun = begun
                .keys()
                .any(|copy| (&copy.owner, &copy.datasource) == (&taking.node, datasource));
            let is_over = match is_own {
                // While the lease is this node's nobody is about to take its log over.
                true => !is_taken && self.shared.lease.is_sure(),
                false => is_taken && !is_begun,
            };
            if is_over {
                let server = &self.shared.options.server_id;
                metadata.change_buffered(server, &[], &[note.id]).await?;
            }
        }
        Ok(())
    }
}

/// Compares for as long as the node lives.
pub(super) async fn keep_compared(node: Weak<RealtimeNode>) {
    let Some(doubt) = node.upgrade().map(|node| Arc::clone(&node.shared.doubt)) else { return };
    let mut waits = Waits::new();
    loop {
        let _ = tokio::time::timeout(PERIOD, doubt.notified()).await;
        let Some(node) = node.upgrade() else { return };
        match node.compare().await {
            Ok(()) => waits = Waits::new(),
            Err(error) => {
                tracing::warn!(%error, "what the metadata have of this node is not known, will look again");
                drop(node);
                waits.next().await;
                doubt.notify_one();
            }
        }
    }
}
