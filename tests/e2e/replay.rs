//! A restart gives back what was acknowledged: the same rows, the same refusals, the same types, the
//! same answers to the same keys, under whatever settings.

use henge_tests::TestServer;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

fn create(server: &TestServer, datasource: &str, change: impl FnOnce(&mut Value)) {
    let mut schema = json!({
        "timestampSpec": { "column": "t", "format": "auto" },
        "dimensionsSpec": { "dimensions": [], "useSchemaDiscovery": true },
        "granularitySpec": { "segmentGranularity": "day", "rollup": false },
    });
    change(&mut schema);
    let path = format!("/v1/datasources/{datasource}");
    let (status, answer) = server.call("PUT", &path, &[], schema.to_string().as_bytes());
    assert_eq!(status, 200, "{answer}");
}

fn push_keyed(server: &TestServer, datasource: &str, key: &str, body: &str) -> (u16, Value) {
    let path = format!("/v1/datasources/{datasource}/events");
    server.call("POST", &path, &[("Idempotency-Key", key)], body.as_bytes())
}

/// All rows in order of time.
fn rows(server: &TestServer, datasource: &str) -> Vec<Value> {
    let query = json!({
        "queryType": "scan", "dataSource": datasource, "intervals": ["1000/3000"],
        "order": "ascending",
    });
    let answer = server.post("/druid/v2", &query);
    let blocks = answer.as_array().cloned().unwrap_or_default();
    let events = blocks.iter().flat_map(|b| b["events"].as_array().cloned().unwrap_or_default());
    events
        .map(|mut event| {
            // A segment says null for the columns it has; one without them does not.
            if let Some(fields) = event.as_object_mut() {
                fields.retain(|_, value| !value.is_null());
            }
            event
        })
        .collect()
}

/// Position, reason and text of every dead letter, and how many there were.
fn letters(server: &TestServer, datasource: &str) -> (Value, Vec<Value>) {
    let path = format!("/v1/datasources/{datasource}/dead-letters?limit=10000");
    let (status, answer) = server.call("GET", &path, &[], b"");
    assert_eq!(status, 200, "{answer}");
    let letters = answer["deadLetters"].as_array().cloned().unwrap_or_default();
    let known = |letter: &Value| json!([letter["position"], letter["reason"], letter["raw"]]);
    (answer["totals"]["received"].clone(), letters.iter().map(known).collect())
}

const VALUES: [&str; 14] = [
    "1",
    "-7",
    "2.5",
    "1e3",
    "true",
    "\"a\"",
    "\"7\"",
    "null",
    "[]",
    "[1,\"b\"]",
    "{\"k\":1}",
    "9007199254740993",
    "18446744073709551616",
    "1e400",
];

/// A body of a few events, some of which are refused.
fn body(random: &mut StdRng, time_ms: &mut i64) -> String {
    let mut body = String::new();
    for _ in 0..random.random_range(1..5) {
        *time_ms += 1;
        let value = |random: &mut StdRng| VALUES[random.random_range(0..VALUES.len())];
        let (v, w) = (value(random), value(random));
        let column = random.random_range(0..4);
        body += &match random.random_range(0..8) {
            0 => format!("{{\"t\":\"nonsense\",\"v\":{v}}}\n"),
            1 => format!("{{\"t\":{time_ms},\"v\":{v},}}\n"),
            2 => format!("{{\"t\":{time_ms},\"left\":\"out\",\"v\":{v}}}\n"),
            _ => format!("{{\"t\":{time_ms},\"v\":{v},\"c{column}\":{w}}}\n"),
        };
    }
    body
}

#[test]
fn i_06_any_kills_give_the_rows_refusals_types_and_keys_of_a_life_without() {
    let filter = json!({ "filter": { "type": "not", "field":
        { "type": "selector", "dimension": "left", "value": "out" } } });
    for seed in 0..6_u64 {
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let (calm, mut killed) = (TestServer::start(), TestServer::start());
        for server in [&calm, &killed] {
            create(server, "d", |schema| schema["transformSpec"] = filter.clone());
        }
        let mut time_ms = 1_700_000_000_000;
        let mut sent: Vec<(String, String, Value)> = Vec::new();
        for number in 0..40 {
            let (key, body) = (format!("k{number}"), body(&mut random, &mut time_ms));
            let (status, expected) = push_keyed(&calm, "d", &key, &body);
            assert_eq!(status, 200, "{body}: {expected}");
            let (status, reply) = push_keyed(&killed, "d", &key, &body);
            assert_eq!((status, &reply), (200, &expected), "{body}");
            sent.push((key, body, reply));
            match random.random_range(0..8) {
                0 => killed.restart(),
                1 => killed.flush(),
                2 => {
                    let (key, body, first) = &sent[random.random_range(0..sent.len())];
                    let (status, mut again) = push_keyed(&killed, "d", key, body);
                    assert_eq!((status, &again["duplicate"]), (200, &json!(true)));
                    again["duplicate"] = json!(false);
                    assert_eq!(again, *first);
                }
                3 => {
                    let (key, _, _) = &sent[random.random_range(0..sent.len())];
                    let other = format!("{{\"t\":{time_ms},\"v\":\"other\"}}");
                    assert_eq!(push_keyed(&killed, "d", key, &other).0, 422);
                }
                _ => {}
            }
        }
        killed.restart();
        assert_eq!(rows(&killed, "d"), rows(&calm, "d"), "seed {seed}");
        assert_eq!(letters(&killed, "d"), letters(&calm, "d"), "seed {seed}");
    }
}

