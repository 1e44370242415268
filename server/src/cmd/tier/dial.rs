//! `henge tier dial`: each historical node says what it has mapped, what of it is in memory, and how its queries
//! went; here it is summed by tier and datasource.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use henge_platform::membership::Role;
use henge_server::{NodeRow, NodeState};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::plot::plot;
use crate::cmd::output::{Align, Report, TextTable, grouped, percent, size};
use crate::cmd::server_at::{Cluster, ServerAt};

/// Options of `henge tier dial`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge tier dial
  henge tier dial --tier hot --no-plot
  watch -n 5 henge tier dial
  henge tier dial --json

Numbers count from the start of each node. p50 and p99 are of one datasource's part of queries on a node, and
of several nodes the slowest is shown. A tier whose p99 is too high and whose segments are in memory to a small
part wants more memory, another residency (historical.residency), or fewer segments by its rules.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a historical node could not be asked, and the others are shown.")]
pub(crate) struct DialArgs {
    /// Only this tier.
    #[arg(long, value_name = "TIER")]
    tier: Option<String>,
    /// The table alone.
    #[arg(long)]
    no_plot: bool,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &DialArgs) -> Result<ExitCode> {
    report(&args.at.cluster()?, args.tier.as_deref(), !args.no_plot)?.show(args.at.json)
}

/// What one node says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeDial {
    server: String,
    tier: String,
    datasources: Vec<Reading>,
}

/// What a node says of one datasource, or the sum over nodes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Reading {
    pub(super) datasource: String,
    segments: u64,
    pub(super) bytes_mapped: u64,
    pub(super) bytes_resident: u64,
    page_faults: u64,
    read_bytes: u64,
    cache_hits: u64,
    cache_misses: u64,
    p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
}

impl Reading {
    fn add(&mut self, other: &Self) {
        self.segments += other.segments;
        self.bytes_mapped += other.bytes_mapped;
        self.bytes_resident += other.bytes_resident;
        self.page_faults += other.page_faults;
        self.read_bytes += other.read_bytes;
        self.cache_hits += other.cache_hits;
        self.cache_misses += other.cache_misses;
        self.p50_ms = slowest(self.p50_ms, other.p50_ms);
        self.p99_ms = slowest(self.p99_ms, other.p99_ms);
    }
}

