//! More texts in one time chunk than are merged at once: they become several segments, whichever way
//! they came.

use std::sync::atomic::{AtomicBool, Ordering};

use henge_tests::TestServer;
use serde_json::{Value, json};

use crate::tasks::run;

const ROWS: u64 = 12_000;

/// A server that merges 128 KiB at once.
fn server() -> TestServer {
    TestServer::start_with(|config| {
        config.memory.total_bytes = 1 << 20;
        config.memory.requests_bytes = 64 << 20;
        config.ingestion.max_rows_in_memory = 1_000;
    })
}

/// Events of distinct texts of so many digits within one hour, in no order.
fn events(rows: std::ops::Range<u64>, digits: usize) -> String {
    let event = |row: u64| {
        let text = (row + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        json!({ "t": 1_700_002_800_000 + row % 3_600 * 1_000, "a": format!("{text:0digits$x}"), "x": row })
    };
    rows.map(|row| event(row).to_string() + "\n").collect()
}

fn push(server: &TestServer) {
    for part in 0..12 {
        let rows = part * (ROWS / 12)..(part + 1) * (ROWS / 12);
        let body = events(rows, 40);
        let pushed = || server.push("d", body.as_bytes());
        // What a hand-off that is slower than the pushes says: send it again later.
        let mut answer = pushed();
        while answer.0 == 429 {
            answer = pushed();
        }
        let (status, reply) = answer;
        assert_eq!((status, &reply["rejected"]), (200, &json!(0)), "{reply}");
    }
}

/// Rows, the sum of `x`, and the number of distinct texts.
fn sums(server: &TestServer) -> Value {
    let query = json!({
        "queryType": "timeseries", "dataSource": "d", "intervals": ["2000/2100"],
        "granularity": "all", "aggregations": [
            { "type": "count", "name": "n" },
            { "type": "longSum", "name": "x", "fieldName": "x" },
            { "type": "cardinality", "name": "u", "fields": ["a"], "round": true },
        ],
    });
    server.post("/druid/v2", &query)[0]["result"].clone()
}

fn segment_ids(server: &TestServer) -> Vec<String> {
    let query = json!({ "queryType": "segmentMetadata", "dataSource": "d",
        "intervals": ["2000/2100"], "analysisTypes": [] });
    let answer = server.post("/druid/v2", &query);
    let ids = answer.as_array().into_iter().flatten().map(|segment| segment["id"].to_string());
    ids.collect()
}

#[test]
fn i_11_a_hand_off_merges_no_more_at_once_than_memory_has_room_for_also_after_a_replay() {
    let mut server = server();
    server.create("d");
    push(&server);
    let buffered = sums(&server);
    assert_eq!((&buffered["n"], &buffered["x"]), (&json!(ROWS), &json!(ROWS * (ROWS - 1) / 2)));
    server.restart();
    assert_eq!(sums(&server), buffered, "replayed");
    server.flush();
    assert_eq!(sums(&server), buffered, "published");
    let ids = segment_ids(&server);
    assert!(ids.len() > 3, "{ids:?}");
    server.restart();
    assert_eq!(sums(&server), buffered, "from segments");
}

#[test]
fn i_09_looks_while_a_hand_off_cuts_a_chunk_into_several_segments_see_every_row() {
    let server = server();
    server.create("d");
    for _ in 0..2 {
        push(&server);
        let (whole, is_done) = (server.count("d"), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let looks = (0..2).map(|_| {
                scope.spawn(|| {
                    while !is_done.load(Ordering::Relaxed) {
                        assert_eq!(server.count("d"), whole);
                    }
                })
            });
            let looks: Vec<_> = looks.collect();
            server.flush();
            is_done.store(true, Ordering::Relaxed);
            looks.into_iter().for_each(|look| look.join().unwrap());
        });
    }
}

#[test]
fn i_11_rows_beyond_one_merge_follow_when_their_chunk_is_replaced_by_others_of_another_size() {
    let server = server();
    server.create("d");
    push(&server);
    let one = json!({ "type": "inline", "data": "{\"t\":1700002800000,\"a\":\"z\",\"x\":7}" });
    let status = run(&server, &task(&one, "minute", false));
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    let before = sums(&server);
    server.flush();
    assert_eq!(sums(&server), before);
}

fn task(source: &Value, granularity: &str, rollup: bool) -> Value {
    let metrics = json!([{ "type": "longSum", "name": "x", "fieldName": "x" }]);
    let (dimensions, metrics) = match rollup {
        true => (json!(["a"]), metrics),
        false => (json!(["a", { "type": "long", "name": "x" }]), json!([])),
    };
    json!({ "type": "index_parallel", "spec": {
        "dataSchema": {
            "dataSource": "d",
            "timestampSpec": { "column": "t", "format": "auto" },
            "dimensionsSpec": { "dimensions": dimensions },
            "metricsSpec": metrics,
            "granularitySpec": { "segmentGranularity": granularity, "rollup": rollup },
        },
        "ioConfig": { "type": "index_parallel", "appendToExisting": false,
            "inputSource": source, "inputFormat": { "type": "json" } },
        "tuningConfig": { "type": "index_parallel", "maxRowsInMemory": 1_000 },
    }})
}

#[test]
fn i_11_a_task_merges_no_more_at_once_than_memory_has_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.json");
    std::fs::write(&file, events(0..ROWS, 1_500)).unwrap();
    for rollup in [false, true] {
        // More than one piece of input, of which each is more than is merged at once.
        let server = TestServer::start_with(|config| config.memory.total_bytes = 16 << 20);
        let source = json!({ "type": "local", "files": [file] });
        let status = run(&server, &task(&source, "day", rollup));
        assert_eq!(status["statusCode"], "SUCCESS", "{status}");
        while server.count("d") != ROWS {
            std::thread::yield_now();
        }
        let found = sums(&server);
        assert_eq!((&found["n"], &found["x"]), (&json!(ROWS), &json!(ROWS * (ROWS - 1) / 2)));
        let ids = segment_ids(&server);
        assert!(ids.len() > 3, "roll-up {rollup}: {ids:?}");
    }
}
