//! `henge rules get`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use super::{DEFAULT, table_of};
use crate::cmd::http::path_segment;
use crate::cmd::output::Report;
use crate::cmd::server_at::{Cluster, ServerAt};

/// Options of `henge rules get`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge rules get                                 those of all datasources
  henge rules get visits
  henge rules get visits --json > visits.rules    as `henge rules set` and `test` read them

The rules of a datasource are read first, then those of `_default`; the first that matches decides.

Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub(crate) struct GetArgs {
    /// The datasource, or `_default`.
    #[arg(value_name = "DATASOURCE", value_parser = NonEmptyStringValueParser::new())]
    datasource: Option<String>,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &GetArgs) -> Result<ExitCode> {
    report(&args.at.cluster()?, args.datasource.as_deref())?.show(args.at.json)
}

fn report(cluster: &Cluster, datasource: Option<&str>) -> Result<Report> {
    if let Some(name) = datasource {
        let path = format!("/druid/coordinator/v1/rules/{}", path_segment(name));
        let rules: Vec<Value> = cluster.get(&path)?;
        let nothing = match name {
            DEFAULT => "everything is loaded".to_owned(),
            name => format!("'{name}' has no rules of its own: those of {DEFAULT} hold"),
        };
        return Ok(Report::new(table_of(&rules).or(&nothing), json!(rules)));
    }
    let all: BTreeMap<String, Vec<Value>> = cluster.get("/druid/coordinator/v1/rules")?;
    let tables = all.iter().filter(|(_, rules)| !rules.is_empty());
    let tables = tables.map(|(name, rules)| format!("{name}\n{}", table_of(rules)));
    let text = tables.collect::<Vec<_>>().join("\n");
    let text =
        if text.is_empty() { "nobody has set rules: everything is loaded".into() } else { text };
    Ok(Report::new(text, json!(all)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn golden_table_of_rules() {
        let server = FakeServer::start();
        let rules = json!([
            {"type": "loadByPeriod", "period": "P7D", "tieredReplicants": {"hot": 2, "cold": 1}},
            {"type": "loadByInterval", "interval": "2020/2021", "tieredReplicants": {}},
            {"type": "broadcastByPeriod", "period": "P1D", "includeFuture": false},
            {"type": "dropBeforeByPeriod", "period": "P1Y"},
            {"type": "loadForever"},
        ]);
        server.on("GET /druid/coordinator/v1/rules/visits", rules.clone());
        server.on("GET /druid/coordinator/v1/rules", json!({"visits": rules, "_default": []}));
        server.on("GET /druid/coordinator/v1/rules/clicks", json!([]));
        let cluster = Cluster::of(server.client());
        let expected = "\
┌───┬────────────────────┬────────────────────────┬───────────────────────┐
│   ┆ rule               ┆ segments of            ┆ copies                │
╞═══╪════════════════════╪════════════════════════╪═══════════════════════╡
│ 1 ┆ loadByPeriod       ┆ the last P7D and later ┆ hot: 2, cold: 1       │
│ 2 ┆ loadByInterval     ┆ 2020/2021              ┆ in deep storage alone │
│ 3 ┆ broadcastByPeriod  ┆ the last P1D           ┆ one on every node     │
│ 4 ┆ dropBeforeByPeriod ┆ before the last P1Y    ┆ none, and unused      │
│ 5 ┆ loadForever        ┆ all time               ┆ _default_tier: 2      │
└───┴────────────────────┴────────────────────────┴───────────────────────┘";
        assert_eq!(report(&cluster, Some("visits")).unwrap().text, expected);
        assert_eq!(report(&cluster, None).unwrap().text, format!("visits\n{expected}"));
        let none = report(&cluster, Some("clicks")).unwrap();
        assert_eq!(none.text, "'clicks' has no rules of its own: those of _default hold");
    }
}
