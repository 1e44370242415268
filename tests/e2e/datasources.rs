//! Queries over inline rows, other queries, lookups, joins, unnested values and filters, and lookups in
//! queries: over a real server, as clients send them.

use henge_tests::TestServer;
use serde_json::{Value, json};

/// Pages `a` of countries `b` with numbers `x`, in a segment and in the buffer.
fn server() -> TestServer {
    let server = TestServer::start();
    server.create("visits");
    let rows = |rows: &[(&str, &str, i64)]| {
        let row = |(page, country, n): &(&str, &str, i64)| {
            json!({"t": "2024-01-01T00:00:00Z", "a": page, "b": country, "x": n}).to_string()
        };
        rows.iter().map(row).collect::<Vec<_>>().join("\n")
    };
    let stored = [("a", "de", 1), ("b", "de", 2), ("a", "fr", 3)];
    assert_eq!(server.push("visits", rows(&stored).as_bytes()).0, 200);
    server.flush();
    let buffered = [("c", "us", 4), ("a", "de", 5)];
    assert_eq!(server.push("visits", rows(&buffered).as_bytes()).0, 200);
    server
}

fn group_by(source: &Value, dimensions: &Value) -> Value {
    json!({
        "queryType": "groupBy", "dataSource": source, "intervals": ["1970/2100"], "granularity": "all",
        "dimensions": dimensions,
        "aggregations": [
            {"type": "count", "name": "rows"}, {"type": "longSum", "name": "n", "fieldName": "x"},
        ],
        "context": {"resultAsArray": true},
    })
}

/// As [`group_by`], over rows that have sums.
fn over_groups(source: &Value, dimensions: &Value) -> Value {
    let mut query = group_by(source, dimensions);
    query["aggregations"][1]["fieldName"] = "n".into();
    query
}

fn countries() -> Value {
    json!({
        "type": "inline", "columnNames": ["code", "name"], "columnTypes": ["STRING", "STRING"],
        "rows": [["de", "Germany"], ["fr", "France"], ["es", "Spain"]],
    })
}

fn join(join_type: &str) -> Value {
    json!({
        "type": "join", "left": "visits", "right": countries(), "rightPrefix": "c.",
        "condition": "b == \"c.code\"", "joinType": join_type,
    })
}

#[test]
fn inline_rows_are_queried_as_stored_ones() {
    let server = TestServer::start();
    let query = json!({
        "queryType": "scan", "intervals": ["-146136543-09-08T08:23:32.096Z/146140482-04-24T15:36:27.903Z"],
        "dataSource": {
            "type": "inline", "columnNames": ["x", "list"], "columnTypes": ["LONG", "ARRAY<LONG>"],
            "rows": [[3, [1, 2]], [null, null]],
        },
        "resultFormat": "compactedList", "columns": ["v", "list", "x"],
        "virtualColumns": [{"type": "expression", "name": "v", "expression": "array_length(list) + x"}],
    });
    let answer = server.post("/druid/v2", &query);
    assert_eq!(answer[0]["events"], json!([[5, [1, 2], 3], [null, null, null]]));
    let source = &query["dataSource"];
    let boundary = json!({"queryType": "timeBoundary", "dataSource": source});
    let answer = server.post("/druid/v2", &boundary);
    assert_eq!(answer[0]["result"]["maxTime"], "1970-01-01T00:00:00.000Z");
    let metadata = json!({"queryType": "segmentMetadata", "dataSource": source});
    let (status, _, text) = server.query(&metadata, &[]);
    assert!(status == 501 && text.contains("no segments to tell of"), "{status} {text}");
}

#[test]
fn a_query_reads_the_answer_of_another() {
    let server = server();
    let inner = json!({"type": "query", "query": group_by(&json!("visits"), &json!(["b", "a"]))});
    let answer = server.post("/druid/v2", &over_groups(&inner, &json!(["b"])));
    assert_eq!(answer, json!([["de", 2, 8], ["fr", 1, 3], ["us", 1, 4]]));
    // Sketches of the inner query go on in the outer one.
    let mut sketched = group_by(&json!("visits"), &json!(["b"]));
    sketched["aggregations"] =
        json!([{"type": "HLLSketchBuild", "name": "pages", "fieldName": "a"}]);
    let outer = json!({
        "queryType": "timeseries", "intervals": ["1970/2100"], "granularity": "all",
        "dataSource": {"type": "query", "query": sketched},
        "aggregations": [{"type": "HLLSketchMerge", "name": "pages", "fieldName": "pages", "round": true}],
    });
    assert_eq!(server.post("/druid/v2", &outer)[0]["result"], json!({"pages": 3}));
    // And are finished where nothing goes on with them.
    let top = json!({
        "queryType": "topN", "intervals": ["1970/2100"], "granularity": "all", "threshold": 1,
        "dataSource": outer["dataSource"], "dimension": "b", "metric": "most",
        "aggregations": [{"type": "doubleMax", "name": "most", "fieldName": "pages"}],
    });
    let best = &server.post("/druid/v2", &top)[0]["result"][0];
    assert_eq!((&best["b"], best["most"].as_f64().map(f64::round)), (&json!("de"), Some(2.0)));
}

