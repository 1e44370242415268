//! The reference of native queries holds: every example of it is answered, and a server serves it as JSON Schema.

use henge_query::reference::places;
use henge_tests::TestServer;
use serde_json::{Value, json};

/// A server with the datasources and the lookup that examples name.
fn server() -> TestServer {
    let server = TestServer::start();
    let schema = json!({
        "timestampSpec": { "column": "time" },
        "dimensionsSpec": { "dimensions": [
            "page", "country", "visitor", "event", "referrer",
            { "type": "long", "name": "load_ms" }, { "type": "double", "name": "revenue" },
        ] },
        "granularitySpec": { "segmentGranularity": "day", "rollup": false },
    });
    for datasource in ["visits", "clicks"] {
        let path = format!("/v1/datasources/{datasource}");
        let (status, answer) = server.call("PUT", &path, &[], schema.to_string().as_bytes());
        assert_eq!(status, 200, "{answer}");
        let events = r#"{"time":"2026-01-01T08:00:00Z","page":"/","country":"DE","visitor":"a","event":"view","referrer":"search","load_ms":120}
            {"time":"2026-01-02T08:00:00Z","page":"/docs","country":"FR","visitor":"b","event":"purchase","load_ms":80,"revenue":9.5}"#;
        let (status, answer) = server.push(datasource, events.as_bytes());
        assert_eq!((status, &answer["accepted"]), (200, &json!(2)), "{answer}");
    }
    let lookups = json!({ "__default": { "countries": {
        "version": "v1", "lookupExtractorFactory": { "type": "map", "map": { "DE": "Germany" } },
    } } });
    let config = "/druid/coordinator/v1/lookups/config";
    let headers = [("Content-Type", "application/json")];
    let (status, answer) = server.call("POST", config, &headers, lookups.to_string().as_bytes());
    assert_eq!(status, 202, "{answer}");
    while server.call("GET", "/druid/v1/lookups/introspect/countries", &[], b"").0 != 200 {
        std::thread::yield_now();
    }
    server
}

#[test]
fn every_example_of_the_reference_is_answered() {
    let server = server();
    let mut asked = 0;
    for shape in places().iter().flat_map(|place| &place.shapes) {
        let (status, headers, text) = server.query(&shape.query, &[]);
        assert_eq!(status, 200, "{}: {text}", shape.query);
        let warnings = headers.get("x-henge-warnings");
        assert_eq!(warnings, None, "{}", shape.query);
        asked += 1;
    }
    assert!(asked > 80, "{asked}");
}

#[test]
fn the_reference_is_served_as_json_schema() {
    let server = TestServer::start();
    let schema: Value = serde_json::from_str(&server.text("/v1/schema/query")).unwrap();
    assert_eq!(schema["$ref"], "#/$defs/query");
    let filters = schema["$defs"]["filter"]["anyOf"].as_array().unwrap();
    let selector = filters.iter().find(|one| one["properties"]["type"]["enum"][0] == "selector");
    assert_eq!(selector.unwrap()["required"], json!(["type", "dimension"]));
}

/// The page at the door says what is held.
#[test]
fn the_page_at_the_door_says_what_is_held() {
    let server = server();
    let text = server.text("/");
    assert!(text.contains("Datasources: 2") && text.contains("visits: "), "{text}");
}
