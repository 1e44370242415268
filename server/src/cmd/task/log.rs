//! `henge task log`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use henge_platform::metadata::TaskReport;
use serde::Deserialize;
use serde_json::Value;

use super::list::state;
use super::path_of;
use crate::cmd::ingest::report_lines;
use crate::cmd::output::{Report, counted, duration};
use crate::cmd::server_at::{Cluster, ServerAt};

/// Options of `henge task log`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge task log index_parallel_visits_1a2b3c4d_2026-11-30T12:00:00.000Z
  henge task log TASK --json

Exit codes: 0 it goes well or went well, 1 failed to ask, 2 wrong usage, 3 the task failed.")]
pub(crate) struct LogArgs {
    /// The task.
    #[arg(value_name = "TASK")]
    id: String,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &LogArgs) -> Result<ExitCode> {
    report(&args.at.cluster()?, &args.id)?.show(args.at.json)
}

fn report(cluster: &Cluster, id: &str) -> Result<Report> {
    let answer: Value = cluster.get(&format!("{}/status", path_of(id)))?;
    let status = &answer["status"];
    let text = |name: &str| status[name].as_str().unwrap_or_default();
    let count = |name: &str| status["progress"][name].as_u64().unwrap_or(0);
    let took = status["duration"].as_u64().map(|ms| duration(Duration::from_millis(ms)));
    let mut lines = vec![
        format!("{} {}", text("type"), text("id")),
        format!(
            "{} into '{}', created {}{}",
            state(status),
            text("dataSource"),
            text("createdTime"),
            took.map(|took| format!(", took {took}")).unwrap_or_default()
        ),
        format!(
            "{} of {} bytes read: {} stored, {} refused, {} left out, {}",
            count("processedBytes"),
            count("totalBytes"),
            counted(count("accepted"), "event"),
            count("rejected"),
            count("filtered"),
            counted(count("segments"), "segment")
        ),
    ];
    let report = TaskReport::deserialize(&status["progress"]["report"]).unwrap_or_default();
    for input in &report.inputs {
        lines.push(format!("read {}, {} bytes", input.name, input.size_bytes));
    }
    lines.extend(report_lines(&report, cluster.client().base_url(), text("dataSource"), id));
    let error = status["errorMsg"].as_str();
    lines.extend(error.map(|error| format!("FAILED: {error}")));
    let is_alarming = status["statusCode"] == "FAILED";
    Ok(Report { is_alarming, ..Report::new(lines.join("\n"), status.clone()) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn what_became_of_a_task_is_told() {
        let server = FakeServer::start();
        server.on(
            "GET /druid/indexer/v1/task/a/status",
            json!({ "task": "a", "status": {
                "id": "a", "type": "index_parallel", "statusCode": "FAILED", "duration": 2_000,
                "createdTime": "2026-01-01T00:00:00.000Z", "dataSource": "visits",
                "errorMsg": "no such file", "progress": { "accepted": 3, "totalBytes": 10 },
            } }),
        );
        let told = report(&Cluster::of(server.client()), "a").unwrap();
        assert!(told.is_alarming);
        let expected = "index_parallel a\n\
            failed into 'visits', created 2026-01-01T00:00:00.000Z, took 2.0 s\n\
            0 of 10 bytes read: 3 events stored, 0 refused, 0 left out, 0 segments\n\
            FAILED: no such file";
        assert_eq!(told.text, expected);
    }
}
