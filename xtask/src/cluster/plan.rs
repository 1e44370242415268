//! Which processes there are, and what each is told.

use std::path::{Path, PathBuf};

use super::Options;
use super::network::host_of;
use super::servers::Store;

/// Ports that a process has: HTTP, gRPC, gossip.
const PORTS_APART: u16 = 10;
/// What processes and clients show each other beyond loopback. A secret of nothing but a test.
pub(super) const TOKEN: &str = "token-of-the-test-cluster";

/// A process of Henge.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) role: &'static str,
    pub(super) zone: &'static str,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Node {
    /// Where it answers.
    pub(super) fn url(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }

    /// The tier and the priority of a node that holds segments, when there are tiers.
    pub(super) fn tier(&self) -> (&'static str, &'static str) {
        match self.name {
            "historical-3" => ("cold", "0"),
            _ => ("hot", "10"),
        }
    }

    /// Where it keeps its own.
    pub(super) fn folder(&self, options: &Options) -> PathBuf {
        options.folder.join(self.name)
    }
}

/// Two of what must not be alone, three historical nodes in two zones.
pub(super) const NODES: [(&str, &str, &str); 9] = [
    ("broker-1", "broker", "a"),
    ("broker-2", "broker", "b"),
    ("coordinator-1", "coordinator", "a"),
    ("coordinator-2", "coordinator", "b"),
    ("historical-1", "historical", "a"),
    ("historical-2", "historical", "b"),
    ("historical-3", "historical", "a"),
    ("realtime-1", "realtime", "a"),
    ("realtime-2", "realtime", "b"),
];

/// All processes of Henge.
pub(super) fn nodes(options: &Options) -> Vec<Node> {
    let port = |place: usize| options.base_port + PORTS_APART * place as u16;
    let node = |(place, (name, role, zone))| {
        let host = host_of(options, name);
        Node { name, role, zone, host, port: port(place) }
    };
    NODES.into_iter().enumerate().map(node).collect()
}

/// The port of PostgreSQL, and that of the S3 server.
pub(super) fn ports_of_servers(options: &Options) -> (u16, u16) {
    let after = options.base_port + PORTS_APART * NODES.len() as u16;
    (after, after + PORTS_APART)
}

/// The settings that all processes share.
pub(super) fn settings(options: &Options, store: &Store) -> String {
    let (postgres, _) = ports_of_servers(options);
    let seeds = nodes(options).into_iter().filter(|node| node.role == "coordinator");
    let seeds: Vec<String> =
        seeds.map(|node| format!("\"{}:{}\"", node.host, node.port + 2)).collect();
    let token = if options.has_network { format!("token = \"{TOKEN}\"\n") } else { String::new() };
    format!(
        "[metadata]\nurl = \"postgresql://postgres@{}:{postgres}/henge\"\n\n{}\n[cluster]\nseeds = [{}]\n\
         replicas = {}\n{token}",
        host_of(options, "postgres"),
        store.settings(),
        seeds.join(", "),
        options.replicas
    )
}

/// Where the settings are.
pub(super) fn settings_file(folder: &Path) -> PathBuf {
    folder.join("henge.toml")
}
