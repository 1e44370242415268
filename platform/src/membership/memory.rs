//! Membership within one process: of a cluster that is one process, and for tests and simulations, which
//! crash nodes and cut them off from each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{ClusterView, Member, Membership, NodeId};

/// All nodes of this process. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct MemoryCluster {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// By name and incarnation.
    nodes: BTreeMap<(NodeId, u64), Node>,
    /// Pairs that do not hear each other, the lesser name first.
    cuts: BTreeSet<(NodeId, NodeId)>,
}

#[derive(Debug)]
struct Node {
    cluster_id: Arc<str>,
    member: Member,
    view: watch::Sender<Arc<ClusterView>>,
}

fn pair(a: &str, b: &str) -> (NodeId, NodeId) {
    (NodeId::from(a.min(b)), NodeId::from(a.max(b)))
}

impl State {
    fn view_of(&self, node: &Node) -> ClusterView {
        let mut view = ClusterView { is_settled: true, ..ClusterView::default() };
        let own = &node.member;
        // Ordered by incarnation: the last one of a name is the node now.
        for other in self.nodes.values() {
            let (name, is_own) = (&other.member.node_id, other.member.node_id == own.node_id);
            if other.cluster_id != node.cluster_id || self.cuts.contains(&pair(name, &own.node_id))
            {
                continue;
            }
            view.is_superseded |= is_own && other.member.incarnation > own.incarnation;
            view.members.insert(NodeId::clone(name), other.member.clone());
        }
        view
    }

    /// Tells every node what changed for it.
    fn publish(&self) {
        for node in self.nodes.values() {
            let view = self.view_of(node);
            node.view.send_if_modified(|seen| {
                let is_new = **seen != view;
                if is_new {
                    *seen = Arc::new(view);
                }
                is_new
            });
        }
    }
}

impl MemoryCluster {
    /// Nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A node starts. Nodes of other clusters do not see it.
    #[must_use]
    pub fn join(&self, cluster_id: &str, member: Member) -> MemoryMembership {
        let key = (NodeId::clone(&member.node_id), member.incarnation);
        let (view, watch) = watch::channel(Arc::default());
        let mut state = self.state.lock();
        state.nodes.insert(key.clone(), Node { cluster_id: cluster_id.into(), member, view });
        state.publish();
        drop(state);
        MemoryMembership { cluster: self.clone(), key, watch }
    }

    /// Two nodes do not hear each other any more.
    pub fn cut(&self, a: &str, b: &str) {
        let mut state = self.state.lock();
        state.cuts.insert(pair(a, b));
        state.publish();
    }

    /// Two nodes hear each other again.
    pub fn heal(&self, a: &str, b: &str) {
        let mut state = self.state.lock();
        state.cuts.remove(&pair(a, b));
        state.publish();
    }

    fn remove(&self, key: &(NodeId, u64)) {
        let mut state = self.state.lock();
        state.nodes.remove(key);
        state.publish();
    }
}

/// A node of this process.
#[derive(Debug)]
pub struct MemoryMembership {
    cluster: MemoryCluster,
    key: (NodeId, u64),
    watch: watch::Receiver<Arc<ClusterView>>,
}

impl Drop for MemoryMembership {
    fn drop(&mut self) {
        self.cluster.remove(&self.key);
    }
}

#[async_trait]
impl Membership for MemoryMembership {
    fn view(&self) -> Arc<ClusterView> {
        Arc::clone(&self.watch.borrow())
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterView>> {
        self.watch.clone()
    }

    async fn set_inventory_version(&self, version: u64) {
        let mut state = self.cluster.state.lock();
        if let Some(node) = state.nodes.get_mut(&self.key) {
            node.member.inventory_version = node.member.inventory_version.max(version);
        }
        state.publish();
    }

    async fn leave(&self) {
        self.cluster.remove(&self.key);
    }
}
