//! `henge cluster nodes`: processes as gossip has them, beside what the leader knows of their segments.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use henge_server::{NodeRow, NodeState};
use serde_json::{Value, json};

use crate::cmd::output::{Align, Report, TextTable, ago, grouped, percent, size};
use crate::cmd::server_at::{Cluster, ServerAt};
use crate::cmd::shapes::DataNode;

/// Options of `henge cluster nodes`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge cluster nodes
  henge cluster nodes --url http://b1.example:8888 --json

Exit codes: 0 all of them live, 1 failed, 2 wrong usage, 3 a node is gone or has not said yet what it is.")]
pub(crate) struct NodesArgs {
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &NodesArgs) -> Result<ExitCode> {
    report(&args.at.cluster()?)?.show(args.at.json)
}

fn report(cluster: &Cluster) -> Result<Report> {
    let nodes: Vec<NodeRow> = cluster.get("/henge/v1/nodes")?;
    let held: Result<Vec<DataNode>> = cluster.get("/henge/v1/coordinator/nodes");
    // Who lives is said also while nobody leads.
    let (held, trouble) = match held {
        Ok(held) => (held, None),
        Err(error) => (Vec::new(), Some(format!("{error:#}"))),
    };
    let mut text = table(&nodes, &held).to_string();
    if let Some(trouble) = &trouble {
        text = format!("{text}\nwhat the nodes hold is not known: {trouble}");
    }
    let rows: Vec<Value> = nodes.iter().map(|node| row_json(node, &held)).collect();
    let json = json!({ "nodes": rows, "trouble": trouble });
    let is_alarming = nodes.iter().any(|node| node.state != NodeState::Alive);
    Ok(Report { is_alarming, ..Report::new(text, json) })
}

fn row_json(node: &NodeRow, held: &[DataNode]) -> Value {
    let mut row = json!(node);
    let holds: Vec<&DataNode> = held.iter().filter(|one| one.node() == node.node).collect();
    row["holds"] = json!(holds);
    row
}

fn table(nodes: &[NodeRow], held: &[DataNode]) -> TextTable {
    let mut table = TextTable::new(&[
        ("node", Align::Left),
        ("roles", Align::Left),
        ("state", Align::Left),
        ("heard", Align::Right),
        ("zone", Align::Left),
        ("tier", Align::Left),
        ("segments", Align::Right),
        ("used", Align::Right),
        ("full", Align::Right),
        ("to do", Align::Left),
        ("http", Align::Left),
        ("version", Align::Left),
    ]);
    for node in nodes {
        let of_node = held.iter().find(|one| one.node() == node.node && one.capacity_bytes > 0);
        let of_node = of_node.or_else(|| held.iter().find(|one| one.node() == node.node));
        let number = |read: fn(&DataNode) -> String| of_node.map(read).unwrap_or_default();
        table.row([
            node.node.clone(),
            node.roles.join(", "),
            node.state.to_string(),
            node.last_heard_ms.map(ago).unwrap_or_default(),
            node.zone.clone(),
            node.tier.clone(),
            number(|node| grouped(node.segments)),
            number(|node| size(node.used_bytes)),
            number(|node| percent(node.used_bytes, node.capacity_bytes)),
            of_node.map(to_do).unwrap_or_default(),
            node.http.clone(),
            node.version.clone(),
        ]);
    }
    table
}

/// What a node is about to do.
fn to_do(node: &DataNode) -> String {
    let mut parts = Vec::new();
    if node.draining {
        parts.push("draining".to_owned());
    }
    if node.queued.load > 0 {
        parts.push(format!("load {}", grouped(node.queued.load)));
    }
    if node.queued.drop > 0 {
        parts.push(format!("drop {}", grouped(node.queued.drop)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn golden_table_of_nodes() {
        let server = FakeServer::start();
        server.on(
            "GET /henge/v1/nodes",
            json!([
                {"node": "b1", "roles": ["broker"], "http": "h:8888", "grpc": "h:8889", "zone": "a",
                 "tier": "", "state": "alive", "version": "1.0.0", "incarnation": 7, "lastHeardMs": 0},
                {"node": "h1", "roles": ["historical"], "http": "h:8898", "grpc": "h:8899", "zone": "b",
                 "tier": "hot", "state": "gone", "version": "1.0.0", "incarnation": 7, "lastHeardMs": 61_000},
            ]),
        );
        server.on(
            "GET /henge/v1/coordinator/nodes",
            json!([{"server": "historical-h1", "tier": "hot", "zone": "b", "capacityBytes": 2_097_152,
                    "usedBytes": 1_048_576, "segments": 1_200, "load": 1.5, "draining": true, "alive": true,
                    "queued": {"load": 3, "drop": 0}}]),
        );
        let report = report(&Cluster::of(server.client())).unwrap();
        assert!(report.is_alarming);
        let expected = "\
┌──────┬────────────┬───────┬───────┬──────┬──────┬──────────┬─────────┬──────┬──────────────────┬────────┬─────────┐
│ node ┆ roles      ┆ state ┆ heard ┆ zone ┆ tier ┆ segments ┆    used ┆ full ┆ to do            ┆ http   ┆ version │
╞══════╪════════════╪═══════╪═══════╪══════╪══════╪══════════╪═════════╪══════╪══════════════════╪════════╪═════════╡
│ b1   ┆ broker     ┆ alive ┆   now ┆ a    ┆      ┆          ┆         ┆      ┆                  ┆ h:8888 ┆ 1.0.0   │
│ h1   ┆ historical ┆ gone  ┆  61 s ┆ b    ┆ hot  ┆    1,200 ┆ 1.0 MiB ┆ 50 % ┆ draining, load 3 ┆ h:8898 ┆ 1.0.0   │
└──────┴────────────┴───────┴───────┴──────┴──────┴──────────┴─────────┴──────┴──────────────────┴────────┴─────────┘";
        assert_eq!(report.text, expected);
        assert_eq!(report.json["nodes"][1]["holds"][0]["segments"], 1_200);
    }

    #[test]
    fn who_lives_is_said_while_nobody_leads() {
        let server = FakeServer::start();
        let node = json!({"node": "b1", "roles": ["broker"], "state": "alive"});
        server.on("GET /henge/v1/nodes", json!([node]));
        let nobody = json!({"errorMessage": "no coordinator leads"});
        server.on_status("GET /henge/v1/coordinator/nodes", 503, nobody);
        let report = report(&Cluster::of(server.client())).unwrap();
        assert!(report.text.ends_with("what the nodes hold is not known: no coordinator leads"));
        assert!(!report.is_alarming);
    }
}
