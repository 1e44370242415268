//! `henge segments`: the segments of a datasource that are used.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use henge_types::Interval;
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::path_segment;
use super::output::{Align, Report, TextTable, counted, grouped, size};
use super::server_at::{Cluster, ServerAt};

/// Options of `henge segments`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge segments visits
  henge segments visits --interval 2026-11-01/P1D --limit 1000
  henge segments visits --json | jq '.segments[].size'

Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub(crate) struct SegmentsArgs {
    /// The datasource.
    #[arg(value_name = "DATASOURCE", value_parser = NonEmptyStringValueParser::new())]
    datasource: String,
    /// Only segments that share time with this.
    #[arg(long, value_name = "INTERVAL")]
    interval: Option<String>,
    /// Segments to list, the oldest first.
    #[arg(long, value_name = "COUNT", default_value = "100")]
    limit: NonZeroUsize,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(crate) fn run(args: &SegmentsArgs) -> Result<ExitCode> {
    let (cluster, interval) = (args.at.cluster()?, args.interval.as_deref());
    report(&cluster, &args.datasource, interval, args.limit.get())?.show(args.at.json)
}

/// A segment as Druid says it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ListedSegment {
    interval: String,
    version: String,
    shard_spec: Value,
    pub(super) size: u64,
    /// All that was said.
    #[serde(skip)]
    whole: Value,
}

impl ListedSegment {
    /// Whether it lies wholly in an interval; in none it always does.
    pub(super) fn lies_within(&self, interval: Option<&str>) -> bool {
        let Some(interval) = interval else { return true };
        match (Interval::parse(interval), Interval::parse(&self.interval)) {
            (Ok(outer), Ok(inner)) => outer.contains_interval(&inner),
            _ => false,
        }
    }
}

/// Some of the segments.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) segments: Vec<ListedSegment>,
    /// True when there are others.
    pub(super) has_more: bool,
}

/// Asks for the used segments of a datasource that share time with an interval, at most so many.
pub(super) fn list(
    cluster: &Cluster,
    datasource: &str,
    interval: Option<&str>,
    limit: usize,
) -> Result<Listed> {
    let name = path_segment(datasource);
    // One more tells whether there are others.
    let query = format!("?full&limit={}", limit.saturating_add(1));
    let path = format!("/druid/coordinator/v1/metadata/datasources/{name}/segments{query}");
    // Nothing at all is said of a datasource that has none.
    let all: Option<Vec<Value>> = match interval {
        Some(interval) => cluster.post(&path, &json!([interval]))?,
        None => cluster.get(&path)?,
    };
    let all = all.unwrap_or_default();
    let has_more = all.len() > limit;
    let read = |whole: Value| -> Result<ListedSegment> {
        let segment: ListedSegment = serde_json::from_value(whole.clone())?;
        Ok(ListedSegment { whole, ..segment })
    };
    let segments = all.into_iter().take(limit).map(read).collect::<Result<_>>()?;
    Ok(Listed { segments, has_more })
}

fn report(cluster: &Cluster, name: &str, interval: Option<&str>, limit: usize) -> Result<Report> {
    let Listed { segments, has_more } = list(cluster, name, interval, limit)?;
    let mut table = TextTable::new(&[
        ("interval", Align::Left),
        ("version", Align::Left),
        ("partition", Align::Right),
        ("bytes", Align::Right),
    ]);
    for segment in &segments {
        let partition = segment.shard_spec["partitionNum"].as_u64();
        table.row([
            segment.interval.clone(),
            segment.version.clone(),
            partition.map(grouped).unwrap_or_default(),
            size(segment.size),
        ]);
    }
    let bytes: u64 = segments.iter().map(|segment| segment.size).sum();
    let total = format!("{} of {}", counted(segments.len() as u64, "segment"), size(bytes));
    let more = if has_more { ", and more: --limit lists them" } else { "" };
    let text = match segments.is_empty() {
        true => format!("'{name}' has no segments there"),
        false => format!("{table}\n{total}{more}"),
    };
    let segments: Vec<Value> = segments.into_iter().map(|segment| segment.whole).collect();
    Ok(Report::new(text, json!({ "segments": segments, "hasMore": has_more })))
}

#[cfg(test)]
mod tests {
    use super::super::fake_server::FakeServer;
    use super::*;

    #[test]
    fn golden_table_of_segments() {
        let server = FakeServer::start();
        let segment = |partition: u32| {
            json!({"dataSource": "visits", "interval": "2026-01-01/2026-01-02", "version": "v7",
                   "shardSpec": {"type": "numbered", "partitionNum": partition}, "size": 2_048})
        };
        let path = "/druid/coordinator/v1/metadata/datasources/visits/segments?full&limit=3";
        let three = json!([segment(0), segment(1), segment(2)]);
        server.on(&format!("GET {path}"), three);
        server.on(&format!("POST {path}"), json!(""));
        let cluster = Cluster::of(server.client());
        let shown = report(&cluster, "visits", None, 2).unwrap();
        let expected = "\
┌───────────────────────┬─────────┬───────────┬─────────┐
│ interval              ┆ version ┆ partition ┆   bytes │
╞═══════════════════════╪═════════╪═══════════╪═════════╡
│ 2026-01-01/2026-01-02 ┆ v7      ┆         0 ┆ 2.0 KiB │
│ 2026-01-01/2026-01-02 ┆ v7      ┆         1 ┆ 2.0 KiB │
└───────────────────────┴─────────┴───────────┴─────────┘
2 segments of 4.0 KiB, and more: --limit lists them";
        assert_eq!(shown.text, expected);
        assert_eq!(shown.json["segments"][0]["dataSource"], "visits");
        let none = report(&cluster, "visits", Some("2020/2021"), 2).unwrap();
        assert_eq!(none.text, "'visits' has no segments there");
        assert_eq!(server.bodies_of(&format!("POST {path}")), [json!(["2020/2021"])]);
    }
}
