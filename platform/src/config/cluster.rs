//! What a process is within its cluster, and whether it is within one.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::validate::{check, host_and_port, not_zero};
use super::{ClusterConfig, ConfigError, ServerConfig};
use crate::membership::Role;

/// Shorter tokens are guessed.
const MIN_TOKEN_BYTES: usize = 16;
/// Longest name of a node: it is part of names of files and sources.
const MAX_NODE_BYTES: usize = 100;
/// The begin of a URL that names a folder.
const FOLDER_SCHEME: &str = "file://";

impl ClusterConfig {
    /// What the process does.
    ///
    /// # Errors
    /// `Invalid` when there is no such role.
    pub fn roles(&self) -> Result<BTreeSet<Role>, ConfigError> {
        if self.roles.is_empty() {
            return Ok(Role::ALL.into());
        }
        let role = |name: &String| {
            Role::named(name.trim()).ok_or_else(|| ConfigError::Invalid {
                field: "cluster.roles",
                reason: format!(
                    "has '{name}', which is none of realtime, historical, broker and coordinator"
                ),
            })
        };
        self.roles.iter().map(role).collect()
    }

    /// Whether there may be other processes.
    #[must_use]
    pub fn is_on(&self) -> bool {
        let has_all = self.roles().is_ok_and(|roles| roles.len() == Role::ALL.len());
        !(has_all && self.seeds.is_empty() && self.gossip_listen.is_empty())
    }
}

impl ServerConfig {
    /// The name of the process.
    #[must_use]
    pub fn node_name(&self) -> String {
        let cluster = &self.cluster;
        match (cluster.node.is_empty(), cluster.is_on()) {
            (false, _) => cluster.node.clone(),
            (true, false) => "0".to_owned(),
            (true, true) => format!("{}-{}", self.advertised_host().replace(':', "-"), self.port),
        }
    }

    /// The host under which others reach this process.
    #[must_use]
    pub fn advertised_host(&self) -> &str {
        match self.cluster.advertise.as_str() {
            "" => &self.host,
            advertised => advertised,
        }
    }

    /// The folder that deep storage is, when several processes share one.
    #[must_use]
    pub fn shared_folder(&self) -> Option<&str> {
        self.storage.url.strip_prefix(FOLDER_SCHEME)
    }

    pub(super) fn validate_cluster(&self) -> Result<(), ConfigError> {
        let cluster = &self.cluster;
        cluster.roles()?;
        let (node, token) = (&cluster.node, cluster.token.reveal());
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
        check(node.len() <= MAX_NODE_BYTES && node.chars().all(is_plain), "cluster.node", || {
            format!("{node:?} has more than letters, digits and -._, or is longer than 100")
        })?;
        let zone = &cluster.zone;
        check(zone.len() <= MAX_NODE_BYTES && zone.chars().all(is_plain), "cluster.zone", || {
            format!("{zone:?} has more than letters, digits and -._, or is longer than 100")
        })?;
        let fits = token.is_empty()
            || token.len() >= MIN_TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_graphic());
        check(fits, "cluster.token", || {
            "must have 16 letters, digits and signs at least, without spaces".into()
        })?;
        let is_address = |seed: &&String| {
            host_and_port(seed).is_some_and(|(host, port)| !host.is_empty() && port > 0)
        };
        let wrong = cluster.seeds.iter().find(|seed| !is_address(seed));
        check(wrong.is_none(), "cluster.seeds", || {
            let seed = wrong.map_or("", String::as_str);
            format!(
                "has '{seed}', which is no host and port: write the gossip addresses of some processes, as in \
                 [\"10.0.0.1:8890\", \"10.0.0.2:8890\"]"
            )
        })?;
        not_zero("cluster.replicas", cluster.replicas.into())?;
        not_zero("cluster.gossip_interval_ms", cluster.gossip_interval_ms)?;
        check(cluster.lease_ms >= 1_000, "cluster.lease_ms", || "is below 1000".into())?;
        if cluster.is_on() { self.validate_company() } else { Ok(()) }
    }

    /// What a process needs that is not alone.
    fn validate_company(&self) -> Result<(), ConfigError> {
        check(!self.metadata.url.is_empty(), "metadata.url", || {
            "is missing: the processes of a cluster share a PostgreSQL database".into()
        })?;
        check(!self.storage.url.is_empty(), "storage.url", || {
            "is missing: the processes of a cluster share a bucket, or a folder as file:///path"
                .into()
        })?;
        check(self.grpc_bind()?.is_some(), "grpc.listen", || {
            "is off, and the processes of a cluster call each other by gRPC".into()
        })?;
        let advertised = self.advertised_host();
        let is_any = advertised.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified());
        check(!is_any, "cluster.advertise", || {
            format!("is missing: others cannot reach this process at '{advertised}'")
        })?;
        let has_name = !self.cluster.node.is_empty() || self.port != 0;
        check(has_name, "cluster.node", || {
            "is missing: a name made of a port that is picked anew is not the same after a restart"
                .into()
        })?;
        self.gossip_bind().map(drop)
    }

    /// Host and port of gossip.
    ///
    /// # Errors
    /// When the setting is no address, or there is no port after that of gRPC.
    pub fn gossip_bind(&self) -> Result<(String, u16), ConfigError> {
        let invalid =
            |reason: String| ConfigError::Invalid { field: "cluster.gossip_listen", reason };
        let listen = self.cluster.gossip_listen.trim();
        if !listen.is_empty() {
            let wrong = || invalid(format!("'{listen}' is not an address: write 127.0.0.1:8890"));
            return host_and_port(listen).ok_or_else(wrong);
        }
        let after = match self.grpc_bind()? {
            Some((_, 0)) | None => Some(0),
            Some((_, port)) => port.checked_add(1),
        };
        let none = || invalid("is empty and there is no port after that of gRPC: set it".into());
        Ok((self.host.clone(), after.ok_or_else(none)?))
    }
}
