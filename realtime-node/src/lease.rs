//! The lease of a node over its logs (ADR 30): what it publishes of them carries the epoch of the lease, so
//! that whoever goes on with the logs of a node that seems dead need not know whether it is.

use std::sync::{Arc, Weak};
use std::time::Duration;

use henge_platform::metadata::{Fence, Lease, MetadataError, MetadataStore};
use henge_platform::runtime::{Clock, watch};

use crate::error::{RealtimeError, Result};

/// How long a node is waited for after it was last heard of by the metadata.
pub(crate) const TTL_MS: u64 = 15_000;
/// How often the lease is renewed.
const PERIOD: Duration = Duration::from_secs(5);
/// How often somebody who waits for the lease asks for it.
const ASK_PERIOD: Duration = Duration::from_millis(500);

/// Whose logs the lease is over.
#[must_use]
pub(crate) fn lease_of(node: &str) -> String {
    format!("realtime/{node}")
}

/// The right to publish of the logs of a node.
#[derive(Debug)]
pub(crate) struct NodeLease {
    metadata: Arc<dyn MetadataStore>,
    clock: Arc<dyn Clock>,
    /// Over the logs of this node.
    name: String,
    holder: String,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    fence: Option<Fence>,
    /// Until this reading of the clock nobody else can have it.
    sure_until_ms: u64,
    is_lost: bool,
}

impl NodeLease {
    /// Not taken yet.
    #[must_use]
    pub(crate) fn new(
        metadata: Arc<dyn MetadataStore>,
        clock: Arc<dyn Clock>,
        node: &str,
        holder: String,
    ) -> Self {
        let state = watch::Sender::new(State::default());
        Self { metadata, clock, name: lease_of(node), holder, state }
    }

    /// Takes it, once nobody else has it: a node that starts on the folder that it had goes on at once.
    ///
    /// # Errors
    /// When the metadata cannot be reached.
    pub(crate) async fn take(&self) -> Result<()> {
        let mut said = false;
        while let Some(other) = self.ask().await? {
            if !std::mem::replace(&mut said, true) {
                let (lease, holder) = (&other.name, other.holder.as_deref().unwrap_or_default());
                tracing::warn!(%lease, %holder, "the lease over the logs of this node is somebody else's, waits for it");
            }
            tokio::time::sleep(ASK_PERIOD).await;
        }
        Ok(())
    }

    /// Takes it if nobody else has it; gives it as it is then.
    ///
    /// # Errors
    /// When the metadata cannot be reached.
    pub(crate) async fn ask(&self) -> Result<Option<Lease>> {
        let sure_until_ms = self.clock.running_ms().saturating_add(TTL_MS);
        let lease = self.metadata.acquire_lease(&self.name, &self.holder, TTL_MS).await?;
        if !lease.is_held_by(&self.holder) {
            return Ok(Some(lease));
        }
        let fence = Some(lease.fence());
        self.state.send_replace(State { fence, sure_until_ms, is_lost: false });
        Ok(None)
    }

    /// What publications carry.
    ///
    /// # Errors
    /// When it is somebody else's by now.
    pub(crate) fn fence(&self) -> Result<Fence> {
        let state = self.state.borrow();
        match &state.fence {
            Some(fence) if !state.is_lost => Ok(fence.clone()),
            _ => Err(RealtimeError::Unavailable(format!(
                "somebody else has the lease '{}' by now: this node was taken for dead, and has to start \
                 again before it takes events",
                self.name
            ))),
        }
    }

    /// # Errors
    /// When it is somebody else's by now.
    pub(crate) fn check(&self) -> Result<()> {
        self.fence().map(|_| ())
    }

    /// True while nobody else can have it, whatever this node did not hear.
    pub(crate) fn is_sure(&self) -> bool {
        let state = self.state.borrow();
        !state.is_lost && self.clock.running_ms() < state.sure_until_ms
    }

    /// A write was refused because of it.
    pub(crate) fn note_fenced(&self) {
        self.state.send_modify(|state| state.is_lost = true);
    }

    /// Returns once it is somebody else's.
    pub(crate) async fn lost(&self) {
        let mut states = self.state.subscribe();
        let _ = states.wait_for(|state| state.is_lost).await;
    }

    /// Lets it last longer.
    pub(crate) async fn renew(&self) {
        let Ok(fence) = self.fence() else { return };
        let sure_until_ms = self.clock.running_ms().saturating_add(TTL_MS);
        match self.metadata.renew_lease(&fence, TTL_MS).await {
            Ok(_) => self.state.send_modify(|state| state.sure_until_ms = sure_until_ms),
            Err(MetadataError::Fenced { .. }) => {
                tracing::error!(lease = %self.name, "somebody else goes on with the logs of this node");
                self.note_fenced();
            }
            // Nobody takes it while the metadata are away.
            Err(error) => {
                tracing::warn!(lease = %self.name, %error, "a lease was not renewed, will try again");
            }
        }
    }

    /// Gives it back, so that others need not wait.
    pub(crate) async fn give_back(&self) {
        let Ok(fence) = self.fence() else { return };
        if let Err(error) = self.metadata.release_lease(&fence).await {
            tracing::warn!(lease = %self.name, %error, "a lease was not given back, and runs out by itself");
        }
        self.note_fenced();
    }
}

/// Renews a lease for as long as somebody needs it.
pub(crate) async fn keep(lease: Weak<NodeLease>) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let Some(lease) = lease.upgrade() else { return };
        lease.renew().await;
    }
}
