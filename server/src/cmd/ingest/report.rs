//! What is printed when a load is over: what was stored, and what of the input was not stored as it
//! came.

use std::io;

use henge_platform::metadata::{ReplacedRows, TaskReport};
use serde_json::{Value, json};

use super::follow::{ETERNITY, what_is_served};
use crate::cmd::http::{Client, path_segment};
use crate::cmd::output::{counted, grouped, say};

/// Entries of one list that are printed; the rest is in the task's report.
const ENTRIES_SHOWN: usize = 20;

/// Prints what was refused, changed, replaced, decided and odd.
pub(super) fn print(
    report: &TaskReport,
    base_url: &str,
    datasource: &str,
    id: &str,
) -> io::Result<()> {
    lines(report, base_url, datasource, id).into_iter().try_for_each(say)
}

/// The same as lines.
pub(crate) fn lines(
    report: &TaskReport,
    base_url: &str,
    datasource: &str,
    id: &str,
) -> Vec<String> {
    let mut lines: Vec<String> = report.replaced.iter().map(replaced).collect();
    lines.extend(refusals(report, base_url, datasource));
    lines.extend(changes(report));
    lines.extend(remarks(report));
    if report.refusals.len().max(report.changes.len()) > ENTRIES_SHOWN {
        let path = format!("/druid/indexer/v1/task/{}/reports", path_segment(id));
        lines.push(format!("The whole report: curl '{base_url}{path}'"));
    }
    lines
}

fn replaced(replaced: &ReplacedRows) -> String {
    format!(
        "Replaced: {} with {}{}, {}",
        counted(replaced.segments, "segment"),
        if replaced.is_upper_bound { "at most " } else { "" },
        counted(replaced.rows, "row"),
        replaced.interval
    )
}

/// What was not stored, and where to get it.
fn refusals(report: &TaskReport, base_url: &str, datasource: &str) -> Vec<String> {
    let mut lines = refused(report);
    if !lines.is_empty() {
        let letters = format!("/v1/datasources/{}/dead-letters", path_segment(datasource));
        lines.push(format!("  All of them: curl '{base_url}{letters}'"));
    }
    lines
}

/// What was not stored, and why.
pub(super) fn refused(report: &TaskReport) -> Vec<String> {
    let refused: u64 = report.refusals.iter().map(|entry| entry.count).sum();
    if refused == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!("REFUSED and not stored: {}", counted(refused, "event"))];
    for entry in report.refusals.iter().take(ENTRIES_SHOWN) {
        let column = match entry.column.as_str() {
            "" => entry.kind.replace('_', " "),
            column => format!("column '{column}'"),
        };
        let (count, place) = (grouped(entry.count), &entry.place);
        lines.push(format!("  {column}: {count}; first in {place}: {}", entry.example));
    }
    lines
}

/// What is stored otherwise than it came; times that were cut to milliseconds come last.
fn changes(report: &TaskReport) -> Vec<String> {
    let mut lines = Vec::new();
    let (cut, changes): (Vec<_>, Vec<_>) = report.changes.iter().partition(|c| c.cut_to_ms);
    if !changes.is_empty() {
        lines.push("CHANGED: values that are not stored as they came".to_owned());
        for entry in changes.iter().take(ENTRIES_SHOWN) {
            let nulled = match entry.nulled {
                0 => String::new(),
                nulled => format!(", {} of them null now", grouped(nulled)),
            };
            lines.push(format!(
                "  column '{}': {}{nulled}; first in {}: {} became {}",
                entry.column,
                grouped(entry.count),
                entry.place,
                entry.example,
                entry.stored
            ));
        }
    }
    lines.extend(cut.into_iter().map(|entry| {
        format!(
            "Cut to ms: {} of column '{}'; first in {}: {} became {}",
            counted(entry.count, "time"),
            entry.column,
            entry.place,
            entry.example,
            entry.stored
        )
    }));
    lines
}

/// What was left out, decided and odd.
fn remarks(report: &TaskReport) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |text: String| lines.push(text);
    if !report.ignored.is_empty() {
        say("NOT STORED: fields that the spec does not name".to_owned());
        for entry in report.ignored.iter().take(ENTRIES_SHOWN) {
            let first = match entry.example.as_str() {
                "" => format!("from {}", entry.place),
                example => format!("first in {}: {example}", entry.place),
            };
            say(format!("  field '{}': {}; {first}", entry.field, counted(entry.count, "value")));
        }
    }
    for note in &report.notes {
        say(format!("Note: {note}"));
    }
    for warning in &report.warnings {
        say(format!("WARNING: {warning}"));
    }
    lines
}

/// The columns of a datasource with their types, for people.
pub(super) fn columns(client: &Client, datasource: &str) -> Option<String> {
    let reply = client.query(&json!({
        "queryType": "segmentMetadata",
        "dataSource": datasource,
        "intervals": [ETERNITY],
        "merge": true,
        "analysisTypes": [],
        "context": what_is_served(),
    }));
    let reply = reply.ok()?;
    let columns = reply[0]["columns"].as_object()?;
    let shown = columns.iter().filter(|(name, _)| *name != "__time");
    let shown: Vec<String> = shown
        .map(|(name, column)| {
            let type_name = column["type"].as_str().unwrap_or("?");
            let lists =
                if column["hasMultipleValues"] == Value::Bool(true) { " lists" } else { "" };
            format!("{name} {type_name}{lists}")
        })
        .collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}
