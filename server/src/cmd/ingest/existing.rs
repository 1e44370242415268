//! What is there already: rows of the datasource, which a load must not replace unasked, and earlier
//! loads of the same files.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

use anyhow::{Context, Result, bail};
use henge_realtime_node::content_hash;
use serde_json::{Value, json};

use super::follow::{ETERNITY, time_boundary_of};
use super::inputs::Source;
use crate::cmd::http::{Client, path_segment};
use crate::cmd::output::{counted, say};

/// Earlier tasks that are compared.
const TASKS_COMPARED: usize = 10_000;

/// What happens to rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// The new ones come on top.
    Append,
    /// The time chunks that new ones fall into are replaced.
    Replace,
}

/// Rows of a datasource, in words; `None` when there are none. Where some are not served at this
/// moment there are rows, however many.
pub(super) fn rows_there(client: &Client, datasource: &str) -> Option<String> {
    let rows = count_rows(client, datasource);
    rows.unwrap_or_else(|error| Some(format!("rows that cannot be counted now ({error:#})")))
}

/// `1,234 rows from … to …`.
fn count_rows(client: &Client, datasource: &str) -> Result<Option<String>> {
    let question = json!({ "queryType": "timeBoundary", "dataSource": datasource });
    let Some((first, last)) = time_boundary_of(&client.query(&question)?) else { return Ok(None) };
    let reply = client.query(&json!({
        "queryType": "timeseries",
        "dataSource": datasource,
        "intervals": [ETERNITY],
        "granularity": "all",
        "aggregations": [{ "type": "count", "name": "rows" }],
    }))?;
    let count = reply[0]["result"]["rows"].as_u64().unwrap_or(0);
    Ok(Some(format!("{} from {first} to {last}", counted(count, "row"))))
}

/// Asks on a terminal what is to happen to the rows that are there.
///
/// # Errors
/// When there is no terminal to ask, or nothing is to happen.
pub(super) fn ask(datasource: &str, rows: &str) -> Result<Existing> {
    let there = format!("datasource '{datasource}' holds {rows} already");
    let choices = "--append adds to them, --replace replaces the time chunks (mostly days) that the \
                   new rows fall into";
    if !stdin().is_terminal() {
        bail!("{there}: say what is to happen to them: {choices}");
    }
    let mut terminal = stderr().lock();
    writeln!(terminal, "The {there}.\n{choices}.")?;
    write!(terminal, "append, replace, or nothing? [a/r/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "a" | "append" => Ok(Existing::Append),
        "r" | "replace" => Ok(Existing::Replace),
        _ => bail!("nothing was loaded"),
    }
}

/// Notices files that were loaded into the datasource before.
///
/// # Errors
/// When one was, its rows are there, and they would come twice.
pub(super) fn check_same_files(
    client: &Client,
    datasource: &str,
    files: &[Source],
    existing: Existing,
    forced: bool,
) -> Result<()> {
    let path = format!(
        "/druid/indexer/v1/tasks?state=complete&datasource={}&max={TASKS_COMPARED}",
        path_segment(datasource)
    );
    let tasks = client.get(&path)?;
    let loaded = |task: &&Value| task["statusCode"] == "SUCCESS";
    let tasks: Vec<&Value> = tasks.as_array().into_iter().flatten().filter(loaded).collect();
    let knows_inputs = |task: &&Value| {
        task.pointer("/progress/report/inputs")
            .and_then(Value::as_array)
            .is_some_and(|i| !i.is_empty())
    };
    if !tasks.iter().any(knows_inputs) {
        return Ok(());
    }
    for file in files {
        let hash = content_hash(&file.path).with_context(|| format!("read {}", file.name))?;
        if hash.0 == 0 {
            continue;
        }
        let Some(earlier) = tasks.iter().find(|task| has_read(task, &hash)) else { continue };
        let what = format!(
            "{} was loaded into '{datasource}' before, at {} ({}, task {})",
            file.name,
            earlier["createdTime"].as_str().unwrap_or("an unknown time"),
            counted(earlier["progress"]["accepted"].as_u64().unwrap_or(0), "event"),
            earlier["id"].as_str().unwrap_or("unknown"),
        );
        if existing == Existing::Append && !forced {
            bail!(
                "{what}; its rows would be there twice: --replace replaces them, --force adds them all the same"
            );
        }
        say(format!("Note: {what}"))?;
    }
    Ok(())
}

/// Whether a task has read what has this size and hash.
fn has_read(task: &Value, (size_bytes, hash): &(u64, String)) -> bool {
    let inputs = task.pointer("/progress/report/inputs").and_then(Value::as_array);
    inputs.into_iter().flatten().any(|input| {
        input["sizeBytes"].as_u64() == Some(*size_bytes)
            && input["contentHash"].as_str() == Some(hash)
    })
}
