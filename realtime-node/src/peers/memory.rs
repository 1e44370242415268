//! Realtime nodes in one process, for tests: each link between two can be cut, in either direction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use henge_platform::runtime::random;
use henge_platform::runtime::simulation::Process;
use parking_lot::Mutex;

use super::{Appended, Forwarded, ForwardedPush, LogAppend, Peer, Peers, RealtimePeer};
use crate::error::{RealtimeError, Result};

/// The realtime nodes of a process, as one of them sees them. Clones and [`seen_by`](Self::seen_by) share
/// what is known.
#[derive(Debug, Clone)]
pub struct MemoryPeers {
    this: Arc<str>,
    network: Arc<Mutex<Network>>,
}

#[derive(Debug, Default)]
struct Network {
    nodes: BTreeMap<Arc<str>, Joined>,
    /// Messages from the first to the second are lost.
    cut: BTreeSet<(Arc<str>, Arc<str>)>,
    /// A message takes up to this long.
    longest_ms: u64,
}

#[derive(Debug, Clone)]
struct Joined {
    zone: Arc<str>,
    peer: Arc<dyn RealtimePeer>,
    process: Process,
}

impl MemoryPeers {
    /// Nobody yet.
    #[must_use]
    pub fn new(this: &str) -> Self {
        Self { this: this.into(), network: Arc::default() }
    }

    /// The same nodes, as another one sees them.
    #[must_use]
    pub fn seen_by(&self, this: &str) -> Self {
        Self { this: this.into(), network: Arc::clone(&self.network) }
    }

    /// A node is alive from now on, and does what it is asked in a process of its own.
    pub fn join(&self, node: &str, zone: &str, peer: Arc<dyn RealtimePeer>, process: &Process) {
        let joined = Joined { zone: zone.into(), peer, process: process.clone() };
        self.network.lock().nodes.insert(node.into(), joined);
    }

    /// A node is dead.
    pub fn leave(&self, node: &str) {
        self.network.lock().nodes.remove(node);
    }

    /// Loses what is sent from one node to another from now on, or no longer.
    pub fn cut(&self, from: &str, to: &str, is_cut: bool) {
        let link = (from.into(), to.into());
        let cut = &mut self.network.lock().cut;
        match is_cut {
            true => cut.insert(link),
            false => cut.remove(&link),
        };
    }

    /// Messages take up to this long from now on.
    pub fn delay(&self, longest_ms: u64) {
        self.network.lock().longest_ms = longest_ms;
    }

    async fn carries(&self, from: &str, to: &str) -> bool {
        let longest_ms = self.network.lock().longest_ms;
        if longest_ms > 0 {
            tokio::time::sleep(Duration::from_millis(random::<u64>() % (longest_ms + 1))).await;
        }
        !self.network.lock().cut.contains(&(Arc::from(from), Arc::from(to)))
    }
}

impl Peers for MemoryPeers {
    fn live(&self) -> Vec<Peer> {
        let network = self.network.lock();
        let peer = |(node, joined): (&Arc<str>, &Joined)| Peer {
            node: Arc::clone(node),
            zone: Arc::clone(&joined.zone),
            http_address: Arc::default(),
        };
        network.nodes.iter().map(peer).collect()
    }

    fn reach(&self, node: &str) -> Option<Arc<dyn RealtimePeer>> {
        let known = self.network.lock().nodes.contains_key(node);
        known.then(|| Arc::new(Link { peers: self.clone(), to: node.into() }) as _)
    }
}

/// The way from one node to another.
#[derive(Debug)]
struct Link {
    peers: MemoryPeers,
    to: Arc<str>,
}

impl Link {
    /// Asks; what began goes on at the other node when whoever asked goes away.
    async fn ask<T, F>(&self, call: impl FnOnce(Arc<dyn RealtimePeer>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let Self { peers, to } = self;
        let away = || RealtimeError::NotReached(format!("realtime node '{to}' does not answer"));
        if !peers.carries(&peers.this, to).await {
            return Err(away());
        }
        let joined = peers.network.lock().nodes.get(to).cloned();
        let Joined { peer, process, .. } = joined.ok_or_else(away)?;
        let answered = process.spawn(call(peer)).await.map_err(|_| away())?;
        if peers.carries(to, &peers.this).await { answered } else { Err(away()) }
    }
}

#[async_trait]
impl RealtimePeer for Link {
    async fn push(&self, push: ForwardedPush) -> Result<Forwarded> {
        self.ask(|node| async move { node.push(push).await }).await
    }

    async fn refresh(&self) -> Result<()> {
        self.ask(|node| async move { node.refresh().await }).await
    }

    async fn stop_task(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.ask(|node| async move { node.stop_task(&id).await }).await
    }

    async fn append_log(&self, append: LogAppend) -> Result<Appended> {
        self.ask(|node| async move { node.append_log(append).await }).await
    }
}
