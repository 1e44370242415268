//! A time chunk that cannot be handed off holds up nothing else, and its rows are counted once through
//! restarts, whatever was published beside them meanwhile (ADR 18).
#![allow(clippy::print_stdout, reason = "a random test names its seed first")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use henge_tests::TestServer;

use crate::lost_metadata::{copy_folder, refusal};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const HOUR_MS: u64 = 3_600_000;
/// 2023-11-14T22:00.
const START_MS: u64 = 1_700_000_000_000 / HOUR_MS * HOUR_MS;

fn start() -> TestServer {
    TestServer::start_with(|config| {
        config.ingestion.handoff_rows = 20;
        config.ingestion.max_rows_in_memory = 7;
    })
}

fn put(server: &TestServer, datasource: &str, size: &str) {
    let schema = json!({
        "timestampSpec": { "column": "t", "format": "millis" },
        "dimensionsSpec": { "dimensions": ["id"] },
        "granularitySpec": { "segmentGranularity": size, "rollup": false },
    });
    let path = format!("/v1/datasources/{datasource}");
    let (status, answer) = server.call("PUT", &path, &[], schema.to_string().as_bytes());
    assert_eq!(status, 200, "{answer}");
}

/// One event an hour, with ids of their own.
fn events(hours: impl IntoIterator<Item = u64>, name: &str) -> String {
    let event = |(number, hour): (usize, u64)| {
        let t = START_MS + hour * HOUR_MS + number as u64;
        json!({ "t": t, "id": format!("{name}-{number}") }).to_string() + "\n"
    };
    hours.into_iter().enumerate().map(event).collect()
}

fn push(server: &TestServer, name: &str, body: &str) -> Value {
    loop {
        let headers = [("Idempotency-Key", name)];
        let path = "/v1/datasources/d/events";
        let (status, reply) = server.call("POST", path, &headers, body.as_bytes());
        if status == 200 {
            return reply;
        }
        // A hand-off that has not begun with so many generations is waited for.
        assert_eq!(status, 429, "{reply}");
        until(server, |shown| shown["blocksPushes"] == json!(false));
    }
}

/// The ids of all rows, in order.
fn ids(server: &TestServer) -> Vec<String> {
    let query = json!({ "queryType": "scan", "dataSource": "d", "intervals": ["1000/3000"],
        "columns": ["id"], "resultFormat": "compactedList" });
    let answer = server.post("/druid/v2", &query);
    let batches = answer.as_array().into_iter().flatten();
    let rows = batches.flat_map(|batch| batch["events"].as_array().into_iter().flatten());
    let mut ids: Vec<_> = rows.filter_map(|row| row[0].as_str().map(str::to_owned)).collect();
    ids.sort();
    ids
}

fn handoff(server: &TestServer) -> Value {
    let (status, shown) = server.call("GET", "/v1/datasources/d", &[], b"");
    assert_eq!(status, 200, "{shown}");
    shown["handoff"].clone()
}

/// Waits until the hand-off stands as wanted.
fn until(server: &TestServer, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let shown = handoff(server);
        if wanted(&shown) {
            return shown;
        }
        assert!(Instant::now() < end, "the hand-off stays as it is: {shown}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn only_failing_chunks_wait(shown: &Value) -> bool {
    shown["failing"].as_u64() >= Some(1) && shown["failing"] == shown["waitingChunks"]
}

/// Where deep storage wants a folder for the segments of an hour.
fn folder_of(server: &TestServer, datasource: &str, hour: u64, hours: u64) -> PathBuf {
    let part = |hour: u64| {
        let hour = hour + 22;
        format!("2023-11-{:02}~54{:02}~3a00~3a00~2e000~5a", 14 + hour / 24, hour % 24)
    };
    let chunk = format!("{}_{}", part(hour), part(hour + hours));
    server.data_dir().join("deep-storage/segments").join(datasource).join(chunk)
}

/// A file in the place of the folder: deep storage refuses every object of the hour.
fn refuse(path: &PathBuf) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "in the way").unwrap();
}

