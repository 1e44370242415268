//! `henge cluster decommission`: the leader is told, loads copies of what the node has elsewhere, and takes the
//! node's own away.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::cmd::http::path_segment;
use crate::cmd::output::{Report, counted, size};
use crate::cmd::said::Said;
use crate::cmd::server_at::{Cluster, ServerAt};
use crate::cmd::shapes::DataNode;

/// The data nodes as the leader sees them.
const NODES: &str = "/henge/v1/coordinator/nodes";

/// How often a drain is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Options of `henge cluster decommission`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge cluster decommission h3 --wait           empty it, and come back when it holds nothing
  henge cluster decommission h3 --undo           it takes segments again
  henge cluster decommission h3 --comment 'new disk'   who and why is in the history of the settings

A node that is drained goes on answering queries until others have what it has. Where its tier has fewer
other nodes than copies that rules ask for, it keeps what nobody else can have, and `henge cluster status`
says so: start another node, or ask for fewer copies.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the time of --wait was over before the node was empty.")]
pub(crate) struct DecommissionArgs {
    /// The node (h3), or its server as `henge cluster explain` names it (historical-h3).
    #[arg(value_name = "NODE")]
    node: String,
    /// Take segments again.
    #[arg(long, conflicts_with = "wait")]
    undo: bool,
    /// Wait until the node holds nothing any more.
    #[arg(long)]
    wait: bool,
    /// Seconds to wait at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 24 * 3_600, requires = "wait")]
    timeout_s: u64,
    #[command(flatten)]
    said: Said,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(super) fn run(args: &DecommissionArgs) -> Result<ExitCode> {
    let cluster = args.at.cluster()?;
    let began = Instant::now();
    let mut pause = || {
        sleep(LOOK_EVERY);
        began.elapsed() < Duration::from_secs(args.timeout_s)
    };
    let report = match args.undo {
        true => undo(&cluster, &args.node, &args.said)?,
        false if args.wait => drain_wholly(&cluster, &args.node, &args.said, &mut pause)?,
        false => drained_report(&drain(&cluster, &args.node, &args.said)?, false),
    };
    report.show(args.at.json)
}

/// The path of a node, by its name or by its server's: a node may be called `historical-1`, too.
fn drain_path(cluster: &Cluster, node: &str) -> Result<String> {
    let rows: Vec<DataNode> = cluster.get(NODES)?;
    let of_node = format!("historical-{node}");
    let is_there = |name: &str| rows.iter().any(|row| row.server == name);
    let server = match [of_node.as_str(), node].into_iter().find(|name| is_there(name)) {
        Some(server) => path_segment(server),
        None => {
            let known: Vec<&str> = rows.iter().map(|row| row.server.as_str()).collect();
            bail!("no node '{node}' holds segments; there are {}", known.join(", "));
        }
    };
    Ok(format!("{NODES}/{server}/drain"))
}

fn drain(cluster: &Cluster, node: &str, said: &Said) -> Result<DataNode> {
    cluster.post_with(&drain_path(cluster, node)?, &json!({}), &said.headers())
}

fn undo(cluster: &Cluster, node: &str, said: &Said) -> Result<Report> {
    let path = drain_path(cluster, node)?;
    let row: DataNode = cluster.delete_with(&path, &said.headers())?;
    Ok(Report::new(format!("{} takes segments again", row.server), json!(row)))
}

/// Drains a node and looks at it until it is empty, or `goes_on`, which waits, says no.
fn drain_wholly(
    cluster: &Cluster,
    node: &str,
    said: &Said,
    goes_on: &mut impl FnMut() -> bool,
) -> Result<Report> {
    let mut row = drain(cluster, node, said)?;
    while row.segments > 0 {
        tell(&row);
        if !goes_on() {
            return Ok(drained_report(&row, true));
        }
        // The leader may be another one by now, or away for a moment.
        let nodes: Vec<DataNode> = match cluster.get(NODES) {
            Ok(nodes) => nodes,
            Err(error) => {
                warn(&format!("the leader is away, waiting for it: {error:#}"));
                continue;
            }
        };
        match nodes.into_iter().find(|now| now.server == row.server) {
            Some(now) if now.draining => row = now,
            Some(_) => bail!("somebody undid it: {} takes segments again", row.server),
            None => bail!("{} is gone before it was empty", row.server),
        }
    }
    Ok(drained_report(&row, false))
}

fn drained_report(row: &DataNode, is_late: bool) -> Report {
    let text = match row.segments {
        0 => format!("{} holds nothing any more: it can be stopped", row.server),
        left => format!(
            "{} is being emptied: it holds {} of {}",
            row.server,
            counted(left, "segment"),
            size(row.used_bytes)
        ),
    };
    Report { is_alarming: is_late, ..Report::new(text, json!(row)) }
}

fn tell(row: &DataNode) {
    warn(&drained_report(row, false).text);
}

/// How far it is, for whoever looks on.
#[expect(clippy::print_stderr, reason = "it is for whoever gave the command")]
fn warn(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    const DRAIN: &str = "/henge/v1/coordinator/nodes/historical-h3/drain";

    fn row(segments: u64, draining: bool) -> serde_json::Value {
        json!({"server": "historical-h3", "segments": segments, "usedBytes": 2_048, "draining": draining})
    }

    #[test]
    fn a_node_is_drained_by_its_name_or_its_servers() {
        let server = FakeServer::start();
        let called_so =
            json!({"server": "historical-historical-1", "segments": 0, "draining": false});
        server.on(&format!("GET {NODES}"), json!([row(7, false), called_so]));
        let path = format!("POST {NODES}/historical-historical-1/drain");
        server.on(
            &path,
            json!({"server": "historical-historical-1", "segments": 0, "draining": true}),
        );
        server.on(&format!("POST {DRAIN}"), row(7, true));
        server.on(&format!("DELETE {DRAIN}"), row(7, false));
        let cluster = Cluster::of(server.client());
        for name in ["h3", "historical-h3"] {
            let report = drained_report(&drain(&cluster, name, &Said::default()).unwrap(), false);
            let expected = "historical-h3 is being emptied: it holds 7 segments of 2.0 KiB";
            assert_eq!(report.text, expected);
        }
        assert_eq!(
            undo(&cluster, "h3", &Said::default()).unwrap().text,
            "historical-h3 takes segments again"
        );
        assert_eq!(
            drain(&cluster, "historical-1", &Said::default()).unwrap().server,
            "historical-historical-1"
        );
        let error = drain(&cluster, "h 4", &Said::default()).unwrap_err().to_string();
        assert_eq!(
            error,
            "no node 'h 4' holds segments; there are historical-h3, historical-historical-1"
        );
    }

    #[test]
    fn waiting_ends_when_the_node_is_empty() {
        let server = FakeServer::start();
        server.on(&format!("POST {DRAIN}"), row(2, true));
        server.on(&format!("GET {NODES}"), json!([row(2, false)]));
        let nobody = json!({"errorMessage": "no coordinator leads"});
        let mut looks = 0;
        let report =
            drain_wholly(&Cluster::of(server.client()), "h3", &Said::default(), &mut || {
                looks += 1;
                // First the leader is away, then one segment is left, then none.
                match looks {
                    1 => server.on_status(&format!("GET {NODES}"), 503, nobody.clone()),
                    _ => server.on(&format!("GET {NODES}"), json!([row(3 - looks, true)])),
                };
                true
            });
        let report = report.unwrap();
        assert_eq!(report.text, "historical-h3 holds nothing any more: it can be stopped");
        assert!(!report.is_alarming);
    }

    #[test]
    fn waiting_ends_with_its_time_and_when_somebody_undoes_it() {
        let server = FakeServer::start();
        server.on(&format!("POST {DRAIN}"), row(2, true));
        server.on(&format!("GET {NODES}"), json!([row(2, true)]));
        let cluster = Cluster::of(server.client());
        assert!(drain_wholly(&cluster, "h3", &Said::default(), &mut || false).unwrap().is_alarming);
        server.on(&format!("GET {NODES}"), json!([row(2, false)]));
        let error =
            drain_wholly(&cluster, "h3", &Said::default(), &mut || true).unwrap_err().to_string();
        assert!(error.contains("somebody undid it"), "{error}");
    }
}
