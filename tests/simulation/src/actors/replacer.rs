//! Replaces all rows of some hours by a batch task, again and again, and asks for them: each hour is wholly
//! of one task, never of an earlier one than before, and in the end of the last that succeeded.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::{Stage, any_realtime, pause};
use crate::cluster::{Answer, BROKER};

const HOURS: u64 = 3;

/// The rows of an hour after a task.
fn rows_an_hour(task: u64) -> u64 {
    2 + task % 6
}

/// Submits one task after the other.
pub(super) async fn replace(stage: Stage) {
    let mut random = stage.random(500);
    let mut task = 0;
    while !stage.is_over() {
        pause(&mut random, 6_000).await;
        task += 1;
        stage.model.replacing(task);
        if run_task(&stage, &mut random, task).await {
            stage.model.replaced(task);
            stage.tally.count("replacements done", 1);
        } else {
            stage.tally.count("replacements failed", 1);
        }
    }
}

/// True when the task succeeded, once it certainly has ended.
async fn run_task(stage: &Stage, random: &mut StdRng, task: u64) -> bool {
    let mut is_known = false;
    loop {
        let path = format!("/druid/indexer/v1/task/replace-{task}/status");
        let to = any_realtime(random);
        match call(stage, to, Request::get(path).body(Body::empty())).await {
            Some((StatusCode::OK, status)) => match status["status"]["statusCode"].as_str() {
                Some("SUCCESS") => return true,
                Some("FAILED") => return false,
                _ => is_known = true,
            },
            Some((StatusCode::NOT_FOUND, _)) if is_known => {
                stage.tally.violation(format!("task replace-{task} was forgotten"));
                return false;
            }
            Some((StatusCode::NOT_FOUND, _)) => {
                let request = Request::post("/druid/indexer/v1/task")
                    .header("content-type", "application/json")
                    .body(Body::from(specification(task).to_string()));
                let _ = call(stage, to, request).await;
            }
            _ => {}
        }
        pause(random, 1_000).await;
    }
}

async fn call(
    stage: &Stage,
    to: &str,
    request: Result<Request<Body>, axum::http::Error>,
) -> Option<(StatusCode, Value)> {
    let answer = stage.cluster.request("replacer", to, request.ok()?).await?;
    Some((answer.status, serde_json::from_slice(&answer.body).unwrap_or_default()))
}

fn specification(task: u64) -> Value {
    let row = |number: u64| {
        let time = format!("2020-01-10T{:02}:00:00Z", number % HOURS);
        json!({"t": time, "task": task.to_string()}).to_string()
    };
    let rows: Vec<String> = (0..rows_an_hour(task) * HOURS).map(row).collect();
    json!({"type": "index_parallel", "id": format!("replace-{task}"), "spec": {
        "dataSchema": {
            "dataSource": "replaced",
            "timestampSpec": {"column": "t", "format": "auto"},
            "dimensionsSpec": {"dimensions": ["task"]},
            "granularitySpec": {
                "segmentGranularity": "hour", "rollup": false,
                "intervals": ["2020-01-10/2020-01-11"],
            },
        },
        "ioConfig": {
            "type": "index_parallel", "appendToExisting": false,
            "inputSource": {"type": "inline", "data": rows.join("\n")},
            "inputFormat": {"type": "json"},
        },
        "tuningConfig": {
            "type": "index_parallel",
            "partitionsSpec": {"type": "dynamic", "maxRowsPerSegment": 3},
        },
    }})
}

/// Asks for the hours.
pub(super) async fn read(stage: Stage) {
    let mut random = stage.random(501);
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    while !stage.is_over() {
        pause(&mut random, 700).await;
        let _ = ask(&stage, &mut seen).await;
    }
}

/// The tasks of the hours, when they were answered; `seen` are those of the answers before.
pub(crate) async fn ask(stage: &Stage, seen: &mut BTreeMap<String, u64>) -> Option<Vec<u64>> {
    let query = json!({
        "queryType": "groupBy", "dataSource": "replaced", "intervals": ["2020-01-10/2020-01-11"],
        "granularity": "hour", "dimensions": ["task"],
        "aggregations": [{"type": "count", "name": "rows"}],
    });
    let had_any = !seen.is_empty();
    let request = Request::post("/druid/v2")
        .header("content-type", "application/json")
        .body(Body::from(query.to_string()));
    let answer = stage.cluster.request("querier-2", BROKER, request.ok()?).await?;
    let Answer { status, body, .. } = answer;
    let (_, most) = stage.model.replacements();
    if status == StatusCode::NOT_FOUND && had_any {
        stage.tally.violation("the replaced hours are not known any more".to_owned());
    }
    if status != StatusCode::OK {
        stage.tally.count("queries of replaced hours failed", 1);
        return None;
    }
    stage.tally.count("queries of replaced hours answered", 1);
    let text = String::from_utf8_lossy(&body);
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
    let mut tasks = Vec::new();
    for row in &rows {
        let hour = row["timestamp"].as_str().unwrap_or_default().to_owned();
        let task = row["event"]["task"].as_str().and_then(|task| task.parse().ok()).unwrap_or(0);
        let before = seen.insert(hour, task).unwrap_or(0);
        let is_whole = row["event"]["rows"] == json!(rows_an_hour(task));
        if !is_whole || !(before..=most).contains(&task) {
            stage.tally.violation(format!(
                "replaced hours, after those of task {before} and before {most} has ended: {text}"
            ));
        }
        tasks.push(task);
    }
    if rows.len() as u64 != HOURS && (had_any || !rows.is_empty()) {
        stage.tally.violation(format!("{} replaced hours: {text}", rows.len()));
    }
    Some(tasks)
}
