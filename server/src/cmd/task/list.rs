//! `henge task list`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::cmd::http::path_segment;
use crate::cmd::output::{Align, Report, TextTable, duration, grouped};
use crate::cmd::server_at::{Cluster, ServerAt};

/// Options of `henge task list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge task list
  henge task list --state running
  henge task list --datasource visits --limit 5 --json

Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub(crate) struct ListArgs {
    /// Only tasks of this datasource.
    #[arg(long, value_name = "NAME")]
    datasource: Option<String>,
    /// Only tasks that are so.
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<State>,
    /// So many at most.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    at: ServerAt,
}

/// How far tasks are.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    /// They work.
    Running,
    /// They wait for others to end.
    Pending,
    /// They ended, well or not.
    Complete,
}

/// Runs the command.
pub(super) fn run(args: &ListArgs) -> Result<ExitCode> {
    report(&args.at.cluster()?, &path(args))?.show(args.at.json)
}

fn path(args: &ListArgs) -> String {
    let mut path = format!("/druid/indexer/v1/tasks?max={}", args.limit);
    if let Some(datasource) = &args.datasource {
        path += &format!("&datasource={}", path_segment(datasource));
    }
    path += match args.state {
        Some(State::Running) => "&state=running",
        Some(State::Pending) => "&state=pending",
        Some(State::Complete) => "&state=complete",
        None => "",
    };
    path
}

fn report(cluster: &Cluster, path: &str) -> Result<Report> {
    let tasks: Vec<Value> = cluster.get(path)?;
    let mut table = TextTable::new(&[
        ("created", Align::Left),
        ("state", Align::Left),
        ("datasource", Align::Left),
        ("events", Align::Right),
        ("refused", Align::Right),
        ("took", Align::Right),
        ("task", Align::Left),
    ]);
    for task in &tasks {
        let text = |name: &str| task[name].as_str().unwrap_or_default().to_owned();
        let count = |name: &str| grouped(task["progress"][name].as_u64().unwrap_or(0));
        let took = task["duration"].as_u64().map(|ms| duration(Duration::from_millis(ms)));
        table.row([
            text("createdTime"),
            state(task),
            text("dataSource"),
            count("accepted"),
            count("rejected"),
            took.unwrap_or_default(),
            text("id"),
        ]);
    }
    Ok(Report::new(table.or("there are no such tasks"), Value::Array(tasks)))
}

/// How far a task is, for people.
pub(super) fn state(task: &Value) -> String {
    match (task["statusCode"].as_str(), task["runnerStatusCode"].as_str()) {
        (Some("SUCCESS"), _) => "done",
        (Some("FAILED"), _) => "failed",
        (_, Some("PENDING")) => "waits",
        _ => "runs",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn golden_table_of_tasks() {
        let server = FakeServer::start();
        let path = "/druid/indexer/v1/tasks?max=20";
        server.on(
            &format!("GET {path}"),
            json!([
                { "id": "b", "createdTime": "2026-01-02T00:00:00.000Z", "statusCode": "RUNNING",
                  "runnerStatusCode": "PENDING", "duration": -1, "dataSource": "visits" },
                { "id": "a", "createdTime": "2026-01-01T00:00:00.000Z", "statusCode": "SUCCESS",
                  "runnerStatusCode": "NONE", "duration": 1_500, "dataSource": "visits",
                  "progress": { "accepted": 1_234, "rejected": 5 } },
            ]),
        );
        let report = report(&Cluster::of(server.client()), path).unwrap();
        let expected = "\
┌──────────────────────────┬───────┬────────────┬────────┬─────────┬───────┬──────┐
│ created                  ┆ state ┆ datasource ┆ events ┆ refused ┆  took ┆ task │
╞══════════════════════════╪═══════╪════════════╪════════╪═════════╪═══════╪══════╡
│ 2026-01-02T00:00:00.000Z ┆ waits ┆ visits     ┆      0 ┆       0 ┆       ┆ b    │
│ 2026-01-01T00:00:00.000Z ┆ done  ┆ visits     ┆  1,234 ┆       5 ┆ 1.5 s ┆ a    │
└──────────────────────────┴───────┴────────────┴────────┴─────────┴───────┴──────┘";
        assert_eq!(report.text, expected);
    }
}
