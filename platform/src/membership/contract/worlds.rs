//! Where nodes are started, die and are cut off from each other.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use chitchat::transport::{ChannelTransport, Transport, UdpTransport};

use super::super::*;

#[async_trait]
pub(super) trait World: Send {
    /// Starts a node, which knows where those before it listen. Dropping it is its crash.
    async fn start(&mut self, cluster_id: &str, member: Member) -> Box<dyn Membership>;

    async fn cut(&mut self, a: &str, b: &str);

    async fn heal(&mut self, a: &str, b: &str);
}

#[derive(Default)]
pub(super) struct MemoryWorld(MemoryCluster);

#[async_trait]
impl World for MemoryWorld {
    async fn start(&mut self, cluster_id: &str, member: Member) -> Box<dyn Membership> {
        Box::new(self.0.join(cluster_id, member))
    }

    async fn cut(&mut self, a: &str, b: &str) {
        self.0.cut(a, b);
    }

    async fn heal(&mut self, a: &str, b: &str) {
        self.0.heal(a, b);
    }
}

fn loopback(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// Gossip ten times a second, over whatever transport.
async fn start_over(
    transport: &dyn Transport,
    addresses: &mut HashMap<String, SocketAddr>,
    listen: SocketAddr,
    cluster_id: &str,
    member: Member,
) -> Box<dyn Membership> {
    let name = member.node_id.to_string();
    let options = GossipOptions {
        seeds: addresses.values().map(ToString::to_string).collect(),
        interval: Duration::from_millis(100),
        settle: Duration::from_millis(500),
        ..GossipOptions::new(cluster_id, listen)
    };
    let node = GossipMembership::join_over(transport, &options, member).await.unwrap();
    addresses.insert(name, node.gossip_address());
    Box::new(node)
}

#[derive(Default)]
pub(super) struct ChannelWorld {
    transport: ChannelTransport,
    addresses: HashMap<String, SocketAddr>,
}

impl ChannelWorld {
    /// An address where nobody listens so far, which everybody has among its seeds.
    pub(super) fn reserve(&mut self) -> SocketAddr {
        let address = loopback(60_000);
        self.addresses.insert("reserved".into(), address);
        address
    }

    pub(super) async fn start_at(
        &mut self,
        listen: SocketAddr,
        cluster_id: &str,
        member: Member,
    ) -> Box<dyn Membership> {
        start_over(&self.transport, &mut self.addresses, listen, cluster_id, member).await
    }
}

#[async_trait]
impl World for ChannelWorld {
    async fn start(&mut self, cluster_id: &str, member: Member) -> Box<dyn Membership> {
        self.start_at(loopback(0), cluster_id, member).await
    }

    async fn cut(&mut self, a: &str, b: &str) {
        self.transport.remove_link(self.addresses[a], self.addresses[b]).await;
    }

    async fn heal(&mut self, a: &str, b: &str) {
        self.transport.add_link(self.addresses[a], self.addresses[b]).await;
    }
}

/// Real datagrams; nothing can be cut.
#[derive(Default)]
pub(super) struct UdpWorld {
    addresses: HashMap<String, SocketAddr>,
}

#[async_trait]
impl World for UdpWorld {
    async fn start(&mut self, cluster_id: &str, member: Member) -> Box<dyn Membership> {
        start_over(&UdpTransport, &mut self.addresses, loopback(0), cluster_id, member).await
    }

    async fn cut(&mut self, _a: &str, _b: &str) {
        unreachable!("a datagram on loopback always arrives");
    }

    async fn heal(&mut self, _a: &str, _b: &str) {}
}
