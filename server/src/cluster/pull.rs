//! What other processes serve, kept in the registry of this one: a task follows the inventory of each data
//! node that lives, and forgets what it had once gossip says that it is gone.

use std::collections::HashMap;
use std::sync::Arc;

use henge_data_node::grpc::Dialer;
use henge_platform::discovery::inventory::Mirror;
use henge_platform::discovery::{InProcessDiscovery, ServerAddress};
use henge_platform::membership::{
    ClusterView, GossipMembership, Member, Membership, MissingInventory, NodeId, SeenInventories,
};
use henge_platform::runtime::spawn;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::follow_one::One;
use crate::ground::Ground;

/// A process whose inventory is followed.
struct Followed {
    incarnation: u64,
    address: Arc<str>,
    /// Ends, and takes back what was mirrored, when its sender is dropped.
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

/// What was seen of the cluster, and who wants to know.
pub(super) struct Sight {
    seen: Mutex<SeenInventories>,
    missing: watch::Sender<Vec<MissingInventory>>,
}

impl Sight {
    /// The inventory of a node was followed up to a version.
    pub(super) fn saw(&self, node: &Member, version: u64) {
        self.seen.lock().saw(&node.node_id, node.incarnation, version);
    }

    /// True when gossip tells of a later version of a node than was followed.
    pub(super) fn is_behind(&self, view: &ClusterView, node: &NodeId) -> bool {
        self.seen.lock().outdated(view).any(|member| member.node_id == *node)
    }

    pub(super) fn look(&self, view: &ClusterView, own: &NodeId) {
        let mut seen = self.seen.lock();
        seen.retain(view);
        // What this process serves it knows without being told.
        if let Some(this) = view.members.get(own) {
            seen.saw(own, this.incarnation, this.inventory_version);
        }
        let missing = seen.missing(view);
        drop(seen);
        self.missing.send_if_modified(|known| {
            let is_new = *known != missing;
            *known = missing;
            is_new
        });
    }
}

/// Follows the cluster until `membership` is dropped, and says in `ground.awaited` what has still to be seen.
pub(super) fn follow(membership: &Arc<GossipMembership>, ground: &Ground, own: NodeId) {
    let follower = Follower {
        own,
        discovery: ground.discovery.clone(),
        dialer: Arc::clone(&ground.dialer),
        sight: Arc::new(Sight { seen: Mutex::default(), missing: ground.awaited.clone() }),
        membership: Arc::downgrade(membership),
        followed: HashMap::new(),
    };
    spawn(follower.run(membership.watch()));
}

struct Follower {
    own: NodeId,
    discovery: Arc<InProcessDiscovery>,
    dialer: Arc<Dialer>,
    sight: Arc<Sight>,
    membership: std::sync::Weak<GossipMembership>,
    followed: HashMap<NodeId, Followed>,
}

impl Follower {
    async fn run(mut self, mut views: watch::Receiver<Arc<ClusterView>>) {
        loop {
            let view = Arc::clone(&views.borrow_and_update());
            self.take(&view).await;
            self.sight.look(&view, &self.own);
            if views.changed().await.is_err() {
                return;
            }
        }
    }

    /// Follows who lives and nobody else.
    async fn take(&mut self, view: &ClusterView) {
        let own = Arc::clone(&self.own);
        let others = || view.data_nodes().filter(|node| node.node_id != own);
        let lives = |node_id: &NodeId, followed: &Followed| {
            view.members.get(node_id).is_some_and(|member| {
                member.serves_segments()
                    && member.incarnation == followed.incarnation
                    && member.grpc_address == followed.address
            })
        };
        let gone: Vec<NodeId> = self
            .followed
            .iter()
            .filter(|(node_id, followed)| !lives(node_id, followed))
            .map(|(node_id, _)| Arc::clone(node_id))
            .collect();
        for node_id in gone {
            if let Some(Followed { stop, task, .. }) = self.followed.remove(&node_id) {
                tracing::info!(node = %node_id, "is gone, or is another process now");
                drop(stop);
                // What it had is taken back before its next start is followed.
                let _ = task.await;
            }
        }
        for member in others() {
            if !self.followed.contains_key(&member.node_id) {
                let followed = self.begin(member);
                self.followed.insert(Arc::clone(&member.node_id), followed);
            }
        }
    }

    fn begin(&self, member: &Member) -> Followed {
        let (stop, stopped) = watch::channel(());
        let address = Arc::clone(&member.grpc_address);
        let one = One {
            member: member.clone(),
            mirror: Mirror::new(
                self.discovery.clone(),
                ServerAddress::Network(Arc::clone(&address)),
            ),
            dialer: Arc::clone(&self.dialer),
            sight: Arc::clone(&self.sight),
            membership: self.membership.clone(),
            own: Arc::clone(&self.own),
        };
        let task = spawn(one.run(stopped));
        Followed { incarnation: member.incarnation, address, stop, task }
    }
}
