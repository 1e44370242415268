//! `henge datasource restore`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use super::{changed_segments, checked, path_of};
use crate::cmd::output::{Report, counted};
use crate::cmd::said::Said;
use crate::cmd::server_at::{Cluster, ServerAt};

/// Options of `henge datasource restore`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge datasource restore visits
  henge datasource restore visits --interval 2020/2021

Segments that rules drop stay dropped, which is said: set other rules before (`henge rules set`).

Exit codes: 0 restored, 1 failed, 2 wrong usage, 3 there was nothing to restore, or rules drop some of it.")]
pub(crate) struct RestoreArgs {
    /// The datasource.
    #[arg(value_name = "DATASOURCE", value_parser = NonEmptyStringValueParser::new())]
    datasource: String,
    /// Only segments of this time.
    #[arg(long, value_name = "INTERVAL")]
    interval: Option<String>,
    #[command(flatten)]
    said: Said,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &RestoreArgs) -> Result<ExitCode> {
    let cluster = args.at.cluster()?;
    report(&cluster, &args.datasource, args.interval.as_deref(), &args.said)?.show(args.at.json)
}

fn report(cluster: &Cluster, name: &str, interval: Option<&str>, said: &Said) -> Result<Report> {
    let (path, said) = (path_of(name), said.headers());
    let answer: Value = match interval.map(checked).transpose()? {
        Some(interval) => {
            let body = json!({ "interval": interval });
            cluster.post_with(&format!("{path}/markUsed"), &body, &said)?
        }
        None => cluster.post_with(&path, &json!({}), &said)?,
    };
    let count = changed_segments(&answer);
    let dropped = answer["numDroppedByRules"].as_u64().unwrap_or(0);
    let mut text = match count {
        0 if dropped > 0 => format!("nothing of '{name}' is used again"),
        0 => format!("'{name}' has no segments there that were dropped and could be used again"),
        count => format!("used again: {} of '{name}'", counted(count, "segment")),
    };
    if dropped > 0 {
        text += &format!(
            "\nrules drop {}, which stay as they are: see `henge rules get {name}`, set others, and restore again",
            counted(dropped, "segment")
        );
    }
    let json = json!({ "segments": count, "droppedByRules": dropped });
    Ok(Report { is_alarming: count == 0 || dropped > 0, ..Report::new(text, json) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn what_was_dropped_is_used_again() {
        let server = FakeServer::start();
        let path = "POST /druid/coordinator/v1/datasources/visits";
        server.on(path, json!({"numChangedSegments": 1_000}));
        server.on(&format!("{path}/markUsed"), json!({"numChangedSegments": 0}));
        let cluster = Cluster::of(server.client());
        let said = Said::default();
        let all = report(&cluster, "visits", None, &said).unwrap();
        assert_eq!((all.text.as_str(), all.is_alarming), {
            ("used again: 1,000 segments of 'visits'", false)
        });
        assert!(report(&cluster, "visits", Some("2020/2021"), &said).unwrap().is_alarming);
        server.on(path, json!({"numChangedSegments": 9, "numDroppedByRules": 8}));
        let undone = report(&cluster, "visits", None, &said).unwrap();
        assert!(undone.is_alarming && undone.text.contains("rules drop 8 segments, which stay"));
        server.on(path, json!({"numChangedSegments": 0, "numDroppedByRules": 8}));
        let nothing = report(&cluster, "visits", None, &said).unwrap();
        assert!(nothing.is_alarming && nothing.text.starts_with("nothing of 'visits'"));
    }
}
