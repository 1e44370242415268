//! `henge task stop`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::list::state;
use super::path_of;
use crate::cmd::output::Report;
use crate::cmd::server_at::{Cluster, ServerAt};

/// Options of `henge task stop`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge task stop index_parallel_visits_1a2b3c4d_2026-11-30T12:00:00.000Z
  henge task list --state running --json | jq -r '.[].id' | xargs henge task stop

A task stores all of its rows at its end, or none: one that is stopped has stored nothing.

Exit codes: 0 stopped, 1 failed (also in the moment in which it publishes), 2 wrong usage, 3 one had ended before.")]
pub(crate) struct StopArgs {
    /// The tasks.
    #[arg(value_name = "TASK", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &StopArgs) -> Result<ExitCode> {
    report(&args.at.cluster()?, &args.ids)?.show(args.at.json)
}

fn report(cluster: &Cluster, ids: &[String]) -> Result<Report> {
    let (mut lines, mut stopped, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for id in ids {
        let before: Value = cluster.get(&format!("{}/status", path_of(id)))?;
        let status = &before["status"];
        if status["statusCode"] != "RUNNING" {
            lines.push(format!("{id} had ended before: {}", state(status)));
            ended.push(id);
            continue;
        }
        let _: Value = cluster.post(&format!("{}/shutdown", path_of(id)), &json!({}))?;
        lines.push(format!("{id} is stopped, and nothing of it is stored"));
        stopped.push(id);
    }
    let json = json!({ "stopped": stopped, "endedBefore": ended });
    Ok(Report { is_alarming: !ended.is_empty(), ..Report::new(lines.join("\n"), json) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn tasks_that_run_are_stopped_and_others_are_said() {
        let server = FakeServer::start();
        let status = |code: &str| json!({ "status": { "statusCode": code } });
        server.on("GET /druid/indexer/v1/task/a/status", status("RUNNING"));
        server.on("POST /druid/indexer/v1/task/a/shutdown", json!({ "task": "a" }));
        server.on("GET /druid/indexer/v1/task/b/status", status("SUCCESS"));
        let cluster = Cluster::of(server.client());
        let done = report(&cluster, &["a".to_owned()]).unwrap();
        assert_eq!((done.text.as_str(), done.is_alarming), {
            ("a is stopped, and nothing of it is stored", false)
        });
        let both = report(&cluster, &["a".to_owned(), "b".to_owned()]).unwrap();
        assert!(
            both.is_alarming && both.text.ends_with("b had ended before: done"),
            "{}",
            both.text
        );
        assert!(report(&cluster, &["c".to_owned()]).is_err());
    }
}
