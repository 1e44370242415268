//! `henge cluster status`: on one page what an operator asks first.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use henge_server::{NodeRow, NodeState};
use serde::Deserialize;
use serde_json::json;

use crate::cmd::output::{Align, Report, TextTable, counted, grouped, percent, size};
use crate::cmd::server_at::{Cluster, ServerAt};
use crate::cmd::shapes::{DataNode, ProgramVersion, Tier};

/// Options of `henge cluster status`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge cluster status
  henge cluster status --url http://b1.example:8888 --token \"$TOKEN\"
  henge cluster status --json | jq .troubles

Exit codes: 0 all is well, 1 failed, 2 wrong usage, 3 something is wrong, and the text says what.")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    at: ServerAt,
}

/// What does not happen without a role.
const ROLES: [(&str, &str); 4] = [
    ("broker", "nobody answers queries"),
    ("realtime", "events and tasks are not taken"),
    ("historical", "nothing that was published is served"),
    ("coordinator", "nothing is loaded, moved or dropped"),
];

/// Runs the command.
pub(super) fn run(args: &StatusArgs) -> Result<ExitCode> {
    report(&args.at.cluster()?)?.show(args.at.json)
}

/// What `/status` and `/status/ready` say, as far as it is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Process {
    node: String,
    #[serde(flatten)]
    program: ProgramVersion,
    cluster: String,
    waits_for: Vec<String>,
}

/// What could be asked.
struct Seen {
    process: Process,
    nodes: Vec<NodeRow>,
    leader: Result<String>,
    tiers: Result<Vec<Tier>>,
    /// Copies that rules ask for and nobody has, by tier and datasource.
    missing: Result<BTreeMap<String, BTreeMap<String, u64>>>,
    /// Nodes that hold segments.
    holders: Vec<DataNode>,
    unavailable: u64,
}

fn report(cluster: &Cluster) -> Result<Report> {
    cluster.must_reach_leader()?;
    let ready = cluster.client().get("/status/ready").unwrap_or_default();
    let seen = Seen {
        process: cluster.get("/status")?,
        nodes: cluster.get("/henge/v1/nodes")?,
        leader: cluster.get_text("/druid/coordinator/v1/leader"),
        tiers: cluster.get("/henge/v1/coordinator/tiers"),
        missing: cluster.get("/druid/coordinator/v1/loadstatus?full"),
        // Without a leader that is said already.
        holders: cluster.get("/henge/v1/coordinator/nodes").unwrap_or_default(),
        unavailable: ready["unavailableSegments"].as_u64().unwrap_or(0),
    };
    let troubles = troubles(&seen);
    let json = json!({
        "cluster": seen.process.cluster,
        "leader": seen.leader.as_ref().ok(),
        "asked": { "node": seen.process.node, "version": seen.process.program.text() },
        "nodes": seen.nodes,
        "tiers": seen.tiers.as_ref().ok(),
        "copiesMissing": seen.missing.as_ref().ok(),
        "unavailableSegments": seen.unavailable,
        "troubles": troubles,
    });
    let is_alarming = !troubles.is_empty();
    Ok(Report { is_alarming, ..Report::new(text(&seen, &troubles), json) })
}

