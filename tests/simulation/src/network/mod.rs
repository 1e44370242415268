//! The network between processes: late, cut, and ended by whoever dies at its other end.

mod inventories;
mod peers;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use henge_data_node::{DataNode, DialHosts, DialNodes, RunningQueries, SegmentHost};
use henge_platform::discovery::ServerId;
use henge_platform::discovery::inventory::{Inventory, LocalInventory};
use henge_platform::runtime::simulation::Process;
use henge_realtime_node::RealtimePeer;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::audit::Audit;
use crate::cluster::process_of;
use inventories::Inventories;
use peers::Link;
use wire::{Hosts, Nodes};

/// A message takes up to this long.
const LONGEST_MS: u64 = 4;
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
    peers: BTreeMap<String, (Process, Arc<dyn RealtimePeer>)>,
    inventories: BTreeMap<String, (Process, Arc<LocalInventory>)>,
    /// From a process to another.
    cuts: BTreeSet<(String, String)>,
    /// What the first announces the second hears later.
    lagging: BTreeSet<(String, String)>,
    /// How many calls to hosts arrive after they were given up.
    late: f64,
    arrived_late: u64,
}

impl Network {
    pub(crate) fn new(seed: u64, audit: Arc<Audit>) -> Self {
        let random = StdRng::seed_from_u64(seed ^ 0x006e_6574);
        let state = State {
            random,
            nodes: BTreeMap::new(),
            hosts: BTreeMap::new(),
            peers: BTreeMap::new(),
            inventories: BTreeMap::new(),
            cuts: BTreeSet::new(),
            lagging: BTreeSet::new(),
            late: 0.0,
            arrived_late: 0,
        };
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

    /// Makes a realtime node reachable for others.
    pub(crate) fn serve_peer(&self, process: &Process, peer: Arc<dyn RealtimePeer>) {
        let served = (process.clone(), peer);
        self.state.lock().peers.insert(process.name().to_owned(), served);
    }

    /// Lets others follow what a process announces.
    pub(crate) fn serve_inventory(&self, process: &Process, inventory: &Arc<LocalInventory>) {
        let served = (process.clone(), Arc::clone(inventory));
        self.state.lock().inventories.insert(process.name().to_owned(), served);
    }

    /// A dead process is reached by nobody.
    pub(crate) fn forget(&self, process: &str) {
        let mut state = self.state.lock();
        state.nodes.retain(|id, _| &**id != process);
        state.hosts.retain(|id, _| &**id != process);
        state.peers.remove(process);
        state.inventories.remove(process);
    }

    /// From now on a process hears late what another announces, or no longer.
    pub(crate) fn lag(&self, from: &str, to: &str, is_late: bool) {
        let way = (from.to_owned(), to.to_owned());
        let lagging = &mut self.state.lock().lagging;
        match is_late {
            true => lagging.insert(way),
            false => lagging.remove(&way),
        };
    }

    fn is_lagging(&self, from: &str, to: &str) -> bool {
        self.state.lock().lagging.contains(&(from.to_owned(), to.to_owned()))
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

    pub(crate) fn is_cut(&self, from: &str, to: &str) -> bool {
        self.state.lock().cuts.contains(&(from.to_owned(), to.to_owned()))
    }

    fn node(&self, id: &ServerId) -> Option<(Process, Arc<dyn DataNode>)> {
        self.state.lock().nodes.get(id).cloned()
    }

    fn host(&self, id: &ServerId) -> Option<(Process, Arc<dyn SegmentHost>)> {
        self.state.lock().hosts.get(id).cloned()
    }

    fn peer(&self, process: &str) -> Option<(Process, Arc<dyn RealtimePeer>)> {
        self.state.lock().peers.get(process).cloned()
    }

    fn inventory(&self, process: &str) -> Option<(Process, Arc<LocalInventory>)> {
        self.state.lock().inventories.get(process).cloned()
    }

    /// The way of a process to data nodes.
    pub(crate) fn nodes_from(
        self: &Arc<Self>,
        from: &str,
        running: &Arc<RunningQueries>,
    ) -> Arc<dyn DialNodes> {
        let (network, running) = (Arc::clone(self), Arc::clone(running));
        Arc::new(Nodes { network, from: from.to_owned(), running })
    }

    /// The way of a process to hosts of segments.
    pub(crate) fn hosts_from(self: &Arc<Self>, from: &str) -> Arc<dyn DialHosts> {
        Arc::new(Hosts { network: Arc::clone(self), from: from.to_owned() })
    }

    /// The way of a process to a realtime node.
    pub(crate) fn peer_from(self: &Arc<Self>, from: &str, node: &str) -> Arc<dyn RealtimePeer> {
        let (network, to) = (Arc::clone(self), process_of(node));
        Arc::new(Link { network, from: from.to_owned(), to })
    }

    /// What a process announces, as another one hears it.
    pub(crate) fn inventory_from(self: &Arc<Self>, from: &str, to: &str) -> Arc<dyn Inventory> {
        let (network, from, to) = (Arc::clone(self), from.to_owned(), to.to_owned());
        Arc::new(Inventories { network, from, to })
    }
}
