//! Who leads: one coordinator decides, the others stand by.
//!
//! A lease says who leads, by the clock of the metadata store (ADR 29). Its holder stops to decide by its
//! own clock, before the lease can be another's; one that was paused in between finds that its term is
//! over when it wakes, and what it had under way is refused by fence and instruction (ADR 32).

use std::sync::Arc;
use std::time::Duration;

use henge_platform::metadata::{Fence, Lease, MetadataError, MetadataStore};
use henge_platform::runtime::Clock;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The lease of whoever leads the coordinators.
pub const LEADER_LEASE: &str = "coordinator";

/// How a coordinator takes part in leading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseOptions {
    /// Who asks: `{node}/{incarnation}`, another with each start of a process.
    pub holder: String,
    /// How long a term lasts that is not renewed.
    pub ttl_ms: u64,
    /// How often it is renewed, and asked for by those who stand by.
    pub renew_every_ms: u64,
}

impl LeaseOptions {
    /// Terms of ten seconds, renewed every three.
    #[must_use]
    pub fn of(holder: String) -> Self {
        Self { holder, ttl_ms: 10_000, renew_every_ms: 3_000 }
    }
}

/// Who leads, as far as this coordinator knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaderStatus {
    /// True while it is this coordinator.
    pub is_leading: bool,
    /// The holder of the lease; `None` when there is no lease, or it was not read yet.
    pub holder: Option<String>,
    /// The epoch of that; 0 when there is none.
    pub epoch: u64,
}

/// A time in which this coordinator leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    /// Rises with each change of leaders; 0 without a lease.
    pub epoch: u64,
    /// What writes carry.
    pub fence: Option<Fence>,
}

/// Whether this coordinator leads.
#[derive(Debug)]
pub struct Leadership {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Alone,
    ByLease(Box<ByLease>),
}

#[derive(Debug)]
struct ByLease {
    options: LeaseOptions,
    metadata: Arc<dyn MetadataStore>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    gained: Notify,
    resigned: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The lease as it was last seen, whoever has it.
    seen: Option<Lease>,
    /// The lease while it is this coordinator's, perhaps run out.
    fence: Option<Fence>,
    /// Until then, in running time, it leads under `fence`.
    until_ms: u64,
    has_resigned: bool,
}

impl Leadership {
    /// The only coordinator of its metadata: it leads at once and always. For a cluster of one process,
    /// whose folder has one owner.
    #[must_use]
    pub fn alone() -> Self {
        Self { kind: Kind::Alone }
    }

    /// One of several coordinators: it leads while it has the lease [`LEADER_LEASE`] of `metadata`.
    #[must_use]
    pub fn by_lease(
        options: LeaseOptions,
        metadata: Arc<dyn MetadataStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let state = Mutex::default();
        let (gained, resigned) = (Notify::new(), Notify::new());
        let by_lease = ByLease { options, metadata, clock, state, gained, resigned };
        Self { kind: Kind::ByLease(Box::new(by_lease)) }
    }

    /// Who leads.
    #[must_use]
    pub fn status(&self) -> LeaderStatus {
        match &self.kind {
            Kind::Alone => LeaderStatus { is_leading: true, ..LeaderStatus::default() },
            Kind::ByLease(lease) => lease.status(),
        }
    }

    /// The term, while this coordinator leads.
    pub(crate) fn term(&self) -> Option<Term> {
        match &self.kind {
            Kind::Alone => Some(Term { epoch: 0, fence: None }),
            Kind::ByLease(lease) => lease.term(),
        }
    }

    /// True while it leads under this epoch.
    pub(crate) fn leads_under(&self, epoch: u64) -> bool {
        self.term().is_some_and(|term| term.epoch == epoch)
    }

    /// A write was refused: somebody else leads by now.
    pub(crate) fn lost(&self, epoch: u64) {
        if let Kind::ByLease(lease) = &self.kind {
            lease.lost(epoch);
        }
    }

