//! Caches, ETags, profiles and numbers for operators.

use henge_tests::{TestServer, count_query};
use serde_json::{Value, json};

/// A server with 100 rows in `t`, handed off.
fn server() -> TestServer {
    let server = TestServer::start();
    server.create("t");
    push(&server, 0..100);
    server.flush();
    let unseen = json!({"populateResultLevelCache": false, "populateCache": false});
    while profile(&server, &unseen)["resultCache"] == "off" {
        std::thread::yield_now();
    }
    server
}

fn push(server: &TestServer, rows: std::ops::Range<u32>) {
    let rows: Vec<String> =
        rows.map(|x| format!("{{\"t\":\"2020-01-01\",\"a\":\"v{x}\",\"x\":{x}}}")).collect();
    assert_eq!(server.push("t", rows.join("\n").as_bytes()).0, 200);
}

fn query(context: &Value) -> Value {
    let mut query = count_query("t");
    query["context"] = context.clone();
    query
}

fn profile(server: &TestServer, context: &Value) -> Value {
    let mut context = context.clone();
    context["profile"] = true.into();
    let (status, headers, text) = server.query(&query(&context), &[]);
    assert_eq!(status, 200, "{text}");
    let profile = headers.get("x-henge-profile").map(|value| value.as_bytes());
    serde_json::from_slice(profile.unwrap_or_default()).unwrap_or_default()
}

#[test]
fn f_67_answers_are_kept_and_a_new_row_is_seen_at_once() {
    let server = server();
    assert_eq!(profile(&server, &json!({}))["resultCache"], "miss");
    let again = profile(&server, &json!({}));
    assert_eq!((&again["resultCache"], &again["rowsScanned"]), (&json!("hit"), &json!(0)));
    assert_eq!(server.count("t"), 100);
    // The chunk grows again: nothing whole is kept, and the old part comes from the segment cache.
    push(&server, 100..101);
    for _ in 0..2 {
        assert_eq!(server.count("t"), 101);
        let grown = profile(&server, &json!({}));
        assert_eq!((&grown["resultCache"], &grown["segmentsCached"]), (&json!("off"), &json!(1)));
    }
}

#[test]
fn the_context_switches_caches_off() {
    let server = server();
    let off = json!({"useResultLevelCache": false, "useCache": "false"});
    for _ in 0..2 {
        let profile = profile(&server, &off);
        assert_eq!(profile["resultCache"], "off");
        assert_eq!(
            (&profile["segmentsScanned"], &profile["rowsScanned"]),
            (&json!(1), &json!(100))
        );
    }
}

#[test]
fn an_etag_saves_the_answer_until_the_data_change() {
    let server = server();
    let (_, headers, _) = server.query(&query(&json!({})), &[]);
    let etag = headers["etag"].to_str().expect("text").to_owned();
    assert_eq!(headers["x-druid-etag"], etag.as_str());
    let (status, headers, text) = server.query(&query(&json!({})), &[("If-None-Match", &etag)]);
    assert_eq!((status, text.as_str(), &headers["etag"]), (304, "", &etag.parse().unwrap()));
    let mut other = query(&json!({}));
    other["intervals"] = json!(["1000/2000"]);
    assert_eq!(server.query(&other, &[("If-None-Match", &etag)]).0, 200);
    push(&server, 0..1);
    let (status, headers, _) = server.query(&query(&json!({})), &[("If-None-Match", &etag)]);
    assert_eq!((status, headers.get("etag")), (200, None), "what grows has no ETag");
}

#[test]
fn h_108_metrics_have_fixed_names_and_no_text_of_clients() {
    let server = server();
    let mut hostile = query(&json!({"lane": "evil\"} 1\nx", "queryId": "evil"}));
    hostile["dataSource"] = "evil".into();
    assert_eq!(server.query(&hostile, &[]).0, 200);
    hostile["queryType"] = "evil".into();
    assert_eq!(server.query(&hostile, &[]).0, 400);
    let text = server.text("/metrics");
    for name in [
        "henge_queries_total{type=\"timeseries\",outcome=\"success\"}",
        "henge_queries_total{type=\"timeseries\",outcome=\"refused\"} 0",
        "henge_queries_total{type=\"unknown\",outcome=\"invalid\"} 1",
        "henge_segment_cache_bytes ",
        "henge_wal_bytes{datasource=",
        "henge_tasks{state=\"running\"} 0",
        "henge_tasks_ended_total{outcome=\"success\"} 0",
        "henge_query_seconds_bucket{type=\"timeseries\",le=\"0.001\"}",
        "henge_cache_hits_total{cache=\"segment\"}",
        "henge_cache_misses_total{cache=\"result\"}",
        "henge_query_memory_bytes 0",
    ] {
        assert!(text.contains(name), "{name} in {text}");
    }
    assert!(!text.contains("evil"));
}