#[test]
fn f_22_i_01_a_chunk_that_fails_holds_up_no_other_and_is_counted_once_through_restarts() {
    let mut server = start();
    put(&server, "d", "hour");
    let obstacle = folder_of(&server, "d", 3, 1);
    refuse(&obstacle);
    let first = events(0..24, "first");
    push(&server, "first", &first);
    let shown = until(&server, |shown| shown["failures"][0]["attempts"].as_u64() >= Some(2));
    let failure = &shown["failures"][0];
    assert_eq!(failure["interval"], "2023-11-15T01:00:00.000Z/2023-11-15T02:00:00.000Z", "{shown}");
    assert!(failure["nextAttemptMs"].as_i64() > failure["sinceMs"].as_i64(), "{shown}");
    assert!(failure["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{shown}");
    assert_eq!((&shown["failing"], &shown["blocksPushes"]), (&json!(1), &json!(false)), "{shown}");
    let metrics = server.text("/metrics");
    for line in [
        "henge_handoff_failed_attempts{datasource=\"d\",interval=\"2023-11-15T01",
        "henge_handoff_next_attempt_ms{",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    // Many more generations, with rows of the chunk that fails, with late rows of others, in chunks of
    // another size: all others are published.
    for number in 0..12 {
        let hours = (0..24).filter(|hour| number % 3 == 0 || *hour != 3);
        push(&server, &format!("more-{number}"), &events(hours, &format!("more-{number}")));
    }
    let rows = ids(&server);
    assert_eq!(rows.len(), 24 + 4 * 24 + 8 * 23);
    until(&server, only_failing_chunks_wait);
    server.restart();
    // Served from segments, not from the log.
    assert!(server.running().segments >= 23, "{}", server.running().segments);
    assert_eq!(ids(&server), rows);
    assert_eq!(push(&server, "first", &first)["duplicate"], true);
    put(&server, "d", "day");
    push(&server, "days", &events(0..24, "days"));
    server.restart();
    assert_eq!(ids(&server).len(), rows.len() + 24);
    std::fs::remove_file(&obstacle).unwrap();
    server.flush();
    assert_eq!(handoff(&server)["waiting"], 0);
    let rows = ids(&server);
    assert_eq!(rows.len(), 24 + 4 * 24 + 8 * 23 + 24);
    assert_eq!(push(&server, "first", &first)["duplicate"], true);
    server.restart();
    assert_eq!(ids(&server), rows);
    assert_eq!(push(&server, "days", &events(0..24, "days"))["duplicate"], true);
    assert_eq!(handoff(&server)["waiting"], 0);
}

/// Metadata that are lost and made anew know what was published beside a chunk that fails.
#[test]
fn f_33_what_is_published_beside_a_failing_chunk_is_in_the_manifests() {
    let mut server = start();
    put(&server, "d", "hour");
    let obstacle = folder_of(&server, "d", 3, 1);
    refuse(&obstacle);
    push(&server, "first", &events(0..24, "first"));
    until(&server, only_failing_chunks_wait);
    let rows = ids(&server);
    server.restart_after(|folder| {
        for file in ["metadata.sqlite", "metadata.sqlite-wal", "metadata.sqlite-shm"] {
            let _ = std::fs::remove_file(folder.join(file));
        }
        crate::lost_metadata::rebuild_in(folder);
    });
    assert_eq!(ids(&server), rows);
    std::fs::remove_file(&obstacle).unwrap();
    server.flush();
    server.restart();
    assert_eq!(ids(&server), rows);
}

/// The log is lost and given up: what it held beyond the published rows is gone, and new records under the numbers
/// of lost ones are not taken for published.
#[test]
fn i_01_records_under_the_numbers_of_lost_ones_are_not_taken_for_published() {
    let mut server = start();
    put(&server, "d", "hour");
    refuse(&folder_of(&server, "d", 3, 1));
    push(&server, "first", &events(0..24, "first"));
    until(&server, only_failing_chunks_wait);
    let before = tempfile::tempdir().unwrap();
    server.restart_after(|folder| {
        copy_folder(&folder.join("wal/d"), before.path());
        std::fs::remove_dir_all(folder.join("wal/d")).unwrap();
        assert_eq!(crate::lost_log::give_up(folder, "d"), 0);
    });
    assert_eq!(ids(&server).len(), 23);
    // Put back, its published rows would be counted twice.
    let other = tempfile::tempdir().unwrap();
    let mut config = server.config().clone();
    config.data_dir = other.path().to_owned();
    server.restart_after(|folder| copy_folder(folder, other.path()));
    std::fs::remove_dir_all(other.path().join("wal/d")).unwrap();
    copy_folder(before.path(), &other.path().join("wal/d"));
    let refused = refusal(&config);
    assert!(refused.contains("is not the one that was written"), "{refused}");
    push(&server, "second", &events((0..10).filter(|hour| *hour != 3), "second"));
    assert_eq!(ids(&server).len(), 23 + 9);
    server.restart();
    assert_eq!(ids(&server).len(), 23 + 9);
    server.flush();
    server.restart();
    assert_eq!(ids(&server).len(), 23 + 9);
}

/// Published rows prove how long the log was, when its mark is as old as the log.
#[test]
fn f_17_an_older_log_and_its_mark_are_refused_for_what_is_published_of_the_newer() {
    let mut server = start();
    put(&server, "d", "hour");
    refuse(&folder_of(&server, "d", 3, 1));
    push(&server, "first", &events([3, 4], "first"));
    let older = tempfile::tempdir().unwrap();
    server.restart_after(|folder| copy_folder(folder, older.path()));
    push(&server, "second", &events(3..24, "second"));
    until(&server, only_failing_chunks_wait);
    let left = tempfile::tempdir().unwrap();
    let mut config = server.config().clone();
    config.data_dir = left.path().to_owned();
    server.restart_after(|folder| copy_folder(folder, left.path()));
    std::fs::remove_dir_all(left.path().join("wal/d")).unwrap();
    copy_folder(&older.path().join("wal/d"), &left.path().join("wal/d"));
    std::fs::copy(older.path().join("marks"), left.path().join("marks")).unwrap();
    assert!(refusal(&config).contains("the log of 'd'"));
    std::fs::remove_file(left.path().join("marks")).unwrap();
    assert!(refusal(&config).contains("the log of 'd'"));
}

/// The chunk is replaced and dropped while its rows wait: what was published goes, what is buffered
/// stays, before and after restarts.
#[test]
fn i_04_chunks_beside_a_failing_one_may_be_dropped_and_do_not_come_back() {
    let mut server = start();
    put(&server, "d", "hour");
    refuse(&folder_of(&server, "d", 3, 1));
    push(&server, "first", &events(0..24, "first"));
    until(&server, only_failing_chunks_wait);
    let replace = json!({ "type": "index_parallel", "spec": {
        "dataSchema": {
            "dataSource": "d",
            "timestampSpec": { "column": "t", "format": "millis" },
            "dimensionsSpec": { "dimensions": ["id"] },
            "granularitySpec": { "segmentGranularity": "day", "rollup": false,
                "intervals": ["2023-11-14T22:00/2023-11-15T22:00"] },
        },
        "ioConfig": { "type": "index_parallel", "dropExisting": true,
            "inputFormat": { "type": "json" },
            "inputSource": { "type": "inline", "data": events([5], "new") } },
    }});
    let status = crate::tasks::run(&server, &replace);
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    assert_eq!(ids(&server), ["first-3", "new-0"]);
    server.restart();
    assert_eq!(ids(&server), ["first-3", "new-0"]);
    // The chunk that was refused is one of a day now.
    server.flush();
    server.restart();
    assert_eq!(ids(&server), ["first-3", "new-0"]);
    assert_eq!(handoff(&server)["waiting"], 0);
}

/// Chunks that fail and get on, schemas of any size, restarts, in any order.
#[test]
fn i_01_i_02_any_chunks_may_fail_for_a_while() {
    let seeds = std::env::var("HENGE_SEED").ok().and_then(|text| text.parse().ok());
    for seed in seeds.map_or(1..=4_u64, |seed| seed..=seed) {
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let mut server = start();
        put(&server, "d", "hour");
        let mut sent: Vec<(String, String)> = Vec::new();
        let mut expected: Vec<String> = Vec::new();
        for number in 0..40 {
            let path = match random.random_range(0..3) {
                0 => folder_of(&server, "d", 2, 24),
                _ => folder_of(&server, "d", random.random_range(0..12), 1),
            };
            match random.random_range(0..10) {
                0 | 1 if !path.exists() => refuse(&path),
                2 | 3 if path.is_file() => std::fs::remove_file(&path).unwrap(),
                4 => put(&server, "d", ["hour", "day", "six_hour"][number % 3]),
                5 => server.restart(),
                6 if !sent.is_empty() => {
                    let (name, body) = &sent[random.random_range(0..sent.len())];
                    assert_eq!(push(&server, name, body)["duplicate"], true, "seed {seed}");
                }
                _ => {
                    let hours = (0..random.random_range(1..30)).map(|_| random.random_range(0..14));
                    let (name, hours) = (format!("push-{number}"), hours.collect::<Vec<u64>>());
                    expected.extend((0..hours.len()).map(|event| format!("{name}-{event}")));
                    expected.sort();
                    let body = events(hours, &name);
                    push(&server, &name, &body);
                    sent.push((name, body));
                }
            }
            assert_eq!(ids(&server), expected, "seed {seed}, step {number}");
        }
        server.restart();
        assert_eq!(ids(&server), expected, "seed {seed}");
        let segments = server.data_dir().join("deep-storage/segments/d");
        for entry in std::fs::read_dir(&segments).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::remove_file(path).unwrap();
            }
        }
        server.flush();
        assert_eq!(ids(&server), expected, "seed {seed}");
        server.restart();
        assert_eq!(ids(&server), expected, "seed {seed}");
        for (name, body) in &sent {
            assert_eq!(push(&server, name, body)["duplicate"], true, "seed {seed}");
        }
    }
}
