//! What a process is within its cluster.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use henge_platform::config::{ClusterConfig, Secret, ServerConfig};
use henge_platform::membership::Role;

/// What a process is within its cluster.
#[derive(Debug, Clone)]
pub(crate) struct NodeOptions {
    /// Whether there may be other processes.
    pub(crate) is_in_cluster: bool,
    pub(crate) name: Arc<str>,
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) zone: Arc<str>,
    /// The tier of its segments.
    pub(crate) tier: Arc<str>,
    /// What the processes of the cluster show each other.
    pub(crate) token: Option<Secret>,
    /// The host under which others reach it.
    pub(crate) advertised_host: String,
    pub(crate) gossip_bind: (String, u16),
    pub(crate) seeds: Vec<String>,
    pub(crate) gossip_interval: Duration,
    /// Copies of each published segment.
    pub(crate) replicas: usize,
    /// How long a coordinator leads without being heard of.
    pub(crate) lease_ms: u64,
}

impl NodeOptions {
    /// Where others reach a port of the process, host and port.
    pub(crate) fn reached_at(&self, port: u16) -> Arc<str> {
        let host = &self.advertised_host;
        match host.contains(':') {
            true => format!("[{host}]:{port}").into(),
            false => format!("{host}:{port}").into(),
        }
    }

    /// What a configuration that was checked says.
    pub(crate) fn new(config: &ServerConfig, cluster: &ClusterConfig) -> Self {
        let ClusterConfig {
            roles: _, // with their names understood, below
            node: _,  // or the one that is made of the port
            seeds,
            gossip_listen: _, // or the port after that of gRPC
            advertise: _,     // or the host
            zone,
            token,
            replicas,
            gossip_interval_ms,
            lease_ms,
        } = cluster;
        Self {
            is_in_cluster: cluster.is_on(),
            name: config.node_name().into(),
            roles: cluster.roles().unwrap_or_default(),
            zone: zone.as_str().into(),
            tier: config.historical.tier.as_str().into(),
            token: Some(token.clone()).filter(|token| !token.is_empty()),
            advertised_host: config.advertised_host().to_owned(),
            gossip_bind: config.gossip_bind().unwrap_or_default(),
            seeds: seeds.clone(),
            gossip_interval: Duration::from_millis(*gossip_interval_ms),
            replicas: *replicas as usize,
            lease_ms: *lease_ms,
        }
    }
}