/// What is wrong, a sentence each.
fn troubles(seen: &Seen) -> Vec<String> {
    let mut troubles = Vec::new();
    if let Err(error) = &seen.leader {
        troubles.push(format!("nobody leads: {error:#}"));
    }
    for node in seen.nodes.iter().filter(|node| node.state != NodeState::Alive) {
        troubles.push(match node.state {
            NodeState::Gone => format!("'{}' is gone", node.node),
            _ => format!("'{}' was heard of and has not said yet what it is", node.node),
        });
    }
    let lives = |role: &str| {
        let alive = seen.nodes.iter().filter(|node| node.state == NodeState::Alive);
        alive.flat_map(|node| &node.roles).any(|has| *has == role)
    };
    for (role, follows) in ROLES {
        if !lives(role) {
            troubles.push(format!("no {role} lives: {follows}"));
        }
    }
    let waits = seen.process.waits_for.iter();
    troubles.extend(waits.map(|what| format!("'{}' waits: {what}", seen.process.node)));
    if seen.unavailable > 0 {
        let count = counted(seen.unavailable, "segment");
        troubles.push(format!("{count} served by nobody: queries over them fail"));
    }
    let drained = seen.holders.iter().filter(|node| node.draining && node.segments > 0);
    troubles.extend(drained.map(|node| {
        let left = counted(node.segments, "segment");
        format!("'{}' is being emptied: it still holds {left}", node.node())
    }));
    match &seen.missing {
        Ok(missing) => troubles.extend(missing.iter().filter_map(|(tier, by_datasource)| {
            missing_copies(tier, by_datasource, seen.tiers.as_ref().ok()?)
        })),
        Err(error) if seen.leader.is_ok() => {
            troubles.push(format!("which copies are missing is not known: {error:#}"));
        }
        Err(_) => {}
    }
    troubles
}

/// `tier 'hot': 8 copies missing ('visits' 8); it has 1 node`.
fn missing_copies(
    tier: &str,
    by_datasource: &BTreeMap<String, u64>,
    tiers: &[Tier],
) -> Option<String> {
    let missing: Vec<_> = by_datasource.iter().filter(|(_, count)| **count > 0).collect();
    let names: Vec<String> =
        missing.iter().map(|(name, count)| format!("'{name}' {count}")).collect();
    let nodes = tiers.iter().find(|known| known.tier == tier).map_or(0, |known| known.nodes);
    let has = match nodes {
        0 => "no node is of it (historical.tier)".to_owned(),
        count => format!("it has {}", counted(count, "node")),
    };
    let count: u64 = missing.iter().map(|(_, count)| **count).sum();
    let copies =
        if count == 1 { "1 copy".to_owned() } else { format!("{} copies", grouped(count)) };
    (count > 0).then(|| format!("tier '{tier}': {copies} missing ({}); {has}", names.join(", ")))
}

fn text(seen: &Seen, troubles: &[String]) -> String {
    let mut lines = Vec::new();
    if !seen.process.cluster.is_empty() {
        lines.push(format!("cluster {}", seen.process.cluster));
    }
    if let Ok(leader) = &seen.leader {
        lines.push(format!("leader  {leader}"));
    }
    lines.push(format!("nodes   {}", nodes_line(&seen.nodes)));
    if let Ok(tiers) = &seen.tiers {
        lines.push(tier_table(tiers).or("no node holds segments"));
    }
    match troubles {
        [] => lines.push("all is well".to_owned()),
        troubles => lines.extend(troubles.iter().map(|trouble| format!("! {trouble}"))),
    }
    lines.join("\n")
}

/// `3 alive, 1 gone: 1 broker, 1 coordinator, 2 historical`.
fn nodes_line(nodes: &[NodeRow]) -> String {
    let mut states: BTreeMap<String, u64> = BTreeMap::new();
    let mut roles: BTreeMap<&str, u64> = BTreeMap::new();
    for node in nodes {
        *states.entry(node.state.to_string()).or_default() += 1;
        if node.state == NodeState::Alive {
            node.roles.iter().for_each(|role| *roles.entry(role).or_default() += 1);
        }
    }
    let states: Vec<String> = states.iter().map(|(state, n)| format!("{n} {state}")).collect();
    let roles: Vec<String> = roles.iter().map(|(role, n)| format!("{n} {role}")).collect();
    format!("{}: {}", states.join(", "), roles.join(", "))
}

