//! `henge rules set`: what the rules do is shown first, and dropping data asks for a yes.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use super::{effect, read_rules};
use crate::cmd::http::path_segment;
use crate::cmd::output::Report;
use crate::cmd::said::Said;
use crate::cmd::server_at::{Cluster, ServerAt};

/// Options of `henge rules set`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge rules set visits visits.rules --comment 'a week on hot nodes'
  henge rules set visits visits.rules --yes       also when it drops data
  echo '[]' | henge rules set visits -            none of its own: those of _default hold

Exit codes: 0 set, 1 failed, 2 wrong usage, 3 not set: data would be dropped, and --yes was not given.")]
pub(crate) struct SetArgs {
    /// The datasource, or `_default` for all that have no rule that matches.
    #[arg(value_name = "DATASOURCE", value_parser = NonEmptyStringValueParser::new())]
    datasource: String,
    /// A JSON list of rules, as Druid has them; `-` for standard input.
    #[arg(value_name = "RULES.json")]
    rules: PathBuf,
    /// Set them also when segments that are used now are dropped.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    said: Said,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &SetArgs) -> Result<ExitCode> {
    let rules = read_rules(&args.rules)?;
    report(&args.at.cluster()?, args, &rules)?.show(args.at.json)
}

fn report(cluster: &Cluster, args: &SetArgs, rules: &Value) -> Result<Report> {
    let effect = effect::ask(cluster, &args.datasource, rules)?;
    let is_refused = effect::dropped(&effect) > 0 && !args.yes;
    let outcome = if is_refused {
        "not set: it would drop data; give --yes if that is meant".to_owned()
    } else {
        let path = format!("/druid/coordinator/v1/rules/{}", path_segment(&args.datasource));
        cluster.post_with::<Value>(&path, rules, &args.said.headers())?;
        format!("the rules of '{}' are set", args.datasource)
    };
    let text = format!("{}\n{outcome}", effect::text(&effect));
    let json = json!({ "set": !is_refused, "effect": effect });
    Ok(Report { is_alarming: is_refused, ..Report::new(text, json) })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SetArgs,
    }

    fn args(more: &[&str]) -> SetArgs {
        let line = ["set", "visits", "-", "--author", "ann", "--comment", "für\nspäter"];
        Line::parse_from(line.iter().chain(more)).args
    }

    #[test]
    fn dropping_data_asks_for_a_yes() {
        let server = FakeServer::start();
        let drops = json!({"datasources": [{"datasource": "visits", "changed": {"drop": 3}}]});
        server.on("POST /henge/v1/coordinator/rules/test", drops);
        let set = "POST /druid/coordinator/v1/rules/visits";
        server.on(set, json!(""));
        let cluster = Cluster::of(server.client());
        let rules = json!([{"type": "dropForever"}]);
        let refused = report(&cluster, &args(&[]), &rules).unwrap();
        assert!(refused.is_alarming && refused.text.ends_with("give --yes if that is meant"));
        assert!(server.bodies_of(set).is_empty());
        let done = report(&cluster, &args(&["--yes"]), &rules).unwrap();
        assert!(!done.is_alarming && done.text.ends_with("the rules of 'visits' are set"));
        assert_eq!(server.bodies_of(set), [rules]);
        let asked = server.asked().pop().unwrap();
        assert_eq!(asked.headers["X-Druid-Author"], "ann");
        assert_eq!(asked.headers["X-Druid-Comment"].as_bytes(), "für später".as_bytes());
    }
}