#[test]
fn a_join_is_of_stored_and_buffered_rows() {
    let server = server();
    let rows =
        |join_type: &str| server.post("/druid/v2", &group_by(&join(join_type), &json!(["c.name"])));
    assert_eq!(rows("INNER"), json!([["France", 1, 3], ["Germany", 3, 8]]));
    assert_eq!(rows("LEFT"), json!([[null, 1, 4], ["France", 1, 3], ["Germany", 3, 8]]));
    assert_eq!(rows("RIGHT"), json!([["France", 1, 3], ["Germany", 3, 8], ["Spain", 1, null]]));
    let full = json!([[null, 1, 4], ["France", 1, 3], ["Germany", 3, 8], ["Spain", 1, null]]);
    assert_eq!(rows("FULL"), full);
    // Over a join over a query.
    let mut nested = join("INNER");
    nested["left"] = json!({"type": "query", "query": group_by(&json!("visits"), &json!(["b"]))});
    let answer = server.post("/druid/v2", &over_groups(&nested, &json!(["c.name"])));
    assert_eq!(answer, json!([["France", 1, 3], ["Germany", 1, 8]]));
}

#[test]
fn values_are_unnested_and_rows_filtered_on_the_way() {
    let server = server();
    let unnest = json!({
        "type": "unnest",
        "base": {
            "type": "filter", "base": "visits",
            "filter": {"type": "selector", "dimension": "b", "value": "de"},
        },
        "virtualColumn": {
            "type": "expression", "name": "u", "expression": "array(a, 'all')", "outputType": "STRING",
        },
    });
    let answer = server.post("/druid/v2", &group_by(&unnest, &json!(["u"])));
    assert_eq!(answer, json!([["a", 2, 6], ["all", 3, 8], ["b", 1, 2]]));
}

#[test]
fn h_86_sub_queries_are_bounded_in_words() {
    let server = server();
    let scan = json!({"queryType": "scan", "dataSource": "visits", "intervals": ["1970/2100"]});
    let mut query = group_by(&json!({"type": "query", "query": scan}), &json!(["b"]));
    query["context"] = json!({"maxSubqueryRows": 4});
    let (status, _, text) = server.query(&query, &[]);
    assert!(status == 400 && text.contains("raise \\\"maxSubqueryRows\\\""), "{status} {text}");
    query["context"] = json!({"maxSubqueryBytes": 10});
    let (status, _, text) = server.query(&query, &[]);
    assert!(status == 400 && text.contains("raise \\\"maxSubqueryBytes\\\""), "{status} {text}");
    query["context"] = json!({"maxSubqueryRows": 5});
    let (status, headers, _) = server.query(&query, &[]);
    assert_eq!(status, 200);
    assert!(headers.get("etag").is_none(), "an answer over sub-queries has no name");
}

#[test]
fn h_95_lookups_are_set_read_and_removed_and_a_missing_one_is_named() {
    let server = server();
    let config = "/druid/coordinator/v1/lookups/config";
    let post =
        |path: &str, body: &Value| server.call("POST", path, &[], body.to_string().as_bytes());
    assert_eq!(post(config, &json!({})).0, 202);
    let spec = |version: &str, of_de: &str| json!({"version": version, "lookupExtractorFactory": {"type": "map", "map": {"de": of_de, "fr": "France"}}});
    let (status, text) = post(config, &json!({"__default": {"names": spec("v1", "Germany")}}));
    assert_eq!(status, 202, "{text}");
    let mut query = group_by(&json!("visits"), &json!(["name"]));
    query["virtualColumns"] = json!([{"type": "expression", "name": "name", "expression": "lookup(b, 'names', 'other')"}]);
    let answer = json!([["France", 1, 3], ["Germany", 3, 8], ["other", 1, 4]]);
    assert_eq!(server.post("/druid/v2", &query), answer);
    let specs = json!([
        {"type": "lookup", "dimension": "b", "outputName": "o", "name": "names",
         "replaceMissingValueWith": "other"},
    ]);
    assert_eq!(server.post("/druid/v2", &group_by(&json!("visits"), &specs)), answer);
    let kept = json!([{
        "type": "extraction", "dimension": "b", "outputName": "o",
        "extractionFn": {"type": "registeredLookup", "lookup": "names", "retainMissingValue": true},
    }]);
    let answer = json!([["France", 1, 3], ["Germany", 3, 8], ["us", 1, 4]]);
    assert_eq!(server.post("/druid/v2", &group_by(&json!("visits"), &kept)), answer);
    let keys = json!({
        "queryType": "scan", "dataSource": {"type": "lookup", "lookup": "names"}, "intervals": ["1970/2100"],
        "columns": ["k", "v"], "resultFormat": "compactedList",
    });
    assert_eq!(
        server.post("/druid/v2", &keys)[0]["events"],
        json!([["de", "Germany"], ["fr", "France"]])
    );
    // What is set again has a later version; what was cached is not shown.
    assert_eq!(post(&format!("{config}/__default/names"), &spec("v1", "Deutschland")).0, 400);
    assert_eq!(post(&format!("{config}/__default/names"), &spec("v2", "Deutschland")).0, 202);
    let answer = json!([["Deutschland", 3, 8], ["France", 1, 3], ["other", 1, 4]]);
    assert_eq!(server.post("/druid/v2", &query), answer);
    let get = |path: &str| server.call("GET", path, &[], b"").1;
    assert_eq!(get(config), json!(["__default"]));
    assert_eq!(
        get("/druid/coordinator/v1/lookups/status/__default"),
        json!({"names": {"loaded": true}})
    );
    assert_eq!(get("/druid/v1/lookups/introspect/names/version"), json!({"version": "v2"}));
    assert_eq!(get("/druid/listen/v1/lookups")["names"]["version"], "v2");
    assert_eq!(server.call("DELETE", &format!("{config}/__default/names"), &[], b"").0, 202);
    let (status, _, text) = server.query(&query, &[]);
    assert!(status == 400 && text.contains("there is no lookup 'names'"), "{status} {text}");
}
