//! Queries that need more memory than they may have.

use std::time::{Duration, Instant};

use henge_tests::TestServer;
use serde_json::{Value, json};

const HOURS: u32 = 24;
const ROWS_PER_HOUR: u32 = 1_000;

/// Many distinct values in several segments, with a memory budget of 1 MiB.
fn server(total_bytes: u64) -> TestServer {
    let server = TestServer::start_with(|config| {
        config.query.memory_budget_bytes = 1 << 20;
        config.query.total_memory_bytes = total_bytes;
    });
    server.create("t");
    for hour in 0..HOURS {
        let row = |row: u32| {
            let value = (hour * ROWS_PER_HOUR + row) % 20_000;
            format!("{{\"t\":\"2020-01-01T{hour:02}:00\",\"a\":\"{}\",\"x\":{row}}}", text(value))
        };
        let rows: Vec<String> = (0..ROWS_PER_HOUR).map(row).collect();
        assert_eq!(server.push("t", rows.join("\n").as_bytes()).0, 200);
    }
    server
}

/// A value so long that all of them together do not fit.
fn text(value: u32) -> String {
    format!("some value {value} {}", "-".repeat(60))
}

fn group_by(extra: &Value, context: &Value) -> Value {
    let mut query = json!({
        "queryType": "groupBy", "dataSource": "t", "intervals": ["2020/2021"], "granularity": "all",
        "dimensions": ["a"], "aggregations": [{"type": "longSum", "name": "x", "fieldName": "x"}],
        "context": context,
    });
    if let (Value::Object(query), Value::Object(extra)) = (&mut query, extra) {
        query.extend(extra.clone());
    }
    query
}

/// The first values in alphabetical order with their sums, computed here.
fn expected(count: usize) -> Vec<(String, u64)> {
    let mut sums = std::collections::BTreeMap::new();
    for hour in 0..HOURS {
        for row in 0..ROWS_PER_HOUR {
            let value = (hour * ROWS_PER_HOUR + row) % 20_000;
            *sums.entry(text(value)).or_insert(0) += u64::from(row);
        }
    }
    sums.into_iter().take(count).collect()
}

#[test]
fn f_63_h_83_groups_beyond_memory_are_spilled_and_the_answer_is_exact() {
    let server = server(64 << 20);
    let limit = json!({"limitSpec": {"type": "default", "limit": 500}});
    let (status, headers, text) = server.query(&group_by(&limit, &json!({"profile": true})), &[]);
    assert_eq!(status, 200, "{text}");
    let profile: Value = serde_json::from_slice(headers["x-henge-profile"].as_bytes()).unwrap();
    assert!(profile["spilledBytes"].as_u64() > Some(100_000), "{profile}");
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    let found: Vec<(String, u64)> = rows
        .iter()
        .map(|row| {
            (row["event"]["a"].as_str().unwrap().into(), row["event"]["x"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(found, expected(500));
    // The answer itself does not fit.
    let (status, _, text) = server.query(&group_by(&json!({}), &json!({})), &[]);
    assert!(status == 400 && text.contains("Resource limit exceeded"), "{status} {text}");
    let (status, _, text) = server.query(&group_by(&limit, &json!({"maxOnDiskStorage": 0})), &[]);
    assert!(status == 400 && text.contains("query.memory_budget_bytes"), "{status} {text}");
    let small = json!({"maxOnDiskStorage": 1_000});
    let (status, _, text) = server.query(&group_by(&limit, &small), &[]);
    assert!(status == 400 && text.contains("maxOnDiskStorage"), "{status} {text}");
    // Workers that were at it when another failed stop at their next block.
    let given_back = || server.text("/metrics").contains("henge_query_memory_bytes 0\n");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !given_back() {
        assert!(Instant::now() < deadline, "all was given back");
        std::thread::yield_now();
    }
}

#[test]
fn a_server_without_room_refuses_with_429() {
    let server = server(1 << 20);
    // Two at once, so that the pool is shared; each alone would fit.
    let limit = json!({"limitSpec": {"type": "default", "limit": 5}});
    let answers: Vec<(u16, String)> = std::thread::scope(|scope| {
        let ask = || {
            let (status, _, text) = server.query(&group_by(&limit, &json!({})), &[]);
            (status, text)
        };
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (status, text) in answers {
        let refused = status == 429 && text.contains("query.total_memory_bytes");
        let alone = status == 400 && text.contains("query.memory_budget_bytes");
        assert!(status == 200 || refused || alone, "{status} {text}");
    }
    assert!(server.text("/metrics").contains("henge_query_memory_bytes 0\n"));
}
