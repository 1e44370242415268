//! `henge upgrade check`: can the cluster be brought to the version of this program, and in which order?

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use henge_platform::membership::Role;
use henge_server::{Formats, NodeRow, NodeState};
use serde::Deserialize;
use serde_json::json;

use super::output::{Align, Report, TextTable};
use super::server_at::{Cluster, ServerAt};
use super::shapes::ProgramVersion;

/// What to do about upgrades.
#[derive(Debug, Subcommand)]
pub(crate) enum UpgradeCommand {
    /// Compare the processes of a cluster with this program, and say what is in the way of an upgrade to it.
    Check(CheckArgs),
}

/// Options of `henge upgrade check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ./henge-new upgrade check --url http://b1.example:8888
  ./henge-new upgrade check --json | jq .inTheWay

Run it with the new program against the cluster that runs the old one. Nothing is changed.

Exit codes: 0 nothing is in the way, 1 failed, 2 wrong usage, 3 something is in the way.")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
pub(crate) fn run(command: &UpgradeCommand) -> Result<ExitCode> {
    let UpgradeCommand::Check(args) = command;
    report(&args.at.cluster()?, &Formats::of_this_program(), env!("CARGO_PKG_VERSION"))?
        .show(args.at.json)
}

/// What `/status` says of a process.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Process {
    #[serde(flatten)]
    program: ProgramVersion,
    formats: Formats,
    ready: Option<bool>,
    waits_for: Vec<String>,
}

/// A node and what it said, or why it said nothing.
struct Asked {
    row: NodeRow,
    process: Result<Process, String>,
}

fn report(cluster: &Cluster, ours: &Formats, version: &str) -> Result<Report> {
    let rows: Vec<NodeRow> = cluster.get("/henge/v1/nodes")?;
    let leader = cluster.get_text("/druid/coordinator/v1/leader").unwrap_or_default();
    let ask = |row: NodeRow| {
        let process = match row.state {
            NodeState::Alive => ask(cluster, &row),
            state => Err(format!("it is {state}")),
        };
        Asked { row, process }
    };
    let asked: Vec<Asked> = rows.into_iter().map(ask).collect();
    let in_the_way = in_the_way(&asked, ours, version);
    let (notes, order) = (notes(&asked, ours), order(&asked, &leader));
    let mut lines = vec![table(&asked).to_string()];
    lines.push(format!("this program is {version}: {}", formats_line(ours)));
    lines.extend(notes.iter().map(|note| format!("note: {note}")));
    lines.push(match order.is_empty() {
        true => "nobody has to be started anew".to_owned(),
        false => format!("order: {}", order.join(", ")),
    });
    match in_the_way.as_slice() {
        [] => lines.push(
            "nothing is in the way; wait after each node until every broker is complete".into(),
        ),
        found => lines.extend(found.iter().map(|what| format!("! {what}"))),
    }
    let nodes = asked.iter().map(|one| {
        let process = one.process.as_ref().ok();
        json!({ "node": one.row.node, "roles": one.row.roles, "version": process.map(|p| p.program.text()),
                "formats": process.map(|p| &p.formats), "trouble": one.process.as_ref().err() })
    });
    let json = json!({
        "program": { "version": version, "formats": ours },
        "nodes": nodes.collect::<Vec<_>>(),
        "inTheWay": in_the_way, "notes": notes, "order": order,
    });
    Ok(Report { is_alarming: !in_the_way.is_empty(), ..Report::new(lines.join("\n"), json) })
}

fn ask(cluster: &Cluster, row: &NodeRow) -> Result<Process, String> {
    let status = cluster.client().at(&row.http).get("/status").map_err(|e| e.to_string())?;
    serde_json::from_value(status).map_err(|error| error.to_string())
}

/// What makes an upgrade fail, or queries while it goes on.
fn in_the_way(asked: &[Asked], ours: &Formats, version: &str) -> Vec<String> {
    let mut found = Vec::new();
    for Asked { row, process } in asked {
        let name = &row.node;
        let process = match process {
            Ok(process) => process,
            Err(reason) => {
                found.push(format!("'{name}' cannot be asked: {reason}"));
                continue;
            }
        };
        if process.ready == Some(false) {
            let waits_for = process.waits_for.join("; ");
            found.push(format!("'{name}' is not ready: it waits: {waits_for}"));
        }
        let theirs = &process.formats;
        // 0 is what an older program does not say.
        if theirs.protocol > 0 && theirs.protocol.abs_diff(ours.protocol) > 1 {
            found.push(format!(
                "'{name}' speaks protocol {}, this program {}: go to a version in between first",
                theirs.protocol, ours.protocol
            ));
        }
        let later = later_formats(theirs, ours);
        if !later.is_empty() {
            found.push(format!(
                "'{name}' ({}) writes what this program ({version}) cannot read: {}",
                process.program.text(),
                later.join(", ")
            ));
        }
    }
    if asked.iter().all(|one| one.row.state != NodeState::Alive) {
        found.push("no node lives".to_owned());
    }
    found
}