fn slowest(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

/// Readings by tier and datasource.
pub(super) type Readings = BTreeMap<(String, String), Reading>;

fn report(cluster: &Cluster, tier: Option<&str>, with_plot: bool) -> Result<Report> {
    let nodes: Vec<NodeRow> = cluster.get("/henge/v1/nodes")?;
    let is_asked = |node: &&NodeRow| {
        node.state == NodeState::Alive
            && node.roles.iter().any(|role| role == Role::Historical.name())
            && tier.is_none_or(|tier| node.tier == tier)
    };
    let (mut dials, mut troubles) = (Vec::new(), Vec::new());
    for node in nodes.iter().filter(is_asked) {
        let answer = cluster.client().at(&node.http).get("/henge/v1/dial");
        let dial = answer.map_err(anyhow::Error::from);
        match dial.and_then(|dial| Ok(serde_json::from_value::<NodeDial>(dial)?)) {
            Ok(dial) => dials.push(dial),
            Err(error) => troubles.push(format!("'{}' cannot be asked: {error:#}", node.node)),
        }
    }
    ensure!(!(dials.is_empty() && troubles.is_empty()), "no historical node lives in that tier");
    let readings = summed(&dials);
    let mut parts = vec![table(&readings).or("nothing is served")];
    if with_plot && !readings.is_empty() {
        parts.push(plot(&readings));
    }
    parts.extend(troubles.iter().map(|trouble| format!("! {trouble}")));
    let tiers: Vec<_> = readings
        .iter()
        .map(|((tier, _), reading)| {
            let mut row = json!(reading);
            row["tier"] = json!(tier);
            row
        })
        .collect();
    let json = json!({ "tiers": tiers, "nodes": dials, "troubles": troubles });
    Ok(Report { is_alarming: !troubles.is_empty(), ..Report::new(parts.join("\n"), json) })
}

fn summed(dials: &[NodeDial]) -> Readings {
    let mut readings = Readings::new();
    for dial in dials {
        for reading in &dial.datasources {
            let name = (dial.tier.clone(), reading.datasource.clone());
            let sum = readings.entry(name).or_insert_with(|| Reading {
                datasource: reading.datasource.clone(),
                ..Reading::default()
            });
            sum.add(reading);
        }
    }
    readings
}

fn table(readings: &Readings) -> TextTable {
    let mut table = TextTable::new(&[
        ("tier", Align::Left),
        ("datasource", Align::Left),
        ("segments", Align::Right),
        ("mapped", Align::Right),
        ("resident", Align::Right),
        ("", Align::Right),
        ("faults", Align::Right),
        ("read", Align::Right),
        ("cache hits", Align::Right),
        ("p50", Align::Right),
        ("p99", Align::Right),
    ]);
    for ((tier, name), reading) in readings {
        let hits = reading.cache_hits;
        table.row([
            tier.clone(),
            name.clone(),
            grouped(reading.segments),
            size(reading.bytes_mapped),
            size(reading.bytes_resident),
            percent(reading.bytes_resident, reading.bytes_mapped),
            grouped(reading.page_faults),
            size(reading.read_bytes),
            percent(hits, hits + reading.cache_misses),
            reading.p50_ms.map(millis).unwrap_or_default(),
            reading.p99_ms.map(millis).unwrap_or_default(),
        ]);
    }
    table
}

/// `0.4 ms`, `12 ms`
pub(super) fn millis(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    fn reading(name: &str, resident: u64, p99_ms: f64) -> serde_json::Value {
        json!({"datasource": name, "segments": 10, "bytesMapped": 1_048_576, "bytesResident": resident,
               "pageFaults": 1_500, "readBytes": 4_096, "cacheHits": 3, "cacheMisses": 1,
               "p50Ms": 1.0, "p99Ms": p99_ms})
    }

    fn cluster_of(servers: &[(&str, &FakeServer)]) -> FakeServer {
        let broker = FakeServer::start();
        let nodes: Vec<_> = servers
            .iter()
            .map(|(name, server)| {
                json!({"node": name, "roles": ["historical"], "state": "alive", "tier": "hot",
                       "http": server.address})
            })
            .collect();
        broker.on("GET /henge/v1/nodes", json!(nodes));
        broker
    }

    #[test]
    fn golden_dial_of_two_nodes() {
        let (one, two) = (FakeServer::start(), FakeServer::start());
        let dial = |name: &str, readings: serde_json::Value| json!({"server": name, "tier": "hot", "datasources": readings, "total": {}});
        let of_one = json!([reading("visits", 1_048_576, 10.0), reading("clicks", 104_858, 100.0)]);
        one.on("GET /henge/v1/dial", dial("historical-h1", of_one));
        let of_two = json!([reading("visits", 524_288, 20.0)]);
        two.on("GET /henge/v1/dial", dial("historical-h2", of_two));
        let broker = cluster_of(&[("h1", &one), ("h2", &two)]);
        let report = report(&Cluster::of(broker.client()), None, true).unwrap();
        let expected = "\
┌──────┬────────────┬──────────┬─────────┬───────────┬──────┬────────┬─────────┬────────────┬────────┬────────┐
│ tier ┆ datasource ┆ segments ┆  mapped ┆  resident ┆      ┆ faults ┆    read ┆ cache hits ┆    p50 ┆    p99 │
╞══════╪════════════╪══════════╪═════════╪═══════════╪══════╪════════╪═════════╪════════════╪════════╪════════╡
│ hot  ┆ clicks     ┆       10 ┆ 1.0 MiB ┆ 102.4 KiB ┆ 10 % ┆  1,500 ┆ 4.0 KiB ┆       75 % ┆ 1.0 ms ┆ 100 ms │
│ hot  ┆ visits     ┆       20 ┆ 2.0 MiB ┆   1.5 MiB ┆ 75 % ┆  3,000 ┆ 8.0 KiB ┆       75 % ┆ 1.0 ms ┆  20 ms │
└──────┴────────────┴──────────┴─────────┴───────────┴──────┴────────┴─────────┴────────────┴────────┴────────┘
             in memory                         p99, each step ten times as long
hot  clicks  ███░░░░░░░░░░░░░░░░░░░░░░   10 %  ███████████████          100 ms
hot  visits  ███████████████████░░░░░░   75 %  ████████████              20 ms";
        assert_eq!(report.text, expected);
        assert!(!report.is_alarming);
        assert_eq!(report.json["tiers"][1]["bytesResident"], 1_572_864);
    }

    #[test]
    fn a_node_that_cannot_be_asked_is_named() {
        let (one, two) = (FakeServer::start(), FakeServer::start());
        one.on("GET /henge/v1/dial", json!({"server": "historical-h1", "tier": "hot"}));
        let broker = cluster_of(&[("h1", &one), ("h2", &two)]);
        let cluster = Cluster::of(broker.client());
        let shown = report(&cluster, Some("hot"), true).unwrap();
        assert!(shown.is_alarming && shown.text.contains("'h2' cannot be asked"), "{}", shown.text);
        let error = report(&cluster, Some("cold"), true).unwrap_err().to_string();
        assert!(error.contains("no historical node"), "{error}");
    }
}