    /// Resolves when a term begins.
    pub(crate) async fn gained(&self) {
        match &self.kind {
            Kind::Alone => std::future::pending().await,
            Kind::ByLease(lease) => lease.gained.notified().await,
        }
    }

    /// Asks for the lease and renews it, until the coordinator resigned.
    pub(crate) async fn keep(&self) {
        if let Kind::ByLease(lease) = &self.kind {
            lease.keep().await;
        }
    }

    /// Leads no more and gives the lease back, so that others need not wait until it has run out.
    pub(crate) async fn resign(&self) -> Result<(), MetadataError> {
        match &self.kind {
            Kind::Alone => Ok(()),
            Kind::ByLease(lease) => lease.resign().await,
        }
    }
}

impl ByLease {
    fn term(&self) -> Option<Term> {
        let state = self.state.lock();
        let fence = state.fence.clone().filter(|_| self.clock.running_ms() < state.until_ms)?;
        Some(Term { epoch: fence.epoch, fence: Some(fence) })
    }

    fn status(&self) -> LeaderStatus {
        let is_leading = self.term().is_some();
        let seen = self.state.lock().seen.clone();
        let epoch = seen.as_ref().map_or(0, |lease| lease.epoch);
        LeaderStatus { is_leading, holder: seen.and_then(|lease| lease.holder), epoch }
    }

    fn lost(&self, epoch: u64) {
        let mut state = self.state.lock();
        if state.fence.as_ref().is_some_and(|fence| fence.epoch == epoch) {
            state.fence = None;
            tracing::warn!(epoch, "leads the coordinators no more: somebody else does");
        }
    }

    async fn keep(&self) {
        while !self.state.lock().has_resigned {
            let wait_ms = self.renew_or_ask().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot ask for the lease of the coordinators");
                self.options.renew_every_ms
            });
            let wait = Duration::from_millis(wait_ms);
            let _ = tokio::time::timeout(wait, self.resigned.notified()).await;
        }
    }

    /// Gives how long to wait before the next time.
    async fn renew_or_ask(&self) -> Result<u64, MetadataError> {
        let LeaseOptions { holder, ttl_ms, .. } = &self.options;
        // From before the call: the store counts from when it gets it, which is later.
        let asked_ms = self.clock.running_ms();
        let fence = self.state.lock().fence.clone();
        let lease = match fence {
            Some(fence) => match self.metadata.renew_lease(&fence, *ttl_ms).await {
                Err(MetadataError::Fenced { .. }) => {
                    self.lost(fence.epoch);
                    self.metadata.acquire_lease(LEADER_LEASE, holder, *ttl_ms).await?
                }
                renewed => renewed?,
            },
            None => self.metadata.acquire_lease(LEADER_LEASE, holder, *ttl_ms).await?,
        };
        Ok(self.saw(lease, asked_ms))
    }

    fn saw(&self, lease: Lease, asked_ms: u64) -> u64 {
        let mut state = self.state.lock();
        let mut wait_ms = self.options.renew_every_ms.min(lease.remaining_ms + 1);
        if lease.is_held_by(&self.options.holder) && !state.has_resigned {
            let fence = lease.fence();
            if state.fence.as_ref() != Some(&fence) {
                tracing::info!(epoch = fence.epoch, "leads the coordinators");
                state.fence = Some(fence);
                self.gained.notify_one();
            }
            // A tenth for clocks that do not run equally fast.
            state.until_ms = asked_ms + self.options.ttl_ms - self.options.ttl_ms / 10;
            wait_ms = self.options.renew_every_ms;
        }
        state.seen = Some(lease);
        wait_ms
    }

    async fn resign(&self) -> Result<(), MetadataError> {
        let fence = {
            let mut state = self.state.lock();
            state.has_resigned = true;
            state.until_ms = 0;
            state.fence.take()
        };
        self.resigned.notify_one();
        let Some(fence) = fence else { return Ok(()) };
        match self.metadata.release_lease(&fence).await {
            Err(MetadataError::Fenced { .. }) => Ok(()),
            released => released,
        }
    }
}

#[cfg(test)]
mod tests;