const FOUR_DAYS: &str = r#"
    {"t":"2024-01-01","v":1}
    {"t":"2024-01-02","v":2}
    {"t":"2024-01-03","v":"x"}
    {"t":"2024-01-04","v":4}"#;

#[test]
fn f_24_limits_that_change_do_not_change_what_is_replayed() {
    let with_chunks = |chunks: u32| {
        move |config: &mut henge_platform::config::ServerConfig| {
            config.ingestion.open_chunks_per_datasource = chunks;
        }
    };
    for (before, after, stored) in [(2, 1_000, 2), (1_000, 2, 4)] {
        let mut server = TestServer::start_with(with_chunks(before));
        create(&server, "d", |_| ());
        let (status, reply) = server.push("d", FOUR_DAYS.as_bytes());
        assert_eq!((status, &reply["accepted"]), (200, &json!(stored)), "{reply}");
        let (rows_before, letters_before) = (rows(&server, "d"), letters(&server, "d"));
        for _ in 0..2 {
            server.restart_with(with_chunks(after));
            assert_eq!(rows(&server, "d"), rows_before);
            assert_eq!(letters(&server, "d"), letters_before);
        }
    }
}

#[test]
fn i_06_a_row_that_the_index_refused_stays_refused_after_a_restart() {
    let mut server = TestServer::start();
    create(&server, "d", |schema| {
        schema["dimensionsSpec"] = json!({ "dimensions": ["a"] });
        schema["metricsSpec"] =
            json!([{ "type": "HLLSketchMerge", "name": "s", "fieldName": "sketch" }]);
        schema["granularitySpec"]["rollup"] = json!(true);
    });
    let day = "\"t\":\"2024-01-01\",\"a\":\"x\"";
    let body = format!("{{{day},\"sketch\":\"AAAA\"}}{{{day}}}");
    let (status, reply) = push_keyed(&server, "d", "k", &body);
    assert_eq!((status, &reply["accepted"], &reply["rejected"]), (200, &json!(1), &json!(1)));
    let (rows_before, letters_before) = (rows(&server, "d"), letters(&server, "d"));
    assert_eq!((rows_before.len(), letters_before.1.len()), (1, 1));
    for _ in 0..2 {
        server.restart();
        assert_eq!(rows(&server, "d"), rows_before);
        assert_eq!(letters(&server, "d"), letters_before);
        let again = push_keyed(&server, "d", "k", &body).1;
        assert_eq!((&again["duplicate"], &again["accepted"]), (&json!(true), &json!(1)));
    }
}

#[test]
fn f_25_a_key_stands_for_one_body_through_restarts_publication_and_schema_changes() {
    let mut server = TestServer::start();
    create(&server, "d", |_| ());
    let refused = "{\"t\":\"never\"}{\"t\":\"nor this\"}";
    let (first, second) = ("{\"t\":\"2024-01-01\",\"v\":1}", "{\"t\":\"2024-01-01\",\"v\":2}");
    let (_, stored) = push_keyed(&server, "d", "stored", first);
    let (_, none) = push_keyed(&server, "d", "refused", refused);
    assert_eq!((&stored["accepted"], &none["rejected"]), (&json!(1), &json!(2)));
    let check = |server: &TestServer, when: &str| {
        for (key, body, accepted) in [("stored", first, 1), ("refused", refused, 0)] {
            let (status, again) = push_keyed(server, "d", key, body);
            assert_eq!((status, &again["duplicate"]), (200, &json!(true)), "{when}: {again}");
            assert_eq!(again["accepted"], accepted, "{when}");
            let (status, answer) = push_keyed(server, "d", key, second);
            assert_eq!(status, 422, "{when}: {answer}");
            let message = answer["errorMessage"].as_str().unwrap_or_default();
            assert!(message.contains(&format!("'{key}'")), "{when}: {answer}");
        }
        assert_eq!(server.count("d"), 1, "{when}");
        assert_eq!(letters(server, "d").0, 2, "{when}");
    };
    check(&server, "buffered");
    server.restart();
    check(&server, "replayed");
    create(&server, "d", |schema| schema["granularitySpec"]["segmentGranularity"] = json!("hour"));
    check(&server, "under another schema");
    server.flush();
    check(&server, "published");
    server.restart();
    check(&server, "published, after a restart");
    // A request that failed as a whole leaves its key free.
    assert_eq!(push_keyed(&server, "d", "free", "nonsense").0, 400);
    assert_eq!(push_keyed(&server, "d", "free", second).1["accepted"], 1);
}
