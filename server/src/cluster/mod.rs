//! This process among the others: it gossips that it lives, follows what they serve, and knows what it has
//! still to see before it may answer for the cluster.

mod follow_one;
pub(crate) mod incarnation;
mod pull;
mod seeds;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use henge_platform::discovery::Discovery;
use henge_platform::membership::{
    ClusterView, GossipMembership, GossipOptions, HeardNode, Member, Membership, Role,
};
use henge_platform::runtime::spawn;
use henge_realtime_node::{NetworkPeers, Peer};
use tokio::net::lookup_host;

use crate::ground::Ground;
use crate::node_options::NodeOptions;

/// The version of the inventory is gossiped no more often: it only says that a stream has fallen behind.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Rounds of gossip after which a node that is new or silent is judged.
const SETTLE_ROUNDS: u32 = 5;

/// Rounds of gossip after which seeds that did not answer are said.
const SEED_ROUNDS: u32 = 15;

/// This process in its cluster.
#[derive(Debug, Clone)]
pub(crate) struct Company {
    membership: Arc<GossipMembership>,
}

/// Where the process is reached, with the ports that it really got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
}

impl Company {
    /// Joins the cluster and begins to follow it.
    ///
    /// # Errors
    /// When the gossip address cannot be listened on.
    pub(crate) async fn join(options: &NodeOptions, ground: &Ground, ports: Ports) -> Result<Self> {
        let member = member_of(options, ground.incarnation, ports);
        let gossip = gossip_of(options, &ground.queries.cluster).await?;
        let membership = GossipMembership::join(&gossip, member).await;
        let membership = Arc::new(membership.context("join the cluster")?);
        tracing::info!(node = %options.name, gossip = %membership.gossip_address(), "joined the cluster");
        pull::follow(&membership, ground, Arc::clone(&options.name));
        spawn(tell_versions(Arc::downgrade(&membership), ground.discovery.clone()));
        spawn(tell_realtime(Arc::downgrade(&membership), ground.realtime_peers.clone()));
        let patience = options.gossip_interval * SEED_ROUNDS;
        spawn(seeds::tell_silent(Arc::downgrade(&membership), options.seeds.clone(), patience));
        Ok(Self { membership })
    }

    /// Who is alive, as far as this process knows.
    pub(crate) fn view(&self) -> Arc<ClusterView> {
        self.membership.view()
    }

    /// Everybody who was heard of, also who is gone.
    pub(crate) fn heard_nodes(&self) -> Vec<HeardNode> {
        self.membership.heard_nodes()
    }

    /// Who is alive, once somebody has the role or this time is over: who starts again is heard of a moment later.
    pub(crate) async fn view_with(&self, role: Role, within: Duration) -> Arc<ClusterView> {
        let mut views = self.membership.watch();
        let someone = views.wait_for(|view| view.with_role(role).next().is_some());
        // Either way it is what is known now that counts.
        let _ = tokio::time::timeout(within, someone).await;
        self.view()
    }

    /// Completes when another process has this node's name.
    pub(crate) async fn superseded(&self) {
        let mut views = self.membership.watch();
        let outcome = views.wait_for(|view| view.is_superseded).await;
        if outcome.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Tells the others that this process stops.
    pub(crate) async fn leave(&self) {
        self.membership.leave().await;
    }
}

fn member_of(options: &NodeOptions, incarnation: u64, ports: Ports) -> Member {
    Member {
        node_id: Arc::clone(&options.name),
        incarnation,
        roles: options.roles.clone(),
        http_address: options.reached_at(ports.http.port()),
        grpc_address: options.reached_at(ports.grpc.port()),
        zone: Arc::clone(&options.zone),
        tier: Arc::clone(&options.tier),
        inventory_version: 0,
    }
}

async fn gossip_of(options: &NodeOptions, cluster: &str) -> Result<GossipOptions> {
    let (host, port) = &options.gossip_bind;
    let listen = resolve(host, *port).await?;
    let mut gossip = GossipOptions::new(cluster, listen);
    if options.advertised_host != *host {
        gossip.advertise = Some(resolve(&options.advertised_host, *port).await?);
    }
    gossip.seeds = options.seeds.clone();
    gossip.interval = options.gossip_interval;
    gossip.settle = options.gossip_interval * SETTLE_ROUNDS;
    Ok(gossip)
}

async fn resolve(host: &str, port: u16) -> Result<SocketAddr> {
    let mut found = lookup_host((host, port)).await.with_context(|| format!("look up '{host}'"))?;
    found.next().with_context(|| format!("'{host}' has no address"))
}

/// Tells the realtime node of this process which others are alive, once that can be known.
async fn tell_realtime(membership: std::sync::Weak<GossipMembership>, peers: Arc<NetworkPeers>) {
    let Some(mut views) = membership.upgrade().map(|living| living.watch()) else { return };
    loop {
        let view = Arc::clone(&*views.borrow_and_update());
        if view.is_complete() {
            let peer = |member: &Member| Peer {
                node: Arc::clone(&member.node_id),
                zone: Arc::clone(&member.zone),
                http_address: Arc::clone(&member.http_address),
            };
            let live = view.with_role(Role::Realtime);
            peers.set(live.map(|member| (peer(member), Arc::clone(&member.grpc_address))));
        }
        if views.changed().await.is_err() {
            return;
        }
    }
}

/// Gossips the version of what this process serves for as long as it lives.
async fn tell_versions(
    membership: std::sync::Weak<GossipMembership>,
    discovery: Arc<dyn Discovery>,
) {
    let mut versions = discovery.watch();
    loop {
        versions.borrow_and_update();
        let Some(living) = membership.upgrade() else { return };
        living.set_inventory_version(discovery.local_version()).await;
        drop(living);
        tokio::time::sleep(TELL_EVERY).await;
        if versions.changed().await.is_err() {
            return;
        }
    }
}
