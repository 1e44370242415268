//! A process says in the metadata that it lives: a lease of its own, which it renews and gives back when it
//! stops. Whoever is about to replace the metadata sees by that who would go on with the old ones; gossip shows it
//! to members only.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use henge_coordinator::LEADER_LEASE;
use henge_platform::metadata::{Fence, Lease, MetadataError, MetadataStore};
use henge_platform::runtime::spawn;
use tokio::sync::Mutex;

/// Before the name of a process.
const PREFIX: &str = "process/";
/// Before the name of a realtime node: processes of earlier versions have that lease only.
const REALTIME: &str = "realtime/";
/// How long a process that was killed is taken for living.
const TTL_MS: u64 = 30_000;
const PERIOD: Duration = Duration::from_secs(10);

/// The registration of this process.
#[derive(Debug)]
pub(crate) struct Registration {
    metadata: Arc<dyn MetadataStore>,
    name: String,
    holder: String,
    /// Held while the metadata are asked.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    fence: Option<Fence>,
    has_ended: bool,
}

impl Registration {
    /// Registers start number `incarnation` of a node, until it [ends](Self::end).
    pub(crate) async fn begin(
        metadata: Arc<dyn MetadataStore>,
        node: &str,
        incarnation: u64,
    ) -> Arc<Self> {
        let (name, holder) = (format!("{PREFIX}{node}"), format!("{node}/{incarnation}"));
        let registration = Arc::new(Self { metadata, name, holder, state: Mutex::default() });
        registration.renew().await;
        spawn(keep(Arc::downgrade(&registration)));
        registration
    }

    async fn renew(&self) {
        let mut state = self.state.lock().await;
        if state.has_ended {
            return;
        }
        let renewed = match &state.fence {
            Some(fence) => self.metadata.renew_lease(fence, TTL_MS).await,
            None => self.metadata.acquire_lease(&self.name, &self.holder, TTL_MS).await,
        };
        match renewed {
            Ok(lease) => {
                let is_own = lease.is_held_by(&self.holder);
                state.fence = is_own.then(|| lease.fence());
            }
            Err(MetadataError::Fenced { .. }) => state.fence = None,
            // It lives all the same, and says so again.
            Err(error) => tracing::warn!(%error, "this process is not registered in the metadata"),
        }
    }

    /// The process stops: others need not wait.
    pub(crate) async fn end(&self) {
        let mut state = self.state.lock().await;
        state.has_ended = true;
        let Some(fence) = state.fence.take() else { return };
        if let Err(error) = self.metadata.release_lease(&fence).await {
            tracing::warn!(%error, "the registration of this process runs out by itself");
        }
    }
}

async fn keep(registration: Weak<Registration>) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let Some(registration) = registration.upgrade() else { return };
        registration.renew().await;
    }
}

/// Who lives on some metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Living {
    pub(crate) nodes: BTreeSet<String>,
    /// After so long those of them that were killed are taken for living no more.
    pub(crate) at_most_ms: u64,
}

impl Living {
    /// As the leases of the metadata say.
    pub(crate) fn of(leases: &[Lease]) -> Self {
        let mut living = Self::default();
        for lease in leases {
            let is_of_process = lease.name.starts_with(PREFIX)
                || lease.name.starts_with(REALTIME)
                || lease.name == LEADER_LEASE;
            let holder = lease.holder.as_ref().filter(|_| is_of_process && lease.remaining_ms > 0);
            if let Some(holder) = holder {
                let node = holder.rsplit_once('/').map_or(holder.as_str(), |(node, _)| node);
                living.nodes.insert(node.to_owned());
                living.at_most_ms = living.at_most_ms.max(lease.remaining_ms);
            }
        }
        living
    }
}

#[cfg(test)]
mod tests {
    use henge_platform::metadata::MemoryMetadataStore;

    use super::*;

    async fn living(metadata: &dyn MetadataStore) -> Vec<String> {
        Living::of(&metadata.leases().await.unwrap()).nodes.into_iter().collect()
    }

    #[tokio::test(start_paused = true)]
    async fn f_34_whoever_runs_on_the_metadata_is_seen_whatever_its_roles_are() {
        let metadata: Arc<dyn MetadataStore> = Arc::new(MemoryMetadataStore::new());
        let first = Registration::begin(Arc::clone(&metadata), "broker-1", 1).await;
        let second = Registration::begin(Arc::clone(&metadata), "historical-1", 2).await;
        // Of an earlier version, and one that says nothing of a process.
        metadata.acquire_lease("realtime/r", "r/3", 15_000).await.unwrap();
        metadata.acquire_lease("realtime-uptime", "x", 60_000).await.unwrap();
        assert_eq!(living(&*metadata).await, ["broker-1", "historical-1", "r"]);
        let leases = metadata.leases().await.unwrap();
        assert!((15_000..=30_000).contains(&Living::of(&leases).at_most_ms), "{leases:?}");
        second.end().await;
        assert_eq!(living(&*metadata).await, ["broker-1", "r"]);
        // It starts again before its old registration is over, and takes it once that is.
        let again = Registration::begin(Arc::clone(&metadata), "broker-1", 4).await;
        assert_eq!(living(&*metadata).await, ["broker-1", "r"]);
        first.end().await;
        tokio::time::sleep(PERIOD * 2).await;
        assert_eq!(living(&*metadata).await, ["broker-1", "r"]);
        again.end().await;
        assert_eq!(living(&*metadata).await, ["r"]);
    }
}
