//! The network between processes: late, cut, and ended by whoever dies at its other end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use henge_data_node::wire::{Piece, Pieces, Transport, WireNode, answer};
use henge_data_node::{
    DataNode, DialHosts, HostError, Instruction, NodeError, RunningQueries, SegmentHost,
};
use henge_platform::discovery::ServerId;
use henge_platform::metadata::PublishedSegment;
use henge_platform::runtime::simulation::Process;
use henge_types::{ErrorClass, SegmentId};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::mpsc;

use crate::audit::Audit;

/// A message takes up to this long.
const LONGEST_MS: u64 = 4;
/// Longer messages travel in pieces of this.
const PIECE_BYTES: usize = 2 << 10;
/// One that nobody takes is given up after this long.
const GIVEN_UP: Duration = Duration::from_secs(2);

/// One that was given up may still arrive within this time.
const LATEST_MS: u64 = 30_000;

/// Who is reached by whom.
#[derive(Debug)]
pub(crate) struct Network {
    state: Mutex<State>,
    audit: Arc<Audit>,
}

#[derive(Debug)]
struct State {
    random: StdRng,
    nodes: BTreeMap<ServerId, (Process, Arc<dyn DataNode>)>,
    hosts: BTreeMap<ServerId, (Process, Arc<dyn SegmentHost>)>,
    /// From a process to another.
    cuts: BTreeSet<(String, String)>,
    /// How many calls to hosts arrive after they were given up.
    late: f64,
    arrived_late: u64,
}

impl Network {
    pub(crate) fn new(seed: u64, audit: Arc<Audit>) -> Self {
        let random = StdRng::seed_from_u64(seed ^ 0x006e_6574);
        let (nodes, hosts, cuts) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let state = State { random, nodes, hosts, cuts, late: 0.0, arrived_late: 0 };
        Self { state: Mutex::new(state), audit }
    }

    /// Makes a data node reachable, in place of an earlier one of its name.
    pub(crate) fn serve_node(&self, process: &Process, node: Arc<dyn DataNode>) {
        let id = node.server_id().clone();
        self.state.lock().nodes.insert(id, (process.clone(), node));
    }

    /// Makes a host of segments reachable, in place of an earlier one of its name.
    pub(crate) fn serve_host(&self, process: &Process, host: Arc<dyn SegmentHost>) {
        let id = host.server_id().clone();
        self.state.lock().hosts.insert(id, (process.clone(), host));
    }

    /// A dead process is reached by nobody.
    pub(crate) fn forget(&self, process: &str) {
        let mut state = self.state.lock();
        state.nodes.retain(|id, _| &**id != process);
        state.hosts.retain(|id, _| &**id != process);
    }

    /// Cuts what one process sends to another, or heals it.
    pub(crate) fn cut(&self, from: &str, to: &str, cut: bool) {
        let way = (from.to_owned(), to.to_owned());
        let mut state = self.state.lock();
        if cut {
            state.cuts.insert(way);
        } else {
            state.cuts.remove(&way);
        }
    }

    /// From now on so many calls to hosts arrive after they were given up.
    pub(crate) fn set_late(&self, late: f64) {
        self.state.lock().late = late;
    }

    /// Calls to hosts that arrived late.
    pub(crate) fn arrived_late(&self) -> u64 {
        self.state.lock().arrived_late
    }

    /// How late a call is that its sender gives up; `None` for the others.
    fn lateness(&self) -> Option<Duration> {
        let mut state = self.state.lock();
        let late = state.late;
        let is_late = late > 0.0 && state.random.random_bool(late);
        is_late.then(|| {
            state.arrived_late += 1;
            Duration::from_millis(state.random.random_range(0..=LATEST_MS))
        })
    }

    /// Passes one message on; false when it gets nowhere.
    pub(crate) async fn carry(&self, from: &str, to: &str) -> bool {
        let delay_ms = self.state.lock().random.random_range(0..=LONGEST_MS);
        tracing::debug!(from, to, delay_ms, "a message");
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        self.reaches(from, to).await
    }

    /// False, after a while, when the way is cut.
    pub(crate) async fn reaches(&self, from: &str, to: &str) -> bool {
        let is_cut = self.is_cut(from, to);
        if is_cut {
            tokio::time::sleep(GIVEN_UP).await;
        }
        !is_cut
    }

    fn is_cut(&self, from: &str, to: &str) -> bool {
        self.state.lock().cuts.contains(&(from.to_owned(), to.to_owned()))
    }

    fn node(&self, id: &ServerId) -> Option<(Process, Arc<dyn DataNode>)> {
        self.state.lock().nodes.get(id).cloned()
    }

