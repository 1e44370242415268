//! `henge datasource list`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cmd::output::{Align, Report, TextTable, grouped, size};
use crate::cmd::server_at::{Cluster, ServerAt};

/// Options of `henge datasource list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge datasource list
  henge datasource list --json | jq '.[].name'

A datasource whose segments are all unused is listed with 0 segments: `henge datasource restore` brings them
back until they are deleted for good.

Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &ListArgs) -> Result<ExitCode> {
    report(&args.at.cluster()?)?.show(args.at.json)
}

/// A datasource with segments that are served, as Druid says it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Served {
    name: String,
    properties: Properties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Properties {
    tiers: BTreeMap<String, Value>,
    segments: Segments,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Segments {
    count: u64,
    size: u64,
    min_time: Option<String>,
    max_time: Option<String>,
}

fn report(cluster: &Cluster) -> Result<Report> {
    let served: Vec<Served> = cluster.get("/druid/coordinator/v1/datasources?simple")?;
    let loaded: BTreeMap<String, f64> = cluster.get("/druid/coordinator/v1/loadstatus")?;
    let all = "/druid/coordinator/v1/metadata/datasources?includeUnused";
    let names: Vec<String> = cluster.get(all)?;
    let mut table = TextTable::new(&[
        ("datasource", Align::Left),
        ("segments", Align::Right),
        ("bytes", Align::Right),
        ("from", Align::Left),
        ("to", Align::Left),
        ("tiers", Align::Left),
        ("loaded", Align::Right),
    ]);
    let none = Served::default();
    let mut rows = Vec::new();
    for name in with_served(names, &served) {
        let one = served.iter().find(|served| served.name == name).unwrap_or(&none);
        let (segments, tiers) = (&one.properties.segments, &one.properties.tiers);
        let tiers: Vec<&str> = tiers.keys().map(String::as_str).collect();
        let percent = loaded.get(&name);
        table.row([
            name.clone(),
            grouped(segments.count),
            size(segments.size),
            segments.min_time.clone().unwrap_or_default(),
            segments.max_time.clone().unwrap_or_default(),
            tiers.join(", "),
            percent.map(|percent| format!("{percent:.0} %")).unwrap_or_default(),
        ]);
        rows.push(json!({
            "name": name, "segments": segments.count, "bytes": segments.size, "tiers": tiers,
            "minTime": segments.min_time, "maxTime": segments.max_time, "loadedPercent": percent,
        }));
    }
    Ok(Report::new(table.or("there are no datasources with segments"), Value::Array(rows)))
}

/// All names, also of what is served and was not published yet.
fn with_served(mut names: Vec<String>, served: &[Served]) -> Vec<String> {
    names.extend(served.iter().map(|served| served.name.clone()));
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn golden_table_of_datasources() {
        let server = FakeServer::start();
        let visits = json!({"name": "visits", "properties": {
            "tiers": {"cold": {"size": 1, "segmentCount": 1}, "hot": {"size": 1, "segmentCount": 1}},
            "segments": {"count": 1_200, "size": 3_145_728, "replicatedSize": 6_291_456,
                "minTime": "2026-01-01T00:00:00.000Z", "maxTime": "2026-02-01T00:00:00.000Z"}}});
        server.on("GET /druid/coordinator/v1/datasources?simple", json!([visits]));
        server.on("GET /druid/coordinator/v1/loadstatus", json!({"visits": 99.7}));
        let names = json!(["old", "visits"]);
        server.on("GET /druid/coordinator/v1/metadata/datasources?includeUnused", names);
        let report = report(&Cluster::of(server.client())).unwrap();
        let expected = "\
┌────────────┬──────────┬─────────┬──────────────────────────┬──────────────────────────┬───────────┬────────┐
│ datasource ┆ segments ┆   bytes ┆ from                     ┆ to                       ┆ tiers     ┆ loaded │
╞════════════╪══════════╪═════════╪══════════════════════════╪══════════════════════════╪═══════════╪════════╡
│ old        ┆        0 ┆     0 B ┆                          ┆                          ┆           ┆        │
│ visits     ┆    1,200 ┆ 3.0 MiB ┆ 2026-01-01T00:00:00.000Z ┆ 2026-02-01T00:00:00.000Z ┆ cold, hot ┆  100 % │
└────────────┴──────────┴─────────┴──────────────────────────┴──────────────────────────┴───────────┴────────┘";
        assert_eq!(report.text, expected);
        assert_eq!(report.json[1]["segments"], 1_200);
    }
}
