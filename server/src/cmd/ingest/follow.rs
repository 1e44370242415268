//! Watching a task until its segments answer queries.

use std::collections::HashSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use henge_platform::metadata::TaskReport;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cmd::http::{Client, path_segment};
use crate::cmd::output::{counted, grouped};

const FIRST_POLL: Duration = Duration::from_millis(20);
const LAST_POLL: Duration = Duration::from_millis(250);
/// A server that restarts takes the task up again; this long it may be away.
const AWAY_AT_MOST: Duration = Duration::from_secs(60);
/// Loading segments that are published takes as long as reading them from deep storage.
const SERVED_WITHIN: Duration = Duration::from_secs(300);
/// All of time.
pub(super) const ETERNITY: &str = "-146136543-09-08T08:23:32.096Z/146140482-04-24T15:36:27.903Z";

/// Context of questions about a datasource: segments that nobody serves must not keep a load from
/// replacing them.
pub(super) fn what_is_served() -> Value {
    json!({ "allowPartial": true })
}

/// How far a task is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) total_bytes: u64,
    pub(super) processed_bytes: u64,
    pub(super) total_rows: u64,
    pub(super) received: u64,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) filtered: u64,
    pub(super) segments: u64,
    /// What became of the input beyond these counts.
    pub(super) report: TaskReport,
}

/// How a task ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) progress: Progress,
    /// Why it failed, if it did.
    pub(super) error: Option<String>,
}

/// Shows a task's progress until it ends.
///
/// # Errors
/// When the server is away for too long or has lost the task.
pub(super) fn follow(client: &Client, id: &str, datasource: &str) -> Result<Outcome> {
    let bar = progress_bar(datasource);
    let path = format!("/druid/indexer/v1/task/{}/status", path_segment(id));
    let started = Instant::now();
    let mut seen = Instant::now();
    let mut pause = FIRST_POLL;
    loop {
        match client.get(&path) {
            Ok(reply) => {
                seen = Instant::now();
                let status = reply.get("status").unwrap_or(&Value::Null);
                let progress = Progress::read(status);
                show(&bar, &progress, started.elapsed());
                if let Some(outcome) = outcome(status, &progress) {
                    bar.finish_and_clear();
                    return Ok(outcome);
                }
            }
            Err(error) if error.may_pass() && seen.elapsed() < AWAY_AT_MOST => {
                bar.set_message("the server is away; waiting for it");
            }
            Err(error) => {
                let hint = format!("task {id} goes on when the server is back; see {path}");
                return Err(anyhow::Error::from(error).context(hint));
            }
        }
        sleep(pause);
        pause = (pause * 2).min(LAST_POLL);
    }
}

fn outcome(status: &Value, progress: &Progress) -> Option<Outcome> {
    match status["statusCode"].as_str() {
        Some("SUCCESS") => Some(Outcome { progress: progress.clone(), error: None }),
        Some("FAILED") => {
            let error = status["errorMsg"].as_str().unwrap_or("the server does not say why");
            Some(Outcome { progress: progress.clone(), error: Some(error.to_owned()) })
        }
        _ => None,
    }
}

impl Progress {
    fn read(status: &Value) -> Self {
        let number = |name: &str| status["progress"][name].as_u64().unwrap_or(0);
        Self {
            total_bytes: number("totalBytes"),
            processed_bytes: number("processedBytes"),
            total_rows: number("totalRows"),
            received: number("received"),
            accepted: number("accepted"),
            rejected: number("rejected"),
            filtered: number("filtered"),
            segments: number("segments"),
            report: TaskReport::deserialize(&status["progress"]["report"]).unwrap_or_default(),
        }
    }
}

/// Drawn only when standard error is a terminal.
fn progress_bar(datasource: &str) -> ProgressBar {
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template(
        "{prefix} {bar:30} {bytes}/{total_bytes}  {msg}  {elapsed_precise}, {eta} to go",
    );
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(datasource.to_owned());
    bar.enable_steady_tick(LAST_POLL);
    bar
}

