//! `henge rules history`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde::Deserialize;
use serde_json::Value;

use crate::cmd::http::path_segment;
use crate::cmd::output::{Align, Report, TextTable};
use crate::cmd::server_at::{Cluster, ServerAt};

/// Options of `henge rules history`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge rules history visits
  henge rules history --interval 2026-11-01/2026-12-01
  henge rules history visits --json               with the rules that were set

Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub(crate) struct HistoryArgs {
    /// The datasource, or `_default`; all of them when none is given.
    #[arg(value_name = "DATASOURCE", value_parser = NonEmptyStringValueParser::new())]
    datasource: Option<String>,
    /// Changes to show, the newest first.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: u64,
    /// Changes that were made then, in place of the last ones.
    #[arg(long, value_name = "INTERVAL", conflicts_with = "limit")]
    interval: Option<String>,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &HistoryArgs) -> Result<ExitCode> {
    report(&args.at.cluster()?, args)?.show(args.at.json)
}

/// A change, as Druid says it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Change {
    key: String,
    audit_info: AuditInfo,
    audit_time: String,
    payload: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AuditInfo {
    author: String,
    comment: String,
}

fn report(cluster: &Cluster, args: &HistoryArgs) -> Result<Report> {
    let which = match &args.interval {
        Some(interval) => format!("interval={}", path_segment(interval)),
        None => format!("count={}", args.limit),
    };
    let path = match &args.datasource {
        Some(name) => {
            format!("/druid/coordinator/v1/rules/{}/history?{which}", path_segment(name))
        }
        None => format!("/druid/coordinator/v1/rules/history?{which}"),
    };
    let all: Value = cluster.get(&path)?;
    let changes: Vec<Change> = serde_json::from_value(all.clone())?;
    let mut table = TextTable::new(&[
        ("when", Align::Left),
        ("of", Align::Left),
        ("rules", Align::Right),
        ("who", Align::Left),
        ("why", Align::Left),
    ]);
    for change in changes {
        table.row([
            change.audit_time,
            change.key,
            rules_in(&change.payload).to_string(),
            change.audit_info.author,
            change.audit_info.comment,
        ]);
    }
    Ok(Report::new(table.or("nobody has changed rules"), all))
}

/// The payload is the list, or, as in Druid, its text.
fn rules_in(payload: &Value) -> usize {
    match payload {
        Value::String(text) => {
            serde_json::from_str::<Vec<Value>>(text).map(|rules| rules.len()).unwrap_or(0)
        }
        payload => payload.as_array().map_or(0, Vec::len),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: HistoryArgs,
    }

    #[test]
    fn golden_table_of_changes() {
        let server = FakeServer::start();
        let change = json!({"key": "visits", "type": "rules", "auditTime": "2026-11-30T12:00:00.000Z",
            "auditInfo": {"author": "ann", "comment": "a week on hot nodes", "ip": ""},
            "payload": "[{\"type\":\"loadForever\"}]"});
        let path = "GET /druid/coordinator/v1/rules/visits/history?count=20";
        server.on(path, json!([change]));
        server.on("GET /druid/coordinator/v1/rules/history?interval=2026%2F2027", json!([]));
        let cluster = Cluster::of(server.client());
        let of = |line: &[&str]| {
            report(&cluster, &Line::parse_from(["history"].iter().chain(line)).args).unwrap().text
        };
        let expected = "\
┌──────────────────────────┬────────┬───────┬─────┬─────────────────────┐
│ when                     ┆ of     ┆ rules ┆ who ┆ why                 │
╞══════════════════════════╪════════╪═══════╪═════╪═════════════════════╡
│ 2026-11-30T12:00:00.000Z ┆ visits ┆     1 ┆ ann ┆ a week on hot nodes │
└──────────────────────────┴────────┴───────┴─────┴─────────────────────┘";
        assert_eq!(of(&["visits"]), expected);
        assert_eq!(of(&["--interval", "2026/2027"]), "nobody has changed rules");
    }
}
