//! `henge rules test`: the rules on trial.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use super::{effect, read_rules};
use crate::cmd::output::Report;
use crate::cmd::server_at::{Cluster, ServerAt};

/// Options of `henge rules test`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge rules test visits visits.rules
  echo '[{\"type\": \"loadByPeriod\", \"period\": \"P7D\", \"tieredReplicants\": {\"hot\": 2}},
         {\"type\": \"dropForever\"}]' | henge rules test visits -
  henge rules test _default default.rules

Exit codes: 0 nothing would be dropped, 1 failed, 2 wrong usage, 3 segments would be dropped that are used now,
or copies cannot be had.")]
pub(crate) struct TestArgs {
    /// The datasource, or `_default` for all that have no rule that matches.
    #[arg(value_name = "DATASOURCE", value_parser = NonEmptyStringValueParser::new())]
    datasource: String,
    /// A JSON list of rules, as Druid has them; `-` for standard input.
    #[arg(value_name = "RULES.json")]
    rules: PathBuf,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &TestArgs) -> Result<ExitCode> {
    let rules = read_rules(&args.rules)?;
    report(&args.at.cluster()?, &args.datasource, &rules)?.show(args.at.json)
}

fn report(cluster: &Cluster, datasource: &str, rules: &Value) -> Result<Report> {
    let effect = effect::ask(cluster, datasource, rules)?;
    let is_alarming = effect::dropped(&effect) > 0 || !effect.warnings.is_empty();
    Ok(Report { is_alarming, ..Report::new(effect::text(&effect), json!(effect)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn golden_effect_of_rules() {
        let server = FakeServer::start();
        let path = "POST /henge/v1/coordinator/rules/test";
        server.on(
            path,
            json!({
                "datasources": [{
                    "datasource": "visits", "segments": 40, "bytes": 4_194_304,
                    "load": [{"tier": "cold", "replicas": 1, "segments": 30, "bytes": 3_145_728},
                             {"tier": "hot", "replicas": 2, "segments": 10, "bytes": 2_097_152}],
                    "dropped": {"segments": 10, "bytes": 1_048_576},
                    "changed": {"loadMore": 5, "loadLess": 0, "drop": 10},
                }],
                "tiersWithoutNodes": ["cold"],
            }),
        );
        let rules = json!([{"type": "dropForever"}]);
        let shown = report(&Cluster::of(server.client()), "visits", &rules).unwrap();
        let expected = "\
┌────────────┬──────────┬─────────┬─────────────────────────────────┬─────────┬───────────────────┐
│ datasource ┆ segments ┆   bytes ┆ copies                          ┆ dropped ┆ against now       │
╞════════════╪══════════╪═════════╪═════════════════════════════════╪═════════╪═══════════════════╡
│ visits     ┆       40 ┆ 4.0 MiB ┆ cold: 1 of 30 segments, 3.0 MiB ┆      10 ┆ 5 get more copies │
│            ┆          ┆         ┆ hot: 2 of 10 segments, 2.0 MiB  ┆         ┆ 10 are dropped    │
└────────────┴──────────┴─────────┴─────────────────────────────────┴─────────┴───────────────────┘
! no node is of the tier 'cold': its copies would not be loaded
! 'visits': 10 segments would be dropped, 1.0 MiB with those dropped before: queries see them no more; under other rules \
`henge datasource restore` brings them back until they are deleted for good";
        assert_eq!(shown.text, expected);
        assert!(shown.is_alarming);
        assert_eq!(server.bodies_of(path), [json!({"datasource": "visits", "rules": rules})]);
        let tiers = json!([{"tier": "cold", "nodes": 0}, {"tier": "hot", "nodes": 1}]);
        server.on("GET /henge/v1/coordinator/tiers", tiers);
        let shown = report(&Cluster::of(server.client()), "visits", &rules).unwrap();
        assert!(shown.text.contains("! the tier 'hot' has 1 node for 2 copies"), "{}", shown.text);
        server.on(path, json!({"datasources": [], "tiersWithoutNodes": []}));
        let shown = report(&Cluster::of(server.client()), "nosuch", &rules).unwrap();
        assert!(shown.text.ends_with("! there is no datasource 'nosuch' with segments"));
        // The default rules are those of no datasource.
        server.on(path, json!({"datasources": [], "tiersWithoutNodes": []}));
        let shown = report(&Cluster::of(server.client()), "_default", &rules).unwrap();
        assert_eq!((shown.text.as_str(), shown.is_alarming), ("no segments are concerned", false));
        assert_eq!(server.bodies_of(path)[3]["datasource"], Value::Null);
    }
}
