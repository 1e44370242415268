//! `henge datasource drop`: says what goes, and does it when that is meant.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use super::{changed_segments, checked, path_of};
use crate::cmd::output::{Report, counted, size};
use crate::cmd::said::Said;
use crate::cmd::segments::{Listed, list};
use crate::cmd::server_at::{Cluster, ServerAt};

/// Segments that are counted before they are dropped, at most.
const COUNTED: usize = 100_000;

/// Options of `henge datasource drop`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge datasource drop visits                                   says what it would drop
  henge datasource drop visits --interval 2020/2021 --yes --comment 'older than the contract'
  henge datasource restore visits --interval 2020/2021

Segments that lie wholly in the interval are dropped; rules that load by time do not load them again. Their
objects stay in deep storage until they are deleted for good, and until then they can be restored.

Exit codes: 0 dropped, or nothing to drop, 1 failed, 2 wrong usage, 3 not dropped: --yes was not given.")]
pub(crate) struct DropArgs {
    /// The datasource.
    #[arg(value_name = "DATASOURCE", value_parser = NonEmptyStringValueParser::new())]
    datasource: String,
    /// Only segments of this time.
    #[arg(long, value_name = "INTERVAL")]
    interval: Option<String>,
    /// Drop them.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    said: Said,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &DropArgs) -> Result<ExitCode> {
    let cluster = args.at.cluster()?;
    let meant = args.yes.then_some(&args.said);
    report(&cluster, &args.datasource, args.interval.as_deref(), meant)?.show(args.at.json)
}

fn report(
    cluster: &Cluster,
    name: &str,
    interval: Option<&str>,
    meant: Option<&Said>,
) -> Result<Report> {
    let interval = interval.map(checked).transpose()?;
    if let Some(said) = meant {
        let (path, said) = (path_of(name), said.headers());
        let answer: Value = match &interval {
            Some(interval) => {
                let body = json!({ "interval": interval });
                cluster.post_with(&format!("{path}/markUnused"), &body, &said)?
            }
            None => cluster.delete_with(&path, &said)?,
        };
        let count = changed_segments(&answer);
        let text = format!("dropped: {} of '{name}'", counted(count, "segment"));
        return Ok(Report::new(text, json!({ "dropped": true, "segments": count })));
    }
    let Listed { segments, has_more } = list(cluster, name, interval.as_deref(), COUNTED)?;
    // Those that only reach into the interval stay.
    let within = segments.iter().filter(|segment| segment.lies_within(interval.as_deref()));
    let (count, bytes) = within.fold((0, 0), |(count, bytes), s| (count + 1, bytes + s.size));
    let json = json!({ "dropped": false, "segments": count, "bytes": bytes, "hasMore": has_more });
    if count == 0 {
        return Ok(Report::new(format!("'{name}' has no segments there to drop"), json));
    }
    let least = if has_more { "at least " } else { "" };
    let (count, bytes) = (counted(count, "segment"), size(bytes));
    let text = format!(
        "not dropped: it would be {least}{count} of {bytes} of '{name}'; give --yes if that is meant"
    );
    Ok(Report { is_alarming: true, ..Report::new(text, json) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn nothing_is_dropped_before_somebody_means_it() {
        let server = FakeServer::start();
        let path = "/druid/coordinator/v1/metadata/datasources/visits/segments?full&limit=100001";
        let segment = |interval: &str| json!({"interval": interval, "size": 1_024});
        let both = json!([segment("2020-01-01/2020-01-02"), segment("2020-12-31/2021-01-02")]);
        server.on(&format!("GET {path}"), both.clone());
        server.on(&format!("POST {path}"), both);
        let dropped = "/druid/coordinator/v1/datasources/visits";
        server.on(&format!("DELETE {dropped}"), json!({"numChangedSegments": 2}));
        let within = format!("POST {dropped}/markUnused");
        server.on(&within, json!({"numChangedSegments": 1}));
        let cluster = Cluster::of(server.client());

        let asked = report(&cluster, "visits", None, None).unwrap();
        assert!(asked.is_alarming);
        let expected = "not dropped: it would be 2 segments of 2.0 KiB of 'visits'; give --yes if that is meant";
        assert_eq!(asked.text, expected);
        let asked = report(&cluster, "visits", Some("2020/2021"), None).unwrap();
        assert!(asked.text.contains("it would be 1 segment of 1.0 KiB"), "{}", asked.text);
        assert!(server.bodies_of(&within).is_empty());

        let said = Said::default();
        let yes = Some(&said);
        let done = report(&cluster, "visits", Some("2020/2021"), yes).unwrap();
        assert_eq!(
            (done.text.as_str(), done.is_alarming),
            ("dropped: 1 segment of 'visits'", false)
        );
        let interval = "2020-01-01T00:00:00.000Z/2021-01-01T00:00:00.000Z";
        assert_eq!(server.bodies_of(&within), [json!({"interval": interval})]);
        let done = report(&cluster, "visits", None, yes).unwrap();
        assert_eq!(done.text, "dropped: 2 segments of 'visits'");
        let error = report(&cluster, "visits", Some("last week"), yes).unwrap_err().to_string();
        assert!(error.contains("must look like 2026-01-01/"), "{error}");
    }
}
