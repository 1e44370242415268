//! Answers are the same before hand-off, after it, and after restarts.

use henge_tests::TestServer;
use serde_json::{Value, json};

fn events() -> Vec<u8> {
    let event = |i: u64| {
        let b = if i.is_multiple_of(3) { json!(null) } else { json!(format!("b{}", i % 5)) };
        json!({ "t": 1_700_000_000_000_u64 + i * 60_000, "a": format!("a{}", i % 7), "b": b, "x": i })
    };
    (0..300).map(|i| event(i).to_string() + "\n").collect::<String>().into_bytes()
}

fn queries() -> Vec<Value> {
    let base = |query_type: &str, more: Value| {
        let mut query = json!({
            "queryType": query_type, "dataSource": "d", "intervals": ["2000/2100"],
            "granularity": "hour", "aggregations": [
                { "type": "count", "name": "n" },
                { "type": "longSum", "name": "x", "fieldName": "x" },
                { "type": "cardinality", "name": "u", "fields": ["b"], "round": true },
            ],
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            query[key] = value.clone();
        }
        query
    };
    vec![
        base("timeseries", json!({})),
        base("topN", json!({ "dimension": "a", "metric": "x", "threshold": 3 })),
        base("groupBy", json!({ "dimensions": ["a", "b"], "granularity": "all" })),
        base(
            "timeseries",
            json!({ "filter": { "type": "not", "field":
            { "type": "selector", "dimension": "b", "value": "b1" } } }),
        ),
        json!({ "queryType": "timeBoundary", "dataSource": "d" }),
        json!({ "queryType": "search", "dataSource": "d", "intervals": ["2000/2100"],
            "query": { "type": "contains", "value": "B" } }),
        json!({ "queryType": "scan", "dataSource": "d", "intervals": ["2000/2100"],
            "columns": ["__time", "a", "b", "x"], "order": "ascending", "limit": 50,
            "resultFormat": "compactedList" }),
    ]
}

fn answers(server: &TestServer) -> Vec<Value> {
    queries().iter().map(|query| server.post("/druid/v2", query)).collect()
}

#[test]
fn i_01_answers_do_not_change_with_handoff_and_restarts() {
    let mut server = TestServer::start();
    server.create("d");
    let (status, reply) = server.push("d", &events());
    assert_eq!((status, &reply["accepted"]), (200, &json!(300)), "{reply}");
    let from_the_index = answers(&server);
    assert_eq!(server.count("d"), 300);
    server.restart();
    assert_eq!(answers(&server), from_the_index, "replayed from the log");
    server.flush();
    assert_eq!(answers(&server), from_the_index, "published");
    server.restart();
    assert!(server.running().segments > 0, "served from segments");
    assert_eq!(answers(&server), from_the_index, "from segments");
}

#[test]
fn f_15_a_repeated_push_is_stored_once_also_after_handoff_and_restart() {
    let mut server = TestServer::start();
    server.create("d");
    let push = |server: &TestServer| {
        let path = "/v1/datasources/d/events";
        let (status, reply) = server.call("POST", path, &[("Idempotency-Key", "k")], &events());
        assert_eq!(status, 200, "{reply}");
        reply["duplicate"] == json!(true)
    };
    assert!(!push(&server));
    assert!(push(&server), "while buffered");
    server.restart();
    assert!(push(&server), "after replay");
    server.flush();
    assert!(push(&server), "after hand-off");
    server.restart();
    assert!(push(&server), "after a restart");
    assert_eq!(server.count("d"), 300);
}

#[test]
fn a_changed_schema_applies_to_new_events_only() {
    let mut server = TestServer::start();
    server.create("d");
    assert_eq!(server.push("d", br#"{"t":1700000000000,"a":"x","c":"lost"}"#).0, 200);
    let wider = json!({
        "timestampSpec": { "column": "t", "format": "auto" },
        "dimensionsSpec": { "dimensions": ["a", "c"] },
        "granularitySpec": { "segmentGranularity": "hour", "rollup": false },
    });
    let (status, answer) =
        server.call("PUT", "/v1/datasources/d", &[], wider.to_string().as_bytes());
    assert_eq!((status, &answer["schemaVersion"]), (200, &json!(2)), "{answer}");
    assert_eq!(server.push("d", br#"{"t":1700000000001,"a":"y","c":"kept"}"#).0, 200);
    let query = json!({ "queryType": "scan", "dataSource": "d", "intervals": ["2000/2100"],
        "columns": ["a", "c"], "order": "none", "resultFormat": "compactedList" });
    let rows = |server: &TestServer| {
        let answer = server.post("/druid/v2", &query);
        let batches = answer.as_array().cloned().unwrap_or_default();
        let mut rows: Vec<String> = batches
            .iter()
            .flat_map(|batch| batch["events"].as_array().cloned().unwrap_or_default())
            .map(|row| row.to_string())
            .collect();
        rows.sort();
        rows
    };
    let expected = [r#"["x",null]"#, r#"["y","kept"]"#];
    assert_eq!(rows(&server), expected);
    server.restart();
    assert_eq!(rows(&server), expected, "each record is replayed under its own schema");
}

#[test]
fn f_22_a_hand_off_that_fails_is_named_and_holds_up_nothing_else() {
    let mut server = TestServer::start_with(|config| {
        config.ingestion.handoff_rows = 100;
        config.ingestion.handoff_waiting_bytes = 200_000;
    });
    // A file where deep storage wants a folder: no segment of this datasource can be pushed.
    let obstacle = server.data_dir().join("deep-storage/segments/stuck");
    let set = |path: &std::path::Path| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "in the way").unwrap();
    };
    set(&obstacle);
    server.create("stuck");
    server.create("other");
    let mut acknowledged = 0;
    let refusal = loop {
        let (status, reply) = server.push("stuck", &events());
        if status != 200 {
            assert_eq!(status, 429, "{reply}");
            break reply["errorMessage"].to_string();
        }
        acknowledged += 300;
        assert!(acknowledged < 30_000, "pushes are not slowed down");
    };
    assert!(refusal.contains("hand-off") && refusal.contains("'stuck'"), "{refusal}");
    let (_, shown) = server.call("GET", "/v1/datasources/stuck", &[], b"");
    assert_eq!(shown["handoff"]["blocksPushes"], true, "{shown}");
    assert!(shown["handoff"]["failures"][0]["reason"].is_string(), "{shown}");
    assert!(server.text("/metrics").contains("henge_handoff_failing_datasources 1\n"));
    assert_eq!(server.push("other", &events()).0, 200);
    assert_eq!((server.count("stuck"), server.count("other")), (acknowledged, 300));
    // The start is not held up either, and nothing is lost once the obstacle is gone.
    server.restart();
    assert_eq!((server.count("stuck"), server.count("other")), (acknowledged, 300));
    std::fs::remove_file(&obstacle).unwrap();
    server.flush();
    assert_eq!(server.count("stuck"), acknowledged);
    assert_eq!(server.push("stuck", &events()).0, 200);
}
