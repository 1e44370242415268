//! Batch tasks: replace, append, progress, errors.

use henge_tests::TestServer;
use serde_json::{Value, json};

fn task(data: &str, append: bool) -> Value {
    json!({ "type": "index_parallel", "spec": {
        "dataSchema": {
            "dataSource": "b",
            "timestampSpec": { "column": "t", "format": "auto" },
            "dimensionsSpec": { "dimensions": ["a"] },
            "granularitySpec": { "segmentGranularity": "day", "rollup": false },
        },
        "ioConfig": { "type": "index_parallel", "appendToExisting": append,
            "inputSource": { "type": "inline", "data": data }, "inputFormat": { "type": "json" } },
    }})
}

pub(crate) fn run(server: &TestServer, task: &Value) -> Value {
    ended(server, &server.post("/druid/indexer/v1/task", task)["task"])
}

/// The status of a task, once it has ended.
pub(crate) fn ended(server: &TestServer, id: &Value) -> Value {
    let id = id.as_str().map(|id| id.replace(':', "%3A")).unwrap_or_default();
    loop {
        let path = format!("/druid/indexer/v1/task/{id}/status");
        let (status, answer) = server.call("GET", &path, &[], b"");
        assert_eq!(status, 200, "{answer}");
        if answer["status"]["statusCode"] != "RUNNING" {
            return answer["status"].clone();
        }
        std::thread::yield_now();
    }
}

fn wait_for_count(server: &TestServer, expected: u64) {
    while server.count("b") != expected {
        std::thread::yield_now();
    }
}

#[test]
fn append_adds_and_replace_replaces_only_its_chunks() {
    let server = TestServer::start();
    let two_days = "{\"t\":\"2020-01-01\",\"a\":\"x\"}\n{\"t\":\"2020-01-02\",\"a\":\"y\"}";
    let status = run(&server, &task(two_days, false));
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    assert_eq!(status["progress"]["accepted"], 2);
    assert_eq!(status["progress"]["segments"], 2);
    wait_for_count(&server, 2);
    run(&server, &task("{\"t\":\"2020-01-01T05:00\",\"a\":\"z\"}", true));
    wait_for_count(&server, 3);
    run(&server, &task("{\"t\":\"2020-01-01T06:00\",\"a\":\"w\"}", false));
    wait_for_count(&server, 2);
}

#[test]
fn a_status_says_where_its_task_ran() {
    let server = TestServer::start();
    let status = run(&server, &task("{\"t\":\"2020-01-01\",\"a\":\"x\"}", false));
    let port = server.running().url.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    let location = json!({ "host": "127.0.0.1", "port": port, "tlsPort": -1 });
    assert_eq!((&status["location"], &status["node"]), (&location, &json!("0")));
}

#[test]
fn h_36_the_servers_own_files_are_not_events() {
    let server = TestServer::start_with(|config| {
        config.ingestion.local_roots = vec![config.data_dir.clone()];
    });
    for own in ["metadata.sqlite", "deep-storage", "realtime-node.json"] {
        let path = server.data_dir().join(own);
        let mut reading = task("", false);
        reading["spec"]["ioConfig"]["inputSource"] = json!({ "type": "local", "files": [path] });
        let status = run(&server, &reading);
        let error = status["errorMsg"].as_str().unwrap_or_default();
        assert!(error.contains("of the server itself"), "{status}");
    }
}

#[test]
fn f_16_a_node_that_nobody_knew_is_not_given_up_and_a_push_has_one_key() {
    let server = TestServer::start();
    let (status, answer) = server.call("POST", "/v1/realtime/nobody/give-up", &[], b"");
    assert_eq!(status, 404, "{answer}");
    server.create("d");
    let keys = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    let (status, answer) = server.call("POST", "/v1/datasources/d/events", &keys, b"{}");
    assert_eq!(status, 400, "{answer}");
    assert!(answer["errorMessage"].as_str().is_some_and(|text| text.contains("Idempotency-Key")));
}

#[test]
fn h_72_wrong_specs_are_refused_with_the_field_and_the_fix() {
    let server = TestServer::start();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut wrong = task("{}", false);
        change(&mut wrong);
        let (status, answer) =
            server.call("POST", "/druid/indexer/v1/task", &[], wrong.to_string().as_bytes());
        let message = answer["errorMessage"].as_str().unwrap_or_default().to_owned();
        (status, message)
    };
    let (status, message) = refused(&|task| task["spec"]["dataSchema"]["metricSpec"] = json!([]));
    assert_eq!(status, 400);
    assert!(message.contains("metricSpec") && message.contains("metricsSpec"), "{message}");
    let (status, message) =
        refused(&|task| task["spec"]["ioConfig"]["inputFormat"] = json!({ "type": "orc" }));
    assert_eq!(status, 501);
    assert!(message.contains("inputFormat") && message.contains("orc"), "{message}");
}

#[test]
fn f_21_refused_events_are_in_the_dead_letter_with_reason_and_position() {
    let server = TestServer::start();
    let status =
        run(&server, &task("{\"t\":\"2020-01-01\",\"a\":\"x\"}\n{\"t\":\"nonsense\"}", false));
    assert_eq!(status["statusCode"], "SUCCESS");
    assert_eq!(status["progress"]["rejected"], 1);
    let (code, letters) = server.call("GET", "/v1/datasources/b/dead-letters", &[], b"");
    assert_eq!(code, 200);
    let letter = &letters["deadLetters"][0];
    assert_eq!((&letter["position"], &letter["raw"]), (&json!(1), &json!("{\"t\":\"nonsense\"}")));
    let status = run(&server, &task("{\"t\":\"nonsense\"}", false));
    assert_eq!(status["statusCode"], "FAILED");
    assert!(status["errorMsg"].to_string().contains("/v1/datasources/b/dead-letters"), "{status}");
}