fn show(bar: &ProgressBar, progress: &Progress, elapsed: Duration) {
    if progress.total_bytes == 0 {
        bar.set_position(0);
        bar.set_message("waiting for the task to start");
        return;
    }
    bar.set_length(progress.total_bytes);
    bar.set_position(progress.processed_bytes.min(progress.total_bytes));
    let mut message = match progress.total_rows {
        0 => counted(progress.accepted, "event"),
        total => format!("{} of {}", grouped(progress.received), counted(total, "row")),
    };
    if progress.rejected > 0 {
        message.push_str(&format!(", {} refused", grouped(progress.rejected)));
    }
    if progress.processed_bytes < progress.total_bytes {
        let rate = progress.accepted as f64 / elapsed.as_secs_f64().max(0.001);
        message.push_str(&format!(", {}/s", grouped(rate as u64)));
    } else if progress.segments == 0 {
        message.push_str(", writing segments");
    } else {
        let written = counted(progress.segments, "segment");
        message.push_str(&format!(", {written} written"));
    }
    bar.set_message(message);
}

/// The segments that answer queries about a datasource.
///
/// # Errors
/// When the server cannot be asked.
pub(super) fn segment_ids(client: &Client, datasource: &str) -> Result<HashSet<String>> {
    let reply = client.query(&json!({
        "queryType": "segmentMetadata",
        "dataSource": datasource,
        "intervals": [ETERNITY],
        "merge": false,
        "analysisTypes": [],
        "toInclude": { "type": "none" },
        "context": what_is_served(),
    }))?;
    let segments = reply.as_array().context("the answer to segmentMetadata is not a list")?;
    Ok(segments.iter().filter_map(|s| s["id"].as_str()).map(str::to_owned).collect())
}

/// Waits until as many segments answer that were not there `before`.
///
/// # Errors
/// When that takes too long.
pub(super) fn wait_until_served(
    client: &Client,
    datasource: &str,
    before: &HashSet<String>,
    expected: u64,
) -> Result<()> {
    let started = Instant::now();
    loop {
        let now = segment_ids(client, datasource)?;
        let served = now.difference(before).count() as u64;
        if served >= expected {
            return Ok(());
        }
        if started.elapsed() > SERVED_WITHIN {
            bail!(
                "{} published, but {served} answer queries after {} s; see the server's log",
                counted(expected, "segment"),
                SERVED_WITHIN.as_secs()
            );
        }
        sleep(FIRST_POLL);
    }
}

/// The first and the last timestamp of a datasource, if it has rows.
///
/// # Errors
/// When the server cannot be asked.
pub(super) fn time_boundary(client: &Client, datasource: &str) -> Result<Option<(String, String)>> {
    let query = json!({
        "queryType": "timeBoundary", "dataSource": datasource, "context": what_is_served(),
    });
    Ok(time_boundary_of(&client.query(&query)?))
}

/// The times that an answer to timeBoundary holds.
pub(super) fn time_boundary_of(reply: &Value) -> Option<(String, String)> {
    let result = &reply[0]["result"];
    let time = |name: &str| result[name].as_str().map(str::to_owned);
    time("minTime").zip(time("maxTime"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_end_well_or_with_a_reason() {
        let read = |status: Value| outcome(&status, &Progress::read(&status));
        assert!(read(json!({ "statusCode": "RUNNING" })).is_none());
        let done = read(json!({
            "statusCode": "SUCCESS",
            "progress": { "accepted": 5, "rejected": 1, "segments": 2 },
        }));
        let done = done.unwrap();
        assert_eq!(done.error, None);
        let expected = Progress { accepted: 5, rejected: 1, segments: 2, ..Progress::default() };
        assert_eq!(done.progress, expected);
        let failed = read(json!({ "statusCode": "FAILED", "errorMsg": "no such file" })).unwrap();
        assert_eq!(failed.error.as_deref(), Some("no such file"));
    }
}
