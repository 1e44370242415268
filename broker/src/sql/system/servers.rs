//! `sys.servers`: a row a role of a process, and `sys.server_properties`.

use std::collections::HashMap;

use henge_platform::discovery::{ServerAddress, ServerDescription, ServerId, ServerKind};
use henge_sql::Result;

use super::{BrokerSource, Column, failed, host_and_port, long, size, text};
use crate::sql::cluster::Process;
use crate::view::ClusterView;

/// What is told of a server.
#[derive(Debug, Default)]
struct Row {
    server: String,
    /// What Druid calls its role.
    server_type: &'static str,
    tier: Option<String>,
    current_size: u64,
    max_size: u64,
    is_leader: Option<bool>,
    process: Process,
}

/// Druid's name of a role. A process that takes rows in and answers for them is an indexer there.
fn server_type(role: &str) -> Option<&'static str> {
    match role {
        "broker" => Some("broker"),
        "coordinator" => Some("coordinator"),
        _ => None,
    }
}

/// Data nodes as they announce themselves, and the other roles of processes that live.
pub(super) async fn servers(source: &BrokerSource) -> Result<Vec<Column>> {
    let view = source.broker.views.current().await.map_err(|error| failed(&error, None))?;
    let processes = source.cluster.processes();
    let mut rows = data_nodes(&view, &processes);
    for process in &processes {
        let roles = process.roles.iter().filter_map(|role| server_type(role));
        rows.extend(roles.map(|server_type| Row {
            server: process.http.clone(),
            server_type,
            is_leader: process.is_leader.filter(|_| server_type == "coordinator"),
            process: process.clone(),
            ..Row::default()
        }));
    }
    rows.sort_by(|a, b| (a.server_type, &a.server).cmp(&(b.server_type, &b.server)));
    let each = || rows.iter();
    let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(vec![
        text("server", each().map(|row| Some(row.server.as_str()))),
        text("host", each().map(|row| host_and_port(&row.process.http).0)),
        long("plaintext_port", each().map(|row| host_and_port(&row.process.http).1)),
        long("tls_port", each().map(|_| Some(-1))),
        text("server_type", each().map(|row| Some(row.server_type))),
        text("tier", each().map(|row| row.tier.as_deref())),
        long("current_size", each().map(|row| Some(size(row.current_size)))),
        long("max_size", each().map(|row| Some(size(row.max_size)))),
        long("is_leader", each().map(|row| row.is_leader.map(i64::from))),
        text("start_time", each().map(|_| None::<String>)),
        text("version", each().map(|row| known(&row.process.version))),
        text("labels", each().map(|_| None::<String>)),
        long("available_processors", each().map(|_| None)),
        long("total_memory", each().map(|_| None)),
        long("storage_size", each().map(|row| Some(size(row.max_size)))),
    ])
}

fn data_nodes(view: &ClusterView, processes: &[Process]) -> Vec<Row> {
    let mut sizes: HashMap<&str, u64> = HashMap::new();
    for replica in view.tables.values().flat_map(|table| table.replicas.values().flatten()) {
        *sizes.entry(&replica.server).or_default() += replica.segment.size_bytes;
    }
    let row = |server: &ServerId, of: &ServerDescription| Row {
        server: server.to_string(),
        server_type: match of.kind {
            ServerKind::Realtime => "indexer",
            ServerKind::Historical => "historical",
        },
        tier: Some(of.tier.to_string()).filter(|tier| !tier.is_empty()),
        current_size: sizes.get(&**server).copied().unwrap_or(0),
        max_size: of.capacity_bytes,
        is_leader: None,
        process: process_of(of, processes),
    };
    view.servers.iter().map(|(server, of)| row(server, of)).collect()
}

fn process_of(server: &ServerDescription, processes: &[Process]) -> Process {
    let process = match &server.address {
        ServerAddress::InProcess => processes.iter().find(|process| process.is_self),
        ServerAddress::Network(address) => {
            processes.iter().find(|process| *process.grpc == **address)
        }
    };
    process.cloned().unwrap_or_default()
}

/// The settings of this process.
pub(super) fn properties(source: &BrokerSource) -> Vec<Column> {
    let processes = source.cluster.processes();
    let own = processes.into_iter().find(|process| process.is_self).unwrap_or_default();
    let properties = source.cluster.properties();
    let each = || properties.iter();
    vec![
        text("server", each().map(|_| Some(own.http.as_str()))),
        text("service_name", each().map(|_| Some(own.node.as_str()))),
        text("node_roles", each().map(|_| Some(own.roles.join(",")))),
        text("property", each().map(|(name, _)| Some(name.as_str()))),
        text("value", each().map(|(_, value)| Some(value.as_str()))),
        text("error_message", each().map(|_| None::<String>)),
    ]
}
