//! `henge tier set`: a name for a tier, so that rules need not change when tiers do.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::cmd::http::path_segment;
use crate::cmd::output::Report;
use crate::cmd::server_at::{Cluster, ServerAt};

/// Options of `henge tier set`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge tier set fast hot             rules that say 'fast' mean the tier 'hot' from now on
  henge tier set fast nvme-2026       and now another one: their segments are loaded there
  henge tier set fast --remove

Which tier a node belongs to is a setting of the node. What rules then ask for: `henge rules test`.

Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub(crate) struct SetArgs {
    /// The name that rules use.
    #[arg(value_name = "NAME")]
    alias: String,
    /// The tier that it stands for.
    #[arg(value_name = "TIER", required_unless_present = "remove", conflicts_with = "remove")]
    tier: Option<String>,
    /// Take the name away: it then means a tier of that name.
    #[arg(long)]
    remove: bool,
    /// Also when no node has the tier so far: what rules ask of it waits until one comes.
    #[arg(long, conflicts_with = "remove")]
    force: bool,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &SetArgs) -> Result<ExitCode> {
    let tier = args.tier.as_deref().map(|tier| (tier, args.force));
    report(&args.at.cluster()?, &args.alias, tier)?.show(args.at.json)
}

/// `tier` with whether it may be one without nodes.
fn report(cluster: &Cluster, alias: &str, tier: Option<(&str, bool)>) -> Result<Report> {
    let path = format!("/henge/v1/coordinator/tiers/{}", path_segment(alias));
    let (text, answer): (String, Value) = match tier {
        Some((tier, is_forced)) => {
            let forced = if is_forced { "?force=true" } else { "" };
            let answer = cluster.put(&format!("{path}{forced}"), &json!({ "tier": tier }))?;
            (format!("'{alias}' stands for the tier '{tier}'"), answer)
        }
        None => (format!("'{alias}' stands for no other tier"), cluster.delete(&path)?),
    };
    Ok(Report::new(text, answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn a_name_is_set_and_taken_away() {
        let server = FakeServer::start();
        let path = "/henge/v1/coordinator/tiers/fast";
        server.on(&format!("PUT {path}"), json!({"fast": "hot"}));
        server.on(&format!("DELETE {path}"), json!({}));
        let cluster = Cluster::of(server.client());
        let set = report(&cluster, "fast", Some(("hot", false))).unwrap();
        assert_eq!(set.text, "'fast' stands for the tier 'hot'");
        assert_eq!(server.bodies_of(&format!("PUT {path}")), [json!({"tier": "hot"})]);
        server.on(&format!("PUT {path}?force=true"), json!({"fast": "cold"}));
        assert!(report(&cluster, "fast", Some(("cold", true))).is_ok());
        let removed = report(&cluster, "fast", None).unwrap();
        assert_eq!(removed.text, "'fast' stands for no other tier");
    }
}
