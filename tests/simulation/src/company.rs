//! A process among the others: whom it believes to be alive, what they announce as far as it heard, and what it
//! has still to see. It does by gossip and inventories in the simulation what the server does over sockets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use henge_coordinator::Sight;
use henge_platform::discovery::inventory::{InventoryVersion, Mirror};
use henge_platform::discovery::{InProcessDiscovery, ServerAddress};
use henge_platform::membership::{
    ClusterView, Member, MissingInventory, NodeId, Role, SeenInventories,
};
use henge_platform::runtime::spawn;
use henge_platform::runtime::watch;
use henge_realtime_node::{Peer, Peers, RealtimePeer};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cluster::node_of;
use crate::gossip::Gossip;
use crate::network::Network;

/// Whoever was not heard of for so long is taken for dead.
const SILENCE: Duration = Duration::from_secs(4);
/// Rounds of gossip after which a process believes to know all.
const SETTLE_ROUNDS: u32 = 3;
/// Wait before an inventory that could not be followed is followed again.
const RETRY: Duration = Duration::from_millis(250);

/// What a process knows of the others.
#[derive(Debug)]
pub(crate) struct Company {
    name: Arc<str>,
    gossip: Arc<Gossip>,
    network: Arc<Network>,
    /// What this process announces, and what it heard that others do.
    pub(crate) discovery: Arc<InProcessDiscovery>,
    view: Mutex<ClusterView>,
    seen: Mutex<SeenInventories>,
    awaited: tokio::sync::watch::Sender<Vec<MissingInventory>>,
    peers: Mutex<Vec<Peer>>,
}

/// An inventory that is followed, until the sender is dropped.
struct Followed {
    incarnation: u64,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Company {
    /// A process that knows nobody.
    pub(crate) fn new(name: &str, gossip: Arc<Gossip>, network: Arc<Network>) -> Arc<Self> {
        let awaited = tokio::sync::watch::Sender::new(vec![MissingInventory::Cluster]);
        Arc::new(Self {
            name: name.into(),
            gossip,
            network,
            discovery: Arc::new(InProcessDiscovery::new()),
            view: Mutex::default(),
            seen: Mutex::default(),
            awaited,
            peers: Mutex::default(),
        })
    }

    /// What has still to be seen.
    pub(crate) fn awaited(&self) -> tokio::sync::watch::Receiver<Vec<MissingInventory>> {
        self.awaited.subscribe()
    }

    /// Hears of the others and follows what they announce, for as long as the process lives.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut heard: BTreeMap<NodeId, (Member, Instant)> = BTreeMap::new();
        let mut followed: BTreeMap<NodeId, Followed> = BTreeMap::new();
        let mut rounds = 0;
        loop {
            let now = Instant::now();
            for member in self.gossip.heard_by(&self.name) {
                heard.insert(Arc::clone(&member.node_id), (member, now));
            }
            heard.retain(|_, (_, at)| at.elapsed() < SILENCE);
            rounds += 1;
            let members = heard.iter().map(|(name, (member, _))| (name.clone(), member.clone()));
            let view = ClusterView {
                members: members.collect(),
                is_settled: rounds >= SETTLE_ROUNDS,
                ..ClusterView::default()
            };
            if view != *self.view.lock() {
                self.take(view, &mut followed).await;
            }
            tokio::time::sleep(Duration::from_millis(self.gossip.next_round_ms())).await;
        }
    }

    async fn take(self: &Arc<Self>, view: ClusterView, followed: &mut BTreeMap<NodeId, Followed>) {
        let lives = |name: &NodeId, of: &Followed| {
            view.members.get(name).is_some_and(|member| member.incarnation == of.incarnation)
        };
        let gone: Vec<NodeId> = (followed.iter())
            .filter(|(name, of)| !lives(name, of))
            .map(|(name, _)| Arc::clone(name))
            .collect();
        for name in gone {
            if let Some(Followed { stop, task, .. }) = followed.remove(&name) {
                tracing::info!(of = %self.name, node = %name, "is gone, or is another process now");
                drop(stop);
                let _ = task.await;
            }
        }
        *self.view.lock() = view.clone();
        if view.is_complete() {
            let peer = |member: &Member| Peer {
                node: node_of(&member.node_id).into(),
                zone: Arc::clone(&member.zone),
                http_address: Arc::clone(&member.http_address),
            };
            *self.peers.lock() = view.with_role(Role::Realtime).map(peer).collect();
        }
        for member in view.data_nodes().filter(|member| member.node_id != self.name) {
            followed.entry(Arc::clone(&member.node_id)).or_insert_with(|| {
                let (stop, stopped) = oneshot::channel();
                let task = spawn(Arc::clone(self).follow(member.clone(), stopped));
                Followed { incarnation: member.incarnation, stop, task }
            });
        }
        self.look();
    }

    async fn follow(self: Arc<Self>, member: Member, mut stopped: oneshot::Receiver<()>) {
        let address = ServerAddress::Network(Arc::clone(&member.node_id));
        let mut mirror = Mirror::new(self.discovery.clone(), address);
        let inventory = self.network.inventory_from(&self.name, &member.node_id);
        loop {
            let saw = |at: InventoryVersion| {
                self.seen.lock().saw(&member.node_id, member.incarnation, at.version);
                self.look();
            };
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                ended = mirror.follow(&*inventory, saw) => {
                    let error = ended.err().map(|error| error.to_string());
                    tracing::debug!(node = %member.node_id, error, "an inventory cannot be followed");
                }
            }
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
        if let Err(error) = mirror.forget() {
            tracing::error!(%error, "cannot be forgotten");
        }
    }

    fn look(&self) {
        let view = self.view.lock().clone();
        let mut seen = self.seen.lock();
        seen.retain(&view);
        // What this process serves it knows without being told.
        if let Some(this) = view.members.get(&self.name) {
            seen.saw(&self.name, this.incarnation, this.inventory_version);
        }
        self.awaited.send_replace(seen.missing(&view));
    }
}

impl Peers for Company {
    fn live(&self) -> Vec<Peer> {
        self.peers.lock().clone()
    }

    fn reach(&self, node: &str) -> Option<Arc<dyn RealtimePeer>> {
        let is_known = self.peers.lock().iter().any(|peer| *peer.node == *node);
        is_known.then(|| self.network.peer_from(&self.name, node))
    }
}

/// What a coordinator sees: all that it was told of, unless something is hidden from it.
#[derive(Debug)]
pub(crate) struct Everything {
    pub(crate) awaited: tokio::sync::watch::Receiver<Vec<MissingInventory>>,
    pub(crate) is_shown: watch::Receiver<bool>,
}

impl Sight for Everything {
    fn is_complete(&self) -> bool {
        self.awaited.borrow().is_empty() && *self.is_shown.borrow()
    }
}
