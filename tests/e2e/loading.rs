//! Loading as people do it: chunks that are chosen, files that are sent, nested events, what there is then,
//! and getting rid of some of it.

use henge_tests::TestServer;
use serde_json::{Value, json};

use crate::tasks::run;

/// A task that loads prices of days.
fn prices(source: &Value, granularity: &str) -> Value {
    json!({ "type": "index_parallel", "spec": {
        "dataSchema": {
            "dataSource": "prices",
            "timestampSpec": { "column": "day", "format": "auto" },
            "dimensionsSpec": { "useSchemaDiscovery": true },
            "granularitySpec": { "segmentGranularity": granularity, "rollup": false },
        },
        "ioConfig": { "type": "index_parallel", "inputSource": source,
            "inputFormat": { "type": "csv", "findColumnsFromHeader": true } },
    }})
}

/// A row a month, from 1990 on.
fn months(years: i32) -> String {
    let rows = (0..12 * years)
        .map(|month| format!("{}-{:02}-01,{month}\n", 1990 + month / 12, month % 12 + 1));
    format!("day,price\n{}", rows.collect::<String>())
}

fn listed(server: &TestServer, name: &str) -> Value {
    let (status, all) = server.call("GET", "/v1/datasources", &[], b"");
    assert_eq!(status, 200, "{all}");
    let found = all.as_array().into_iter().flatten().find(|one| one["name"] == name);
    found.cloned().unwrap_or(Value::Null)
}

#[test]
fn time_chunks_are_chosen_by_the_whole_input() {
    let server = TestServer::start();
    let inline = json!({ "type": "inline", "data": months(10) });
    let status = run(&server, &prices(&inline, "auto"));
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    assert_eq!(status["progress"]["segments"], 10, "{status}");
    let notes = status["progress"]["report"]["notes"].to_string();
    assert!(notes.contains("segment granularity 'year' was chosen: 10 time chunks"), "{notes}");
    let status = run(&server, &prices(&inline, "month"));
    assert_eq!(status["progress"]["segments"], 120, "{status}");
    let schema = json!({ "granularitySpec": { "segmentGranularity": "auto" } }).to_string();
    let (status, refused) = server.call("PUT", "/v1/datasources/p", &[], schema.as_bytes());
    assert_eq!(status, 400);
    assert!(refused.to_string().contains("use hour or day"), "{refused}");
}

#[test]
fn what_there_is_is_listed_dropped_by_interval_and_pushed_into() {
    let server = TestServer::start();
    let inline = json!({ "type": "inline", "data": months(3) });
    assert_eq!(run(&server, &prices(&inline, "year"))["statusCode"], "SUCCESS");
    let found = listed(&server, "prices");
    let told = json!([found["rows"], found["segments"], found["state"]]);
    assert_eq!(told, json!([36, 3, "loaded"]));
    assert_eq!(found["minTime"], "1990-01-01T00:00:00.000Z");
    let path = "/v1/datasources/prices";
    let (status, dropped) = server.call("DELETE", &format!("{path}?interval=1990/1991"), &[], b"");
    assert_eq!((status, &dropped["droppedSegments"]), (200, &json!(1)), "{dropped}");
    assert_eq!(listed(&server, "prices")["rows"], 24);
    let (status, misspelt) =
        server.call("DELETE", &format!("{path}?intervall=1990/1991"), &[], b"");
    assert_eq!(status, 400, "{misspelt}");
    let (status, pushed) = server.push("prices", br#"{"day":"1995-01-01","price":7}"#);
    assert_eq!((status, &pushed["accepted"]), (200, &json!(1)), "{pushed}");
    assert_eq!(listed(&server, "prices")["state"], "takes pushes");
    assert_eq!(server.push("nothing", br#"{"day":"1995-01-01"}"#).0, 404);
    let (status, dropped) = server.call("DELETE", path, &[], b"");
    assert_eq!((status, &dropped["droppedSegments"]), (200, &json!(2)), "{dropped}");
    assert_eq!(listed(&server, "prices")["rows"], 0);
}

#[test]
fn files_that_are_sent_in_parts_are_loaded_and_gone_afterwards() {
    let server = TestServer::start();
    let content = months(2);
    let upload = "0123456789abcdef0123456789abcdef";
    let (first, second) = content.as_bytes().split_at(content.len() / 2);
    let send = |part: u64, bytes: &[u8]| {
        let path = format!("/v1/uploads/{upload}/{part}");
        server.call("POST", &path, &[("Content-Type", "application/octet-stream")], bytes)
    };
    // A part may come again.
    for (part, bytes) in [(0, first), (1, second), (1, second)] {
        let (status, answer) = send(part, bytes);
        assert_eq!((status, &answer["sizeBytes"]), (200, &json!(bytes.len())), "{answer}");
    }
    let file = json!({ "name": "months.csv", "upload": upload, "parts": 2 });
    let source = json!({ "type": "uploaded", "files": [file] });
    let status = run(&server, &prices(&source, "auto"));
    assert_eq!(status["progress"]["accepted"], 24, "{status}");
    assert_eq!(status["progress"]["report"]["inputs"][0]["name"], "months.csv");
    while run(&server, &prices(&source, "auto"))["statusCode"] == "SUCCESS" {
        std::thread::yield_now();
    }
    let (status, refused) = server.call("POST", "/v1/uploads/short/0", &[], b"x");
    assert_eq!(status, 400, "{refused}");
}

#[test]
fn values_from_within_nested_events_are_columns() {
    let server = TestServer::start();
    let data = r#"{"at":"2024-01-01","user":{"id":7,"tags":["x","y"]},"items":[{"n":1},{"n":2}]}"#;
    let status = run(
        &server,
        &json!({ "type": "index_parallel", "spec": {
            "dataSchema": {
                "dataSource": "nested",
                "timestampSpec": { "column": "at", "format": "auto" },
                "dimensionsSpec": { "dimensions": ["user_id", "tags", "ns"] },
                "granularitySpec": { "segmentGranularity": "day", "rollup": false },
            },
            "ioConfig": { "type": "index_parallel",
                "inputSource": { "type": "inline", "data": data },
                "inputFormat": { "type": "json", "flattenSpec": { "useFieldDiscovery": true, "fields": [
                    { "type": "path", "name": "user_id", "expr": "$.user.id" },
                    { "type": "jq", "name": "tags", "expr": ".user.tags" },
                    { "type": "path", "name": "ns", "expr": "$.items[*].n" },
                ] } } },
        }}),
    );
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    while server.count("nested") != 1 {
        std::thread::yield_now();
    }
    let query = json!({ "queryType": "scan", "dataSource": "nested", "intervals": ["2024/2025"],
        "columns": ["user_id", "tags", "ns"], "resultFormat": "compactedList" });
    let (status, _, text) = server.query(&query, &[]);
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer[0]["events"], json!([["7", ["x", "y"], ["1", "2"]]]));
}
