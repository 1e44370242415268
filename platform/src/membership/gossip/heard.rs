//! Everybody who was heard of, for operators: the dead too, for as long as they are remembered.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use chitchat::{Chitchat, ChitchatId};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::super::{ClusterView, NodeId};
use super::judge::newest;
use super::keys;

/// What is thought of a node that was heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeCondition {
    /// It lives.
    Alive,
    /// It was heard of, and it is not known yet what it is or whether it lives.
    Starting,
    /// It is silent, or said that it leaves.
    Gone,
}

/// A node that was heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardNode {
    /// Its name.
    pub node_id: NodeId,
    /// Of its last start.
    pub incarnation: u64,
    /// What is thought of it.
    pub condition: NodeCondition,
    /// What it said of itself; `None` while that is not wholly known.
    pub member: Option<super::super::Member>,
    /// The version of its program; empty when it does not say.
    pub version: Arc<str>,
    /// Where it gossips.
    pub gossip_address: SocketAddr,
    /// How long ago there was last a sign of it, in milliseconds.
    pub last_heard_ms: u64,
}

/// When there were signs of life of whom.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    beats: HashMap<ChitchatId, (u64, Instant)>,
    nodes: Vec<(HeardNode, Instant)>,
}

impl Heard {
    /// Looks at what is gossiped, of which `view` was made.
    pub(super) fn look(&self, chitchat: &Chitchat, view: &ClusterView) {
        let (now, states) = (Instant::now(), chitchat.node_states());
        let mut state = self.0.lock();
        state.beats.retain(|id, _| states.contains_key(id));
        for (id, of) in states {
            let heartbeat = u64::from(of.heartbeat());
            let beat = state.beats.entry(id.clone()).or_insert((heartbeat, now));
            if beat.0 != heartbeat || id == chitchat.self_chitchat_id() {
                *beat = (heartbeat, now);
            }
        }
        let nodes = newest(states).into_iter().map(|(name, (id, of))| {
            let condition = match (view.members.contains_key(name), view.unknown.contains(name)) {
                (true, _) => NodeCondition::Alive,
                (_, true) => NodeCondition::Starting,
                _ => NodeCondition::Gone,
            };
            let node = HeardNode {
                node_id: NodeId::clone(name),
                incarnation: id.generation_id,
                condition,
                member: keys::member(of),
                version: keys::version(of).into(),
                gossip_address: id.gossip_advertise_addr,
                last_heard_ms: 0,
            };
            let heard = state.beats.get(id).map_or(now, |(_, at)| *at);
            (node, heard)
        });
        let nodes: Vec<_> = nodes.collect();
        state.nodes = nodes;
    }

    /// All of them, by name.
    pub(super) fn nodes(&self) -> Vec<HeardNode> {
        let state = self.0.lock();
        let aged = |(node, heard): &(HeardNode, Instant)| HeardNode {
            last_heard_ms: u64::try_from(heard.elapsed().as_millis()).unwrap_or(u64::MAX),
            ..node.clone()
        };
        state.nodes.iter().map(aged).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chitchat::transport::ChannelTransport;

    use super::super::super::contract::member;
    use super::super::super::{GossipMembership, GossipOptions, Membership, Role};
    use super::*;

    async fn start(transport: &ChannelTransport, name: &str, seed: &str) -> GossipMembership {
        let options = GossipOptions {
            seeds: vec![seed.to_owned()],
            interval: Duration::from_millis(100),
            settle: Duration::from_millis(500),
            ..GossipOptions::new("ours", ([127, 0, 0, 1], 0).into())
        };
        let member = member(name, 7, Role::Historical);
        GossipMembership::join_over(transport, &options, member).await.unwrap()
    }

    async fn until(node: &GossipMembership, name: &str, condition: NodeCondition) -> HeardNode {
        loop {
            let nodes = node.heard_nodes();
            let found = nodes.into_iter().find(|node| *node.node_id == *name);
            if let Some(found) = found.filter(|node| node.condition == condition) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_is_remembered_with_what_it_was() {
        let transport = ChannelTransport::default();
        let a = start(&transport, "a", "127.0.0.1:1").await;
        let b = start(&transport, "b", &a.gossip_address().to_string()).await;
        let alive = until(&a, "b", NodeCondition::Alive).await;
        assert_eq!(&*alive.version, env!("CARGO_PKG_VERSION"));
        assert_eq!((alive.incarnation, alive.gossip_address), (7, b.gossip_address()));
        assert!(alive.last_heard_ms < 5_000, "{alive:?}");
        assert!(until(&a, "a", NodeCondition::Alive).await.last_heard_ms <= 100);
        b.leave().await;
        drop(b);
        let gone = until(&a, "b", NodeCondition::Gone).await;
        assert_eq!(gone.member.unwrap().http_address, alive.member.unwrap().http_address);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let gone = until(&a, "b", NodeCondition::Gone).await;
        assert!(gone.last_heard_ms >= 59_000, "{gone:?}");
    }
}
