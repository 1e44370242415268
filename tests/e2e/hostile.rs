//! Hostile inputs over HTTP: an answer that names what is wrong, and a server that goes on.

use henge_tests::{TestServer, count_query};
use serde_json::{Value, json};

fn reasons(reply: &Value) -> Vec<String> {
    let errors = reply["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["reason"].to_string()).collect()
}

#[test]
fn h_01_bodies_that_are_not_events_are_refused_with_the_offset() {
    let server = TestServer::start();
    server.create("d");
    for body in [&b"hi"[..], b"", b"   ", b"\xff\xfe"] {
        let (status, answer) = server.push("d", body);
        assert_eq!(status, 400, "{body:?}: {answer}");
        assert!(answer["errorMessage"].to_string().contains("byte"), "{answer}");
    }
    for body in [&b"null"[..], b"\"x\"", b"1", b"[1,2]"] {
        let (status, answer) = server.push("d", body);
        let refused = status == 400 || answer["accepted"] == 0;
        assert!(refused && status < 500, "{body:?}: {status} {answer}");
    }
    assert_eq!(server.count("d"), 0);
}

#[test]
fn h_02_a_truncated_event_is_never_a_partial_row() {
    let server = TestServer::start();
    server.create("d");
    let event = br#"{"t":1700000000000,"a":"x","b":["p","q"],"x":12}"#;
    for cut in 1..event.len() {
        let (status, answer) = server.push("d", &event[..cut]);
        assert!(status == 400 || answer["accepted"] == 0, "cut at {cut}: {answer}");
    }
    assert_eq!(server.push("d", event).1["accepted"], 1);
    assert_eq!(server.count("d"), 1);
}

#[test]
fn h_03_h_06_h_07_oversized_events_are_refused_and_the_rest_is_stored() {
    let server = TestServer::start();
    server.create("d");
    let good = r#"{"t":1700000000000,"a":"x"}"#;
    let deep = format!("{{\"t\":1,\"a\":{}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let long = format!("{{\"t\":1,\"a\":\"{}\"}}", "y".repeat(2 << 20));
    let fields: String = (0..5_000).map(|i| format!(",\"f{i}\":1")).collect();
    let wide = format!("{{\"t\":1{fields}}}");
    let body = [good, &deep, good, &long, &wide, good].join("\n");
    let (status, reply) = server.push("d", body.as_bytes());
    assert_eq!(
        (status, &reply["accepted"], &reply["rejected"]),
        (200, &json!(3), &json!(3)),
        "{reply}"
    );
    assert_eq!(reasons(&reply).len(), 3);
    assert_eq!(server.count("d"), 3);
}

#[test]
fn h_26_an_event_in_every_hour_stops_at_the_chunk_limit() {
    let server = TestServer::start();
    server.create("d");
    let body: String =
        (0..1_200_u64).map(|i| format!("{{\"t\":{},\"a\":\"x\"}}\n", i * 3_600_000)).collect();
    let (status, reply) = server.push("d", body.as_bytes());
    assert_eq!((status, &reply["accepted"], &reply["rejected"]), (200, &json!(1_000), &json!(200)));
    assert!(reasons(&reply)[0].contains("time chunks"), "{reply}");
    assert_eq!(server.count("d"), 1_000);
}

#[test]
fn h_32_h_33_names_that_are_paths_are_refused() {
    let server = TestServer::start();
    let schema = json!({ "timestampSpec": { "column": "t" }, "dimensionsSpec": {} }).to_string();
    for name in [
        "..%2F..%2Fetc%2Fpasswd",
        "a%2Fb",
        "a%5Cb",
        "%2e%2e",
        "%252e%252e",
        "a%00b",
        "%20",
        "a%09b",
    ] {
        let path = format!("/v1/datasources/{name}");
        let (status, answer) = server.call("PUT", &path, &[], schema.as_bytes());
        assert!((400..500).contains(&status), "{name}: {status} {answer}");
    }
    let (status, _) = server.call("PUT", "/v1/datasources/%F0%9F%97%BF", &[], schema.as_bytes());
    assert_eq!(status, 200, "an emoji is a fine name");
}

#[test]
fn h_34_names_that_differ_in_case_never_share_data() {
    let server = TestServer::start();
    server.create("Sales");
    server.create("sales");
    assert_eq!(server.push("Sales", br#"{"t":1700000000000,"a":"x"}"#).0, 200);
    server.flush();
    assert_eq!((server.count("Sales"), server.count("sales")), (1, 0));
}

#[test]
fn h_15_h_60_bombs_and_oversized_bodies_are_stopped() {
    let server = TestServer::start();
    server.create("d");
    let (status, _) = server.push("d", &vec![b' '; (16 << 20) + 1]);
    assert_eq!(status, 413);
    let path = "/v1/datasources/d/events";
    let (status, answer) = server.call("POST", path, &[("Content-Encoding", "gzip")], b"not gzip");
    assert_eq!(status, 400, "{answer}");
    let (status, answer) = server.call("POST", path, &[("Content-Encoding", "br")], b"x");
    assert_eq!(status, 415, "{answer}");
}

#[test]
fn h_61_h_64_unknown_routes_and_methods_are_json_errors() {
    let server = TestServer::start();
    let (status, answer) = server.call("GET", "/druid/v3", &[], b"");
    assert_eq!((status, &answer["category"]), (404, &json!("NOT_FOUND")));
    let (status, _) = server.call("PUT", "/druid/v2", &[], b"{}");
    assert_eq!(status, 405);
}

#[test]
fn h_94_wrong_queries_name_the_field() {
    let server = TestServer::start();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut query = count_query("d");
        change(&mut query);
        let (status, answer) = server.call("POST", "/druid/v2", &[], query.to_string().as_bytes());
        assert_eq!(status, 400, "{answer}");
        answer["errorMessage"].to_string()
    };
    assert!(refused(&|q| q["queryType"] = json!("timeserie")).contains("timeseries"));
    assert!(refused(&|q| q["intervals"] = json!(["2020/2019"])).contains("intervals"));
    assert!(refused(&|q| q["granularity"] = json!("fortnight")).contains("granularity"));
    assert!(refused(&|q| q["context"] = json!({ "timeout": -1 })).contains("timeout"));
    assert!(
        refused(&|q| q["aggregations"][0] = json!({ "type": "longSum", "name": "s" }))
            .contains("fieldName")
    );
    let (status, _) = server.call("POST", "/druid/v2", &[], b"{");
    assert_eq!(status, 400);
}

#[test]
fn h_30_too_many_buckets_are_refused_before_they_are_made() {
    let server = TestServer::start();
    server.create("d");
    assert_eq!(
        server.push("d", b"{\"t\":0,\"a\":\"x\"}\n{\"t\":1700000000000,\"a\":\"y\"}").0,
        200
    );
    let mut query = count_query("d");
    query["granularity"] = json!({ "type": "duration", "duration": 1 });
    let (status, answer) = server.call("POST", "/druid/v2", &[], query.to_string().as_bytes());
    assert_eq!((status, &answer["error"]), (400, &json!("Resource limit exceeded")), "{answer}");
}
