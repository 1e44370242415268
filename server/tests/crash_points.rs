//! F-14, F-16, F-37, F-48: the real process dies at every named point. What was acknowledged, or is sent
//! again with its key, is there once, after the next start and after the one that follows.
//!
//! The points are compiled into debug builds only.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use henge_platform::runtime::CRASH_POINTS;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_henge");
/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(30);
const ROWS: u64 = 10;
const PUSHES: u64 = 4;

/// What a point needs to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Pushes, hand-offs and a task.
    Work,
    /// The same, and compactions.
    Compact,
    /// The end of a log is cut off when it is opened.
    TornLog,
    /// An operator gives up what a damaged log has lost.
    LostLog,
}

impl Way {
    fn to(point: &str) -> Self {
        match point {
            "wal/torn-kept-aside" | "wal/mark-taken-back" => Self::TornLog,
            _ if point.starts_with("wal/loss-") => Self::LostLog,
            _ if point.starts_with("compact/") => Self::Compact,
            _ => Self::Work,
        }
    }
}

struct Server {
    child: Child,
    url: String,
    agent: ureq::Agent,
}

fn command(data_dir: &Path, arguments: &[&str], armed: Option<&str>) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).arg("--data-dir").arg(data_dir);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    match armed {
        Some(point) => command.env("CRASH_POINT", point),
        None => command.env_remove("CRASH_POINT"),
    };
    command
}

impl Server {
    /// `None` when it died before it was ready.
    fn start(data_dir: &Path, handoff_age_ms: u64, armed: Option<&str>) -> Option<Self> {
        let mut child = command(data_dir, &["server", "--port", "0"], armed)
            .env("HENGE_INGESTION__HANDOFF_AGE_MS", handoff_age_ms.to_string())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(at) = line.find("http://") else {
            assert!(child.wait().unwrap().code().is_none(), "it did not start: {line}");
            return None;
        };
        let url = line[at..].split_whitespace().next().unwrap().to_owned();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Some(Self { child, url, agent })
    }

