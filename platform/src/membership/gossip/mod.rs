//! Membership by gossip (chitchat: scuttlebutt over UDP, with a phi-accrual detector of failures).
//!
//! What is gossiped of a node stays small and never grows: a few short keys, of which only the version of
//! the inventory changes. Chance (whom to gossip with) is chitchat's own, so simulated clusters use
//! [`MemoryCluster`](super::MemoryCluster).

mod heard;
mod judge;
mod keys;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chitchat::transport::{Socket, Transport, UdpTransport};
use chitchat::{
    Chitchat, ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, ProtocolVersion,
    spawn_chitchat,
};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{ClusterView, Member, Membership, MembershipError};
pub use heard::{HeardNode, NodeCondition};

use heard::Heard;
use judge::Judge;

/// How often the last words of a node are gossiped before it is silent.
const FAREWELLS: u32 = 3;
/// Heartbeats that the detector remembers of a node.
const SAMPLES: usize = 1_000;
/// Silence, in usual intervals between heartbeats, after which a node counts as dead.
const SILENT_INTERVALS: f64 = 8.0;

/// How a node gossips.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GossipOptions {
    /// Nodes of other clusters are not heard.
    pub cluster_id: String,
    /// The UDP address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where others reach it, when that is another address.
    pub advertise: Option<SocketAddr>,
    /// Hosts and ports of nodes to begin with. This node may be among them.
    pub seeds: Vec<String>,
    /// Time between two rounds of gossip.
    pub interval: Duration,
    /// How long after its start, and after it was first heard of, a node is not judged.
    pub settle: Duration,
    /// How long a dead node is remembered.
    pub forget_after: Duration,
}

impl GossipOptions {
    /// A node of this cluster that listens there.
    #[must_use]
    pub fn new(cluster_id: impl Into<String>, listen: SocketAddr) -> Self {
        Self {
            cluster_id: cluster_id.into(),
            listen,
            advertise: None,
            seeds: Vec::new(),
            interval: Duration::from_secs(1),
            settle: Duration::from_secs(5),
            forget_after: Duration::from_secs(3_600),
        }
    }

    /// The silence after which a node counts as dead, of one that is heard as often as can be.
    fn window(&self) -> Duration {
        self.interval.mul_f64(SILENT_INTERVALS)
    }

    fn detector(&self) -> FailureDetectorConfig {
        FailureDetectorConfig {
            phi_threshold: SILENT_INTERVALS,
            sampling_window_size: SAMPLES,
            // A longer silence says nothing about how often a node is usually heard.
            max_interval: self.interval * 10,
            initial_interval: self.interval,
            dead_node_grace_period: self.forget_after,
        }
    }
}

/// This process in a cluster that gossips.
pub struct GossipMembership {
    gossip: ChitchatHandle,
    address: SocketAddr,
    interval: Duration,
    watch: watch::Receiver<Arc<ClusterView>>,
    heard: Arc<Heard>,
    follower: JoinHandle<()>,
}

impl std::fmt::Debug for GossipMembership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = self.gossip.chitchat_id();
        f.debug_struct("GossipMembership").field("id", id).finish_non_exhaustive()
    }
}

impl Drop for GossipMembership {
    fn drop(&mut self) {
        self.gossip.abort();
        self.follower.abort();
    }
}

impl GossipMembership {
    /// Joins over UDP.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn join(options: &GossipOptions, member: Member) -> Result<Self, MembershipError> {
        Self::join_over(&UdpTransport, options, member).await
    }

    /// Joins over another transport, for tests.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn join_over(
        transport: &dyn Transport,
        options: &GossipOptions,
        member: Member,
    ) -> Result<Self, MembershipError> {
        let unavailable = |error| MembershipError::Unavailable(format!("{error:#}"));
        // Opened first: only then a port that was left to the system is known.
        let socket = transport.open(options.listen).await.map_err(unavailable)?;
        let address = options.advertise.map_or_else(|| socket.local_addr(), Ok);
        let address = address.map_err(unavailable)?;
        let id = ChitchatId::new(member.node_id.clone(), member.incarnation, address);
        let config = ChitchatConfig {
            chitchat_id: id.clone(),
            cluster_id: options.cluster_id.clone(),
            gossip_interval: options.interval,
            listen_addr: options.listen,
            seed_nodes: options.seeds.clone(),
            failure_detector_config: options.detector(),
            marked_for_deletion_grace_period: options.forget_after,
            catchup_callback: None,
            extra_liveness_predicate: None,
            // Until no node of a release before this one can be in a cluster.
            protocol_version: ProtocolVersion::V0,
        };
        let opened = Opened(Mutex::new(Some(socket)));
        let gossip = spawn_chitchat(config, keys::of(&member), &opened).await;
        let gossip = gossip.map_err(unavailable)?;
        let others = options.seeds.iter().any(|seed| *seed != address.to_string());
        let judge = Judge::new(id, options.settle, options.window(), others);
        let (sender, watch) = watch::channel(Arc::default());
        let heard = Arc::<Heard>::default();
        let following =
            follow(gossip.chitchat(), judge, options.interval, sender, Arc::clone(&heard));
        let follower = crate::runtime::spawn(following);
        Ok(Self { gossip, address, interval: options.interval, watch, heard, follower })
    }

    /// Where others reach this node's gossip: a seed for them.
    #[must_use]
    pub fn gossip_address(&self) -> SocketAddr {
        self.address
    }

    /// Everybody who was heard of, by name: also who is gone, for as long as it is remembered.
    #[must_use]
    pub fn heard_nodes(&self) -> Vec<HeardNode> {
        self.heard.nodes()
    }
}

/// A socket that is open already.
struct Opened(Mutex<Option<Box<dyn Socket>>>);

#[async_trait]
impl Transport for Opened {
    async fn open(&self, _listen: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        self.0.lock().take().ok_or_else(|| anyhow::anyhow!("the socket is taken"))
    }
}

/// Looks at what is gossiped, as often as something can change.
async fn follow(
    gossip: Arc<tokio::sync::Mutex<Chitchat>>,
    mut judge: Judge,
    every: Duration,
    sender: watch::Sender<Arc<ClusterView>>,
    heard: Arc<Heard>,
) {
    let mut changes = gossip.lock().await.live_nodes_watcher();
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = changes.changed() => if changed.is_err() { return },
        }
        let view = {
            let gossip = gossip.lock().await;
            let view = judge.view(&gossip);
            heard.look(&gossip, &view);
            view
        };
        sender.send_if_modified(|seen| {
            let is_new = **seen != view;
            if view.is_superseded && !seen.is_superseded {
                tracing::error!("another process with this node's name started later");
            }
            if is_new {
                *seen = Arc::new(view);
            }
            is_new
        });
    }
}

#[async_trait]
impl Membership for GossipMembership {
    fn view(&self) -> Arc<ClusterView> {
        Arc::clone(&self.watch.borrow())
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterView>> {
        self.watch.clone()
    }

    async fn set_inventory_version(&self, version: u64) {
        self.gossip.with_chitchat(|chitchat| keys::set_inventory(chitchat, version)).await;
    }

    async fn leave(&self) {
        self.gossip.with_chitchat(keys::set_leaving).await;
        sleep(self.interval * FAREWELLS).await;
        // It may have ended by itself.
        let _ = self.gossip.initiate_shutdown();
    }
}
