//! `henge tier list`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::cmd::output::{Align, Report, TextTable, grouped, percent, size};
use crate::cmd::server_at::{Cluster, ServerAt};
use crate::cmd::shapes::Tier;

/// Options of `henge tier list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge tier list
  henge tier list --json

Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &ListArgs) -> Result<ExitCode> {
    report(&args.at.cluster()?)?.show(args.at.json)
}

fn report(cluster: &Cluster) -> Result<Report> {
    // Shown as it came: a program may read more of it than people are shown.
    let all: serde_json::Value = cluster.get("/henge/v1/coordinator/tiers")?;
    let tiers: Vec<Tier> = serde_json::from_value(all.clone())?;
    let mut table = TextTable::new(&[
        ("tier", Align::Left),
        ("also called", Align::Left),
        ("nodes", Align::Right),
        ("copies", Align::Right),
        ("used", Align::Right),
        ("capacity", Align::Right),
        ("full", Align::Right),
    ]);
    for tier in &tiers {
        table.row([
            tier.tier.clone(),
            tier.aliases.join(", "),
            grouped(tier.nodes),
            grouped(tier.segments),
            size(tier.used_bytes),
            size(tier.capacity_bytes),
            percent(tier.used_bytes, tier.capacity_bytes),
        ]);
    }
    Ok(Report::new(table.or("no node holds segments"), json!(all)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn golden_table_of_tiers() {
        let server = FakeServer::start();
        let tier = json!({"tier": "hot", "nodes": 2, "capacityBytes": 4_096, "usedBytes": 1_024,
            "segments": 1_234, "aliases": ["fast", "new"], "replicationFactor": 2});
        server.on("GET /henge/v1/coordinator/tiers", json!([tier]));
        let report = report(&Cluster::of(server.client())).unwrap();
        let expected = "\
┌──────┬─────────────┬───────┬────────┬─────────┬──────────┬──────┐
│ tier ┆ also called ┆ nodes ┆ copies ┆    used ┆ capacity ┆ full │
╞══════╪═════════════╪═══════╪════════╪═════════╪══════════╪══════╡
│ hot  ┆ fast, new   ┆     2 ┆  1,234 ┆ 1.0 KiB ┆  4.0 KiB ┆ 25 % │
└──────┴─────────────┴───────┴────────┴─────────┴──────────┴──────┘";
        assert_eq!(report.text, expected);
        assert_eq!(report.json[0]["replicationFactor"], 2);
    }
}
