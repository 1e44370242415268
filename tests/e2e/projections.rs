//! Projections: declared in a task, built by whichever writer, chosen by queries.

use henge_tests::TestServer;
use serde_json::{Value, json};

fn projections() -> Value {
    json!([{
        "type": "aggregate", "name": "hourly_by_a",
        "virtualColumns": [{
            "type": "expression", "name": "__gran", "outputType": "LONG",
            "expression": "timestamp_floor(__time, 'PT1H')",
        }],
        "groupingColumns": [{ "type": "long", "name": "__gran" }, { "type": "string", "name": "a" }],
        "aggregators": [
            { "type": "count", "name": "rows" },
            { "type": "longSum", "name": "x_sum", "fieldName": "x" },
            { "type": "HLLSketchBuild", "name": "b_distinct", "fieldName": "b" },
        ],
    }])
}

fn task(rollup: bool) -> Value {
    let event = |n: usize| {
        let (minute, second) = (n / 2 % 60, n % 2);
        format!(
            "{{\"t\":\"2020-01-01T{:02}:{minute:02}:{second:02}\",\"a\":\"a{}\",\"b\":\"b{n}\",\"x\":{n}}}",
            n / 120,
            n % 3
        )
    };
    let data: Vec<String> = (0..480).map(event).collect();
    json!({ "type": "index_parallel", "spec": {
        "dataSchema": {
            "dataSource": "p",
            "timestampSpec": { "column": "t", "format": "auto" },
            "dimensionsSpec": { "dimensions": ["a", "b", { "type": "long", "name": "x" }] },
            "granularitySpec": { "segmentGranularity": "day", "rollup": rollup },
            "projections": projections(),
        },
        "ioConfig": { "type": "index_parallel",
            "inputSource": { "type": "inline", "data": data.join("\n") },
            "inputFormat": { "type": "json" } },
    }})
}

fn run(server: &TestServer, task: &Value) {
    let id = server.post("/druid/indexer/v1/task", task)["task"].clone();
    let id = id.as_str().map(|id| id.replace(':', "%3A")).unwrap_or_default();
    loop {
        let path = format!("/druid/indexer/v1/task/{id}/status");
        let (_, answer) = server.call("GET", &path, &[], b"");
        if answer["status"]["statusCode"] != "RUNNING" {
            assert_eq!(answer["status"]["statusCode"], "SUCCESS", "{answer}");
            break;
        }
        std::thread::yield_now();
    }
    while server.count("p") != 480 {
        std::thread::yield_now();
    }
}

fn query(context: &Value) -> Value {
    json!({
        "queryType": "groupBy", "dataSource": "p", "granularity": "hour",
        "intervals": ["2020-01-01T01:00/2020-01-02"], "dimensions": ["a"],
        "aggregations": [
            { "type": "count", "name": "n" },
            { "type": "longSum", "name": "s", "fieldName": "x" },
            { "type": "HLLSketchBuild", "name": "d", "fieldName": "b", "round": true },
        ],
        "context": context,
    })
}

/// Rows of the projection over all segments.
fn projection_rows(server: &TestServer) -> Value {
    let metadata = json!({
        "queryType": "segmentMetadata", "dataSource": "p", "intervals": ["1000/3000"],
        "merge": true, "analysisTypes": ["projections"],
    });
    let answer = server.post("/druid/v2", &metadata);
    assert_eq!(answer[0]["numRows"], 480, "{answer}");
    let listed = &answer[0]["projections"]["hourly_by_a"];
    assert_eq!(listed["schema"]["aggregators"][1]["type"], "longSum", "{answer}");
    listed["numRows"].clone()
}

fn check_answers(server: &TestServer) {
    let plain = server.post("/druid/v2", &query(&json!({ "noProjections": true })));
    assert_eq!(plain.as_array().map(Vec::len), Some(9), "{plain}");
    for context in
        [json!({}), json!({ "forceProjections": true }), json!({ "useProjection": "hourly_by_a" })]
    {
        assert_eq!(server.post("/druid/v2", &query(&context)), plain, "{context}");
    }
    let mut finer = query(&json!({ "useProjection": "hourly_by_a" }));
    finer["granularity"] = json!("minute");
    let (status, answer) = server.call("POST", "/druid/v2", &[], finer.to_string().as_bytes());
    assert_eq!(status, 400, "{answer}");
    assert!(answer["errorMessage"].to_string().contains("'hourly_by_a' cannot answer"), "{answer}");
}

#[test]
fn tasks_build_projections_from_columns_and_from_indexes() {
    for rollup in [false, true] {
        let server = TestServer::start();
        run(&server, &task(rollup));
        assert_eq!(projection_rows(&server), 12);
        check_answers(&server);
    }
}

#[test]
fn hand_off_builds_projections() {
    let server = TestServer::start();
    let spec = task(false);
    let mut schema = spec["spec"]["dataSchema"].clone();
    schema["dataSource"].take();
    let (status, answer) =
        server.call("PUT", "/v1/datasources/p", &[], schema.to_string().as_bytes());
    assert!(status < 300, "{answer}");
    let data = spec["spec"]["ioConfig"]["inputSource"]["data"].as_str().unwrap_or_default();
    let (status, answer) = server.call("POST", "/v1/datasources/p/events", &[], data.as_bytes());
    assert_eq!(status, 200, "{answer}");
    // Rows that are not handed off yet are in no projection.
    let forced = query(&json!({ "forceProjections": true })).to_string();
    let (status, answer) = server.call("POST", "/druid/v2", &[], forced.as_bytes());
    assert_eq!(status, 400, "{answer}");
    server.flush();
    assert_eq!(projection_rows(&server), 12);
    check_answers(&server);
}

#[test]
fn wrong_projections_are_refused_with_the_field_and_the_fix() {
    let server = TestServer::start();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut wrong = task(false);
        change(&mut wrong["spec"]["dataSchema"]["projections"]);
        let (status, answer) =
            server.call("POST", "/druid/indexer/v1/task", &[], wrong.to_string().as_bytes());
        assert!(status == 400 || status == 501, "{status} {answer}");
        answer["errorMessage"].as_str().unwrap_or_default().to_owned()
    };
    for (change, expected) in [
        (json!({ "groupingColumns": ["nope"] }), "groupingColumns names 'nope'"),
        (json!({ "filter": { "type": "null", "column": "nope" } }), "filter names 'nope'"),
        (
            json!({ "aggregators": [{ "type": "longFirst", "name": "f", "fieldName": "x" }] }),
            "first, last and any cannot be stored in a projection",
        ),
        (
            json!({ "groupingColumns": [{ "type": "long", "name": "a" }] }),
            "is LONG here and STRING",
        ),
        (json!({ "granularity": "hour" }), "give the time once"),
        (json!({ "dimensions": [] }), "unknown field"),
        (
            json!({ "groupingColumns": [], "aggregators": [] }),
            "groupingColumns, aggregators or both",
        ),
    ] {
        let message = refused(&|projections| {
            for (key, value) in change.as_object().into_iter().flatten() {
                projections[0][key.as_str()] = value.clone();
            }
        });
        assert!(message.contains(expected), "{message}");
    }
    let twice = refused(&|projections| {
        let again = projections[0].clone();
        projections.as_array_mut().into_iter().for_each(|list| list.push(again.clone()));
    });
    assert!(twice.contains("another projection 'hourly_by_a'"), "{twice}");
}
