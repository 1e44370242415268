//! The realtime nodes of a cluster of processes, as whoever follows its membership says.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::rpc::{Introduce, RpcOptions, endpoint};
use parking_lot::RwLock;

use super::peers::connect_peer;
use crate::peers::{Peer, Peers, RealtimePeer};

/// Realtime nodes that are reached over gRPC.
#[derive(Debug)]
pub struct NetworkPeers {
    introduce: Introduce,
    options: RpcOptions,
    live: RwLock<BTreeMap<Arc<str>, Reached>>,
}

#[derive(Debug, Clone)]
struct Reached {
    peer: Peer,
    address: Arc<str>,
    way: Arc<dyn RealtimePeer>,
}

impl NetworkPeers {
    /// Nobody yet.
    #[must_use]
    pub fn new(introduce: Introduce, options: RpcOptions) -> Self {
        Self { introduce, options, live: RwLock::default() }
    }

    /// These are alive now, and no others, each at an address (host and port). Connections to those that
    /// stay where they were are kept.
    pub fn set(&self, live: impl IntoIterator<Item = (Peer, Arc<str>)>) {
        let mut known = self.live.write();
        let mut now = BTreeMap::new();
        for (peer, address) in live {
            let before = known.remove(&peer.node).filter(|before| before.address == address);
            let way = match before {
                Some(before) => before.way,
                None => match endpoint(&address, &self.options) {
                    Ok(endpoint) => connect_peer(
                        Arc::clone(&peer.node),
                        Arc::clone(&address),
                        endpoint.connect_lazy(),
                        self.introduce.clone(),
                    ),
                    Err(error) => {
                        tracing::warn!(node = %peer.node, %error, "a realtime node cannot be reached");
                        continue;
                    }
                },
            };
            now.insert(Arc::clone(&peer.node), Reached { peer, address, way });
        }
        *known = now;
    }
}

impl Peers for NetworkPeers {
    fn live(&self) -> Vec<Peer> {
        self.live.read().values().map(|reached| reached.peer.clone()).collect()
    }

    fn reach(&self, node: &str) -> Option<Arc<dyn RealtimePeer>> {
        self.live.read().get(node).map(|reached| Arc::clone(&reached.way))
    }
}