    /// `None` when there was no answer.
    fn call(&self, method: &str, path: &str, key: &str, body: &str) -> Option<(u16, Value)> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", key)
            .body(body.to_owned())
            .unwrap();
        let mut answer = self.agent.run(request).ok()?;
        let text = answer.body_mut().read_to_vec().ok()?;
        Some((answer.status().as_u16(), serde_json::from_slice(&text).unwrap_or(Value::Null)))
    }

    fn create(&self) -> Option<(u16, Value)> {
        let schema = json!({
            "timestampSpec": { "column": "t", "format": "auto" },
            "dimensionsSpec": { "dimensions": ["a"] },
            "granularitySpec": { "segmentGranularity": "hour", "rollup": false },
        });
        self.call("PUT", "/v1/datasources/d", "", &schema.to_string())
    }

    fn push(&self, number: u64) -> Option<(u16, Value)> {
        let row = |row| format!("{{\"t\":\"2020-01-01T0{number}:00:00\",\"a\":\"v{row}\"}}\n");
        let body: String = (0..ROWS).map(row).collect();
        self.call("POST", "/v1/datasources/d/events", &format!("key {number}"), &body)
    }

    fn submit(&self) -> Option<(u16, Value)> {
        let row = |row| format!("{{\"t\":\"2020-01-02\",\"a\":\"v{row}\"}}\n");
        let task = json!({ "type": "index_parallel", "id": "the task", "spec": {
            "dataSchema": {
                "dataSource": "d",
                "timestampSpec": { "column": "t", "format": "auto" },
                "dimensionsSpec": { "dimensions": ["a"] },
                "granularitySpec": { "segmentGranularity": "hour", "rollup": false },
            },
            "ioConfig": {
                "type": "index_parallel",
                "inputSource": { "type": "inline", "data": (0..ROWS).map(row).collect::<String>() },
                "inputFormat": { "type": "json" },
                "appendToExisting": true,
            },
        }});
        self.call("POST", "/druid/indexer/v1/task", "", &task.to_string())
    }

    /// Compacts the pushed day; `None` when the process died meanwhile.
    fn compact(&self, number: u32) -> Option<()> {
        let id = format!("compact-{number}");
        let task = json!({ "type": "compact", "id": id, "dataSource": "d",
            "interval": "2020-01-01/2020-01-02", "granularitySpec": { "segmentGranularity": "day" } });
        self.call("POST", "/druid/indexer/v1/task", "", &task.to_string())?;
        loop {
            let path = format!("/druid/indexer/v1/task/{id}/status");
            let (_, answer) = self.call("GET", &path, "", "")?;
            match answer["status"]["statusCode"].as_str() {
                Some("RUNNING") => std::thread::yield_now(),
                Some("SUCCESS") => return Some(()),
                _ => panic!("the compaction: {answer}"),
            }
        }
    }

    fn finish_task(&self) {
        let started = Instant::now();
        loop {
            let path = "/druid/indexer/v1/task/the%20task/status";
            let (_, answer) = self.call("GET", path, "", "").unwrap();
            match answer["status"]["statusCode"].as_str() {
                Some("SUCCESS") => return,
                Some("RUNNING") if started.elapsed() < PATIENCE => std::thread::yield_now(),
                _ => panic!("the task: {answer}"),
            }
        }
    }

    fn count(&self) -> Value {
        let query = json!({
            "queryType": "timeseries", "dataSource": "d", "intervals": ["2000/2100"],
            "granularity": "all", "aggregations": [{ "type": "count", "name": "n" }],
        });
        let (status, answer) = self.call("POST", "/druid/v2", "", &query.to_string()).unwrap();
        assert_eq!(status, 200, "{answer}");
        answer[0]["result"]["n"].clone()
    }

    /// True when it dies by itself in time.
    fn dies(&mut self, patience: Duration) -> bool {
        let started = Instant::now();
        while started.elapsed() < patience {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn logs(data_dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data_dir.join("wal/d")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.filter(|p| p.extension().is_some_and(|e| e == "wal")).collect();
    files.sort();
    files
}

fn damage(way: Way, data_dir: &Path) {
    let path = logs(data_dir).pop().unwrap();
    let mut file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    match way {
        Way::Work | Way::Compact => {}
        Way::TornLog => file.set_len(length - 5).unwrap(),
        Way::LostLog => {
            let mut byte = [0];
            file.seek(SeekFrom::Start(length / 2)).unwrap();
            file.read_exact(&mut byte).unwrap();
            file.seek(SeekFrom::Start(length / 2)).unwrap();
            file.write_all(&[byte[0] ^ 1]).unwrap();
        }
    }
}

/// Dies at a point; false when it was not reached.
fn die(data_dir: &Path, way: Way, armed: &str, patience: Duration) -> bool {
    let accept = ["metadata", "accept-log-loss", "--datasource", "d"];
    if way == Way::LostLog {
        let died = command(data_dir, &accept, Some(armed)).output().unwrap().status;
        assert!(command(data_dir, &accept, None).output().unwrap().status.success());
        return died.code().is_none();
    }
    let Some(mut server) = Server::start(data_dir, 100, Some(armed)) else { return true };
    let _ = server.create();
    for number in 1..PUSHES {
        let _ = server.push(number);
    }
    let _ = server.submit();
    // What was pushed is published sooner or later.
    let (started, mut attempts) = (Instant::now(), 0..);
    while way == Way::Compact && started.elapsed() < patience {
        if attempts.next().and_then(|number| server.compact(number)).is_none() {
            break;
        }
    }
    let died = server.dies(patience);
    server.kill();
    died
}

fn live_through(point: &str, visit: u32, must_die: bool) {
    let (way, data_dir) = (Way::to(point), tempfile::tempdir().unwrap());
    let data_dir = data_dir.path();
    let first = Server::start(data_dir, 3_600_000, None).unwrap();
    assert_eq!(first.create().unwrap().0, 200);
    for number in 0..if matches!(way, Way::Work | Way::Compact) { 1 } else { PUSHES } {
        assert_eq!(first.push(number).unwrap().0, 200);
    }
    first.kill();
    damage(way, data_dir);
    let patience = if must_die { PATIENCE } else { Duration::from_secs(2) };
    let died = die(data_dir, way, &format!("{point}:{visit}"), patience);
    assert!(died || !must_die, "'{point}' is not reached");
    let server = Server::start(data_dir, 100, None).unwrap();
    assert_eq!(server.create().unwrap().0, 200);
    for number in 0..PUSHES {
        let (status, answer) = server.push(number).unwrap();
        assert_eq!(status, 200, "{point}: {answer}");
    }
    // Accepted before, or now.
    let _ = server.submit();
    server.finish_task();
    if way == Way::Compact {
        server.compact(u32::MAX).unwrap();
    }
    let expected = ROWS * (PUSHES + 1);
    assert_eq!(server.count(), expected, "{point}:{visit}");
    server.kill();
    let again = Server::start(data_dir, 3_600_000, None).unwrap();
    assert_eq!(again.count(), expected, "{point}:{visit}, after another start");
    again.kill();
}

#[test]
fn f_14_f_16_f_37_f_48_the_process_dies_at_every_crash_point_and_every_row_is_there_once() {
    std::thread::scope(|scope| {
        for half in CRASH_POINTS.chunks(CRASH_POINTS.len().div_ceil(2)) {
            scope.spawn(move || {
                for point in half {
                    live_through(point, 1, true);
                    if Way::to(point) == Way::Work {
                        live_through(point, 3, false);
                    }
                }
            });
        }
    });
}