fn tier_table(tiers: &[Tier]) -> TextTable {
    let mut table = TextTable::new(&[
        ("tier", Align::Left),
        ("nodes", Align::Right),
        ("copies", Align::Right),
        ("used", Align::Right),
        ("capacity", Align::Right),
        ("full", Align::Right),
    ]);
    for tier in tiers {
        table.row([
            tier.tier.clone(),
            grouped(tier.nodes),
            grouped(tier.segments),
            size(tier.used_bytes),
            size(tier.capacity_bytes),
            percent(tier.used_bytes, tier.capacity_bytes),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    fn healthy() -> FakeServer {
        let server = FakeServer::start();
        server.on("GET /status", json!({"version": "1.0.0", "node": "b1", "cluster": "c-1"}));
        server.on("GET /status/ready", json!({"ready": true, "unavailableSegments": 0}));
        let node =
            |name: &str, role: &str| json!({"node": name, "roles": [role], "state": "alive"});
        let nodes = json!([
            node("b1", "broker"),
            node("c1", "coordinator"),
            node("h1", "historical"),
            node("r1", "realtime")
        ]);
        server.on("GET /henge/v1/nodes", nodes);
        server.on("GET /druid/coordinator/v1/leader", json!("http://c1:8888"));
        let tier = json!([{"tier": "hot", "nodes": 1, "capacityBytes": 2_097_152, "usedBytes": 1_048_576,
                           "segments": 12, "aliases": []}]);
        server.on("GET /henge/v1/coordinator/tiers", tier);
        server.on("GET /druid/coordinator/v1/loadstatus?full", json!({"hot": {"visits": 0}}));
        server
    }

    #[test]
    fn golden_text_of_a_cluster_that_is_well() {
        let report = report(&Cluster::of(healthy().client())).unwrap();
        let expected = "\
cluster c-1
leader  http://c1:8888
nodes   4 alive: 1 broker, 1 coordinator, 1 historical, 1 realtime
┌──────┬───────┬────────┬─────────┬──────────┬──────┐
│ tier ┆ nodes ┆ copies ┆    used ┆ capacity ┆ full │
╞══════╪═══════╪════════╪═════════╪══════════╪══════╡
│ hot  ┆     1 ┆     12 ┆ 1.0 MiB ┆  2.0 MiB ┆ 50 % │
└──────┴───────┴────────┴─────────┴──────────┴──────┘
all is well";
        assert_eq!(report.text, expected);
        assert!(!report.is_alarming && report.json["troubles"] == json!([]));
    }

    #[test]
    fn everything_that_is_wrong_is_said() {
        let server = healthy();
        server.on("GET /status", json!({"node": "b1", "waitsFor": ["what 'h1' serves"]}));
        server.on_status("GET /status/ready", 200, json!({"unavailableSegments": 2}));
        let nodes = json!([{"node": "h1", "state": "gone"}, {"node": "h2", "state": "starting"}]);
        server.on("GET /henge/v1/nodes", nodes);
        let nobody = json!({"errorMessage": "one has to run"});
        server.on_status("GET /druid/coordinator/v1/leader", 503, nobody);
        let drained = json!([{"server": "historical-h3", "segments": 7, "draining": true}]);
        server.on("GET /henge/v1/coordinator/nodes", drained);
        let missing =
            json!({"hot": {"visits": 1, "clicks": 0}, "cold": {"visits": 3, "clicks": 2}});
        server.on("GET /druid/coordinator/v1/loadstatus?full", missing);
        let report = report(&Cluster::of(server.client())).unwrap();
        assert!(report.is_alarming);
        assert_eq!(
            report.json["troubles"],
            json!([
                "nobody leads: one has to run",
                "'h1' is gone",
                "'h2' was heard of and has not said yet what it is",
                "no broker lives: nobody answers queries",
                "no realtime lives: events and tasks are not taken",
                "no historical lives: nothing that was published is served",
                "no coordinator lives: nothing is loaded, moved or dropped",
                "'b1' waits: what 'h1' serves",
                "2 segments served by nobody: queries over them fail",
                "'h3' is being emptied: it still holds 7 segments",
                "tier 'cold': 5 copies missing ('clicks' 2, 'visits' 3); no node is of it (historical.tier)",
                "tier 'hot': 1 copy missing ('visits' 1); it has 1 node",
            ])
        );
    }
}