    fn host(&self, id: &ServerId) -> Option<(Process, Arc<dyn SegmentHost>)> {
        self.state.lock().hosts.get(id).cloned()
    }

    /// A data node as a process sees it.
    pub(crate) fn node_from(
        self: &Arc<Self>,
        from: &str,
        to: &ServerId,
        running: &Arc<RunningQueries>,
    ) -> Arc<dyn DataNode> {
        let wire = Wire { network: Arc::clone(self), from: from.to_owned(), to: to.clone() };
        Arc::new(WireNode::new(to.clone(), Arc::new(wire), Arc::clone(running)))
    }

    /// The way of a process to hosts of segments.
    pub(crate) fn hosts_from(self: &Arc<Self>, from: &str) -> Arc<dyn DialHosts> {
        Arc::new(Hosts { network: Arc::clone(self), from: from.to_owned() })
    }
}

/// The hosts of segments as a process sees them.
#[derive(Debug)]
struct Hosts {
    network: Arc<Network>,
    from: String,
}

impl DialHosts for Hosts {
    fn dial_host(
        &self,
        server: &ServerId,
        _: &Arc<str>,
    ) -> Result<Arc<dyn SegmentHost>, HostError> {
        let (network, from) = (Arc::clone(&self.network), self.from.clone());
        Ok(Arc::new(Wire { network, from, to: server.clone() }))
    }
}

/// The way from a process to a server.
#[derive(Debug)]
struct Wire {
    network: Arc<Network>,
    from: String,
    to: ServerId,
}

impl Wire {
    fn away(&self) -> NodeError {
        let reason = "simulated: it is not reached".to_owned();
        NodeError::Unavailable { server: self.to.to_string(), reason }
    }

    fn host_away(&self) -> HostError {
        let reason = "simulated: it is not reached".to_owned();
        HostError { server: self.to.to_string(), reason, class: ErrorClass::Unavailable }
    }
}

#[async_trait]
impl Transport for Wire {
    async fn call(&self, message: Bytes, _timeout: Duration) -> Result<Pieces, NodeError> {
        if !self.network.carry(&self.from, &self.to).await {
            return Err(self.away());
        }
        let Some((process, node)) = self.network.node(&self.to) else { return Err(self.away()) };
        let (sender, receiver) = mpsc::channel(2);
        let (network, from, to) =
            (Arc::clone(&self.network), self.from.clone(), self.to.to_string());
        process.spawn(async move {
            let messages = answer(node, message);
            let mut pieces =
                messages.flat_map(|message| stream::iter(Piece::cut(message, PIECE_BYTES)));
            loop {
                let next = tokio::select! {
                    biased;
                    () = sender.closed() => return,
                    next = pieces.next() => next,
                };
                let Some(piece) = next else { return };
                if !network.carry(&to, &from).await || sender.send(Ok(piece)).await.is_err() {
                    return;
                }
            }
        });
        let received = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        Ok(received.boxed())
    }
}

#[async_trait]
impl SegmentHost for Wire {
    fn server_id(&self) -> &ServerId {
        &self.to
    }

    async fn load(
        &self,
        segment: &PublishedSegment,
        instruction: Instruction,
    ) -> Result<(), HostError> {
        let segment = segment.clone();
        self.tell(|host| async move { host.load(&segment, instruction).await }).await
    }

    async fn unload(&self, id: &SegmentId, instruction: Instruction) -> Result<(), HostError> {
        let (id, audit) = (id.clone(), Arc::clone(&self.network.audit));
        self.tell(|host| async move {
            host.unload(&id, instruction).await?;
            audit.dropped(host.server_id(), &id).await;
            Ok(())
        })
        .await
    }
}

impl Wire {
    /// Does something in the other process, which goes on there when nobody waits for it.
    async fn tell<F>(&self, work: impl FnOnce(Arc<dyn SegmentHost>) -> F) -> Result<(), HostError>
    where
        F: Future<Output = Result<(), HostError>> + Send + 'static,
    {
        if !self.network.carry(&self.from, &self.to).await {
            return Err(self.host_away());
        }
        let Some((process, host)) = self.network.host(&self.to) else {
            return Err(self.host_away());
        };
        if let Some(lateness) = self.network.lateness() {
            let work = work(host);
            process.spawn(async move {
                tokio::time::sleep(lateness).await;
                work.await
            });
            tokio::time::sleep(GIVEN_UP).await;
            return Err(self.host_away());
        }
        let done = process.spawn(work(host)).await;
        if !self.network.carry(&self.to, &self.from).await {
            return Err(self.host_away());
        }
        done.unwrap_or_else(|_| Err(self.host_away()))
    }
}