/// Formats by name, with what two programs know of each.
fn pairs(theirs: &Formats, ours: &Formats) -> [(&'static str, u64, u64); 5] {
    [
        ("segments", theirs.segment.into(), ours.segment.into()),
        ("logs", theirs.log.into(), ours.log.into()),
        ("manifests", theirs.manifest.into(), ours.manifest.into()),
        ("the schema of SQLite", theirs.sqlite_schema, ours.sqlite_schema),
        ("the schema of PostgreSQL", theirs.postgres_schema, ours.postgres_schema),
    ]
}

fn later_formats(theirs: &Formats, ours: &Formats) -> Vec<String> {
    let later = pairs(theirs, ours).into_iter().filter(|(_, theirs, ours)| theirs > ours);
    later.map(|(name, theirs, ours)| format!("{name} {theirs} (here {ours})")).collect()
}

/// What cannot be undone, and what stands still for a moment.
fn notes(asked: &[Asked], ours: &Formats) -> Vec<String> {
    let known = || asked.iter().filter_map(|one| one.process.as_ref().ok());
    let mut notes = Vec::new();
    let oldest = known().map(|process| &process.formats).min_by_key(|f| f.postgres_schema);
    for (name, theirs, ours) in oldest.map(|theirs| pairs(theirs, ours)).into_iter().flatten() {
        if theirs > 0 && theirs < ours {
            notes.push(format!(
                "{name} goes from {theirs} to {ours}: done by the first new process that starts, and an older \
                 program cannot be started on it afterwards; `henge backup create` before"
            ));
        }
    }
    let mut of_role: BTreeMap<&str, usize> = BTreeMap::new();
    let living = asked.iter().filter(|one| one.row.state == NodeState::Alive);
    living.for_each(|one| one.row.roles.iter().for_each(|r| *of_role.entry(r).or_default() += 1));
    let alone: Vec<&str> =
        of_role.iter().filter(|(_, n)| **n == 1).map(|(role, _)| *role).collect();
    if !alone.is_empty() {
        notes.push(format!(
            "there is one {} only: what it does stands still while it is started anew",
            alone.join(", one ")
        ));
    }
    notes
}

/// Nodes in the order in which they are to be started anew: those that hold data first, and of the
/// coordinators the one that leads last.
fn order(asked: &[Asked], leader: &str) -> Vec<String> {
    let rank = |row: &NodeRow| {
        let has = |role: Role| row.roles.iter().any(|name| name == role.name());
        // A process with several roles waits for the last of them.
        let roles = [Role::Historical, Role::Realtime, Role::Coordinator, Role::Broker];
        let last = roles.iter().rposition(|role| has(*role)).unwrap_or(0);
        let leads = !row.http.is_empty() && leader.ends_with(&row.http);
        (last, leads)
    };
    let mut living: Vec<&NodeRow> =
        asked.iter().map(|one| &one.row).filter(|row| row.state == NodeState::Alive).collect();
    living.sort_by_key(|row| rank(row));
    living.iter().map(|row| row.node.clone()).collect()
}

fn table(asked: &[Asked]) -> TextTable {
    let mut table = TextTable::new(&[
        ("node", Align::Left),
        ("roles", Align::Left),
        ("version", Align::Left),
        ("protocol", Align::Right),
        ("segments", Align::Right),
        ("logs", Align::Right),
        ("manifests", Align::Right),
        ("SQLite", Align::Right),
        ("PostgreSQL", Align::Right),
    ]);
    for Asked { row, process } in asked {
        let number = |read: fn(&Formats) -> u64| {
            let formats = process.as_ref().ok().map(|process| read(&process.formats));
            formats.filter(|version| *version > 0).map(|v| v.to_string()).unwrap_or_default()
        };
        table.row([
            row.node.clone(),
            row.roles.join(", "),
            process.as_ref().map(|process| process.program.text().to_owned()).unwrap_or_default(),
            number(|formats| formats.protocol.into()),
            number(|formats| formats.segment.into()),
            number(|formats| formats.log.into()),
            number(|formats| formats.manifest.into()),
            number(|formats| formats.sqlite_schema),
            number(|formats| formats.postgres_schema),
        ]);
    }
    table
}

fn formats_line(formats: &Formats) -> String {
    let Formats { protocol, segment, log, manifest, sqlite_schema, postgres_schema } = formats;
    format!(
        "protocol {protocol}, segments {segment}, logs {log}, manifests {manifest}, schema {sqlite_schema} in \
         SQLite and {postgres_schema} in PostgreSQL"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::fake_server::FakeServer;
    use super::*;

    fn formats() -> Formats {
        Formats {
            protocol: 2,
            segment: 2,
            log: 3,
            manifest: 1,
            sqlite_schema: 10,
            postgres_schema: 3,
        }
    }

    fn node(name: &str, role: &str, server: &FakeServer) -> Value {
        json!({"node": name, "roles": [role], "state": "alive", "http": server.address})
    }

    fn running(version: &str, formats: &Formats) -> FakeServer {
        let server = FakeServer::start();
        let status = json!({"version": version, "formats": formats, "ready": true});
        server.on("GET /status", status);
        server
    }

    #[test]
    fn golden_text_of_an_upgrade_that_may_go_on() {
        let theirs = Formats { protocol: 1, postgres_schema: 2, ..formats() };
        let (one, two, three) =
            (running("1.0.0", &theirs), running("1.0.0", &theirs), running("1.0.0", &theirs));
        let nodes = json!([
            node("b1", "broker", &one),
            node("c1", "coordinator", &one),
            node("c2", "coordinator", &two),
            node("h1", "historical", &three),
            node("h2", "historical", &three),
        ]);
        one.on("GET /henge/v1/nodes", nodes);
        one.on("GET /druid/coordinator/v1/leader", json!(format!("http://{}", one.address)));
        let report = report(&Cluster::of(one.client()), &formats(), "2.0.0").unwrap();
        let expected = "\
┌──────┬─────────────┬─────────┬──────────┬──────────┬──────┬───────────┬────────┬────────────┐
│ node ┆ roles       ┆ version ┆ protocol ┆ segments ┆ logs ┆ manifests ┆ SQLite ┆ PostgreSQL │
╞══════╪═════════════╪═════════╪══════════╪══════════╪══════╪═══════════╪════════╪════════════╡
│ b1   ┆ broker      ┆ 1.0.0   ┆        1 ┆        2 ┆    3 ┆         1 ┆     10 ┆          2 │
│ c1   ┆ coordinator ┆ 1.0.0   ┆        1 ┆        2 ┆    3 ┆         1 ┆     10 ┆          2 │
│ c2   ┆ coordinator ┆ 1.0.0   ┆        1 ┆        2 ┆    3 ┆         1 ┆     10 ┆          2 │
│ h1   ┆ historical  ┆ 1.0.0   ┆        1 ┆        2 ┆    3 ┆         1 ┆     10 ┆          2 │
│ h2   ┆ historical  ┆ 1.0.0   ┆        1 ┆        2 ┆    3 ┆         1 ┆     10 ┆          2 │
└──────┴─────────────┴─────────┴──────────┴──────────┴──────┴───────────┴────────┴────────────┘
this program is 2.0.0: protocol 2, segments 2, logs 3, manifests 1, schema 10 in SQLite and 3 in PostgreSQL
note: the schema of PostgreSQL goes from 2 to 3: done by the first new process that starts, and an older program \
cannot be started on it afterwards; `henge backup create` before
note: there is one broker only: what it does stands still while it is started anew
order: h1, h2, c2, c1, b1
nothing is in the way; wait after each node until every broker is complete";
        assert_eq!(report.text, expected);
        assert!(!report.is_alarming);
    }

    #[test]
    fn everything_in_the_way_is_named() {
        let later = running("3.0.0", &Formats { segment: 3, protocol: 4, ..formats() });
        let waiting = FakeServer::start();
        let waits = json!({"version": "1.0.0", "ready": false, "waitsFor": ["deep storage"]});
        waiting.on("GET /status", waits);
        let nodes = json!([
            node("h1", "historical", &later), node("h2", "historical", &waiting),
            {"node": "h3", "state": "gone"},
        ]);
        later.on("GET /henge/v1/nodes", nodes);
        let report = report(&Cluster::of(later.client()), &formats(), "2.0.0").unwrap();
        assert!(report.is_alarming);
        assert_eq!(
            report.json["inTheWay"],
            json!([
                "'h1' speaks protocol 4, this program 2: go to a version in between first",
                "'h1' (3.0.0) writes what this program (2.0.0) cannot read: segments 3 (here 2)",
                "'h2' is not ready: it waits: deep storage",
                "'h3' cannot be asked: it is gone",
            ])
        );
    }
}
