//! `henge cluster explain`: the last moves of the balancer, and why.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use henge_types::format_timestamp;
use serde_json::{Value, json};

use crate::cmd::output::{Align, Report, TextTable};
use crate::cmd::server_at::{Cluster, ServerAt};
use crate::cmd::shapes::{Moved, Moves};

/// Options of `henge cluster explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge cluster explain
  henge cluster explain --limit 1000 --json      with every term of the cost, before and after

A reason is drain (the node is to be empty), rules (they ask for more copies), or the term of the cost that a move
gained most by: near (segments near in time on one node), sameDatasource, together (read by the same queries), bytes,
load, zone. The gain is what the move takes off the cost of the copy, in percent. The outcome is ordered, loaded (and
still where it was), moved, or failed.

Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub(crate) struct ExplainArgs {
    /// Moves to show, the newest first.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: u64,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &ExplainArgs) -> Result<ExitCode> {
    report(&args.at.cluster()?, args.limit)?.show(args.at.json)
}

fn report(cluster: &Cluster, limit: u64) -> Result<Report> {
    let path = format!("/henge/v1/coordinator/balancer/explain?limit={limit}");
    let moves: Moves = cluster.get(&path)?;
    let mut table = TextTable::new(&[
        ("when", Align::Left),
        ("segment", Align::Left),
        ("from", Align::Left),
        ("to", Align::Left),
        ("reason", Align::Left),
        ("gain", Align::Right),
        ("outcome", Align::Left),
    ]);
    for moved in &moves.moves {
        table.row([
            format_timestamp(moved.time_ms),
            moved.segment.clone(),
            moved.from.clone(),
            moved.to.clone(),
            moved.main_reason.clone(),
            gain(moved),
            outcome(moved),
        ]);
    }
    let now = match moves.settled {
        true => "balanced: nothing is left to move",
        false => "not balanced yet, or not looked at since something changed",
    };
    let text = format!("{}\n{now}", table.or("this leader has moved nothing"));
    Ok(Report::new(text, json!(moves)))
}

/// Of what the copy cost where it was; nothing for what the cost had no say in.
fn gain(moved: &Moved) -> String {
    let terms = moved.before.as_object().into_iter().flat_map(|terms| terms.values());
    let before: f64 = terms.filter_map(Value::as_f64).sum();
    if before > 0.0 { format!("{:.0} %", 100.0 * moved.gain / before) } else { String::new() }
}

fn outcome(moved: &Moved) -> String {
    match &moved.error {
        Some(error) => format!("{}: {error}", moved.outcome),
        None => moved.outcome.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn golden_table_of_moves() {
        let server = FakeServer::start();
        let moved = json!({"segment": "visits_2026", "from": "historical-h1", "to": "historical-h2",
            "mainReason": "bytes", "gain": 0.25, "before": {"bytes": 1.0}, "after": {"bytes": 0.75},
            "timeMs": 0, "outcome": "moved"});
        let path = "GET /henge/v1/coordinator/balancer/explain?limit=20";
        server.on(path, json!({"moves": [moved], "settled": true}));
        let cluster = Cluster::of(server.client());
        let shown = report(&cluster, 20).unwrap();
        let expected = "\
┌──────────────────────────┬─────────────┬───────────────┬───────────────┬────────┬──────┬─────────┐
│ when                     ┆ segment     ┆ from          ┆ to            ┆ reason ┆ gain ┆ outcome │
╞══════════════════════════╪═════════════╪═══════════════╪═══════════════╪════════╪══════╪═════════╡
│ 1970-01-01T00:00:00.000Z ┆ visits_2026 ┆ historical-h1 ┆ historical-h2 ┆ bytes  ┆ 25 % ┆ moved   │
└──────────────────────────┴─────────────┴───────────────┴───────────────┴────────┴──────┴─────────┘
balanced: nothing is left to move";
        assert_eq!(shown.text, expected);
        assert_eq!(shown.json["moves"][0]["after"]["bytes"], 0.75);
        server.on(path, json!({"moves": [], "settled": false}));
        assert!(report(&cluster, 20).unwrap().text.starts_with("this leader has moved nothing\n"));
    }
}
