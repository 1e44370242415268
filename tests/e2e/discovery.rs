//! Types of discovered columns: no value is cut or nulled, whatever comes after whatever, and
//! segments in which one column has different types answer together (A-12).

use henge_tests::TestServer;
use serde_json::{Value, json};

fn schema(datasource: &str) -> Value {
    json!({
        "dataSource": datasource,
        "timestampSpec": { "column": "t", "format": "auto" },
        "dimensionsSpec": { "dimensions": [], "useSchemaDiscovery": true },
        "granularitySpec": { "segmentGranularity": "day", "rollup": false },
    })
}

fn create(server: &TestServer, datasource: &str) {
    let path = format!("/v1/datasources/{datasource}");
    let body = schema(datasource).to_string();
    assert_eq!(server.call("PUT", &path, &[], body.as_bytes()).0, 200);
}

/// Pushes each body on its own.
fn push_all(server: &TestServer, datasource: &str, bodies: &[&str]) {
    for body in bodies {
        let (status, reply) = server.push(datasource, body.as_bytes());
        assert_eq!((status, &reply["rejected"]), (200, &json!(0)), "{body}: {reply}");
    }
}

fn query(server: &TestServer, query: &Value) -> Value {
    let (status, _, text) = server.query(query, &[]);
    assert_eq!(status, 200, "{query}: {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

/// All values of `v`, in order of time.
fn scan(server: &TestServer, datasource: &str, filter: &Value) -> Vec<Value> {
    let answer = query(
        server,
        &json!({
            "queryType": "scan", "dataSource": datasource, "intervals": ["1000/3000"],
            "columns": ["__time", "v"], "order": "ascending", "filter": filter,
        }),
    );
    let blocks = answer.as_array().cloned().unwrap_or_default();
    let events =
        blocks.iter().flat_map(|block| block["events"].as_array().cloned().unwrap_or_default());
    events.map(|event| event["v"].clone()).collect()
}

fn group_by(server: &TestServer, datasource: &str) -> Vec<(Value, Value)> {
    let answer = query(
        server,
        &json!({
            "queryType": "groupBy", "dataSource": datasource, "intervals": ["1000/3000"],
            "granularity": "all", "dimensions": ["v"],
            "aggregations": [{ "type": "count", "name": "n" }],
        }),
    );
    let rows = answer.as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| (row["event"]["v"].clone(), row["event"]["n"].clone())).collect()
}

fn top_n(server: &TestServer, datasource: &str) -> Vec<(Value, Value)> {
    let answer = query(
        server,
        &json!({
            "queryType": "topN", "dataSource": datasource, "intervals": ["1000/3000"],
            "granularity": "all", "dimension": "v", "threshold": 100, "metric": "n",
            "aggregations": [{ "type": "count", "name": "n" }],
        }),
    );
    let rows = answer[0]["result"].as_array().cloned().unwrap_or_default();
    let mut rows: Vec<_> = rows.iter().map(|row| (row["v"].clone(), row["n"].clone())).collect();
    rows.sort_by_key(|(value, _)| value.to_string());
    rows
}

fn sums(server: &TestServer, datasource: &str) -> Value {
    let answer = query(
        server,
        &json!({
            "queryType": "timeseries", "dataSource": datasource, "intervals": ["1000/3000"],
            "granularity": "all", "aggregations": [
                { "type": "count", "name": "rows" },
                { "type": "doubleSum", "name": "sum", "fieldName": "v" },
                { "type": "doubleMax", "name": "max", "fieldName": "v" },
                { "type": "longSum", "name": "whole", "fieldName": "v" },
            ],
        }),
    );
    answer[0]["result"].clone()
}

const BODIES: [&str; 4] = [
    r#"{"t":"2024-01-01T00:00Z","v":1}"#,
    r#"{"t":"2024-01-01T00:01Z","v":1.5}"#,
    r#"{"t":"2024-01-01T00:02Z","v":"abc"}"#,
    r#"{"t":"2024-01-01T00:03Z","v":7}"#,
];

/// What must hold for the rows of [`BODIES`], pushed one by one.
fn check_mixed(server: &TestServer, datasource: &str, when: &str) {
    let all = scan(server, datasource, &Value::Null);
    let texts: Vec<String> = all.iter().map(|v| v.to_string().replace('"', "")).collect();
    assert_eq!(texts, ["1", "1.5", "abc", "7"], "{when}");
    let mut groups = group_by(server, datasource);
    groups.sort_by_key(|(value, _)| value.to_string());
    let one = |value: &str| (json!(value), json!(1));
    assert_eq!(groups, [one("1"), one("1.5"), one("7"), one("abc")], "{when}");
    assert_eq!(top_n(server, datasource), [one("1"), one("1.5"), one("7"), one("abc")], "{when}");
    let matches = |filter: Value| scan(server, datasource, &filter).len();
    for value in ["1", "1.5", "abc", "7"] {
        let filter = json!({ "type": "selector", "dimension": "v", "value": value });
        assert_eq!(matches(filter), 1, "{when}: selector {value}");
    }
    let among = json!({ "type": "in", "dimension": "v", "values": ["1", "abc", "7", "x"] });
    assert_eq!(matches(among), 3, "{when}: in");
    let above = json!({ "type": "bound", "dimension": "v", "lower": "1.2", "ordering": "numeric",
        "upper": "100" });
    assert_eq!(matches(above), 2, "{when}: bound");
    let like = json!({ "type": "like", "dimension": "v", "pattern": "1%" });
    assert_eq!(matches(like), 2, "{when}: like");
    let equals =
        json!({ "type": "equals", "column": "v", "matchValueType": "LONG", "matchValue": 7 });
    assert_eq!(matches(equals), 1, "{when}: equals");
    let range = json!({ "type": "range", "column": "v", "matchValueType": "DOUBLE", "lower": 1.2,
        "upper": 100.0 });
    assert_eq!(matches(range), 2, "{when}: range");
    let not_null = json!({ "type": "not", "field": { "type": "null", "column": "v" } });
    assert_eq!(matches(not_null), 4, "{when}: not null");
    let sums = sums(server, datasource);
    assert_eq!(sums, json!({ "rows": 4, "sum": 9.5, "max": 7.0, "whole": 9 }), "{when}");
}

#[test]
fn a_12_pushes_widen_a_column_and_every_query_reads_all_types() {
    let mut server = TestServer::start();
    create(&server, "mixed");
    push_all(&server, "mixed", &BODIES);
    check_mixed(&server, "mixed", "buffered");
    server.restart();
    check_mixed(&server, "mixed", "after a restart");
    server.flush();
    check_mixed(&server, "mixed", "published");
    server.restart();
    check_mixed(&server, "mixed", "published, after a restart");
    // What was discovered is still known: a number goes on as text.
    push_all(&server, "mixed", &[r#"{"t":"2024-01-01T00:04Z","v":8}"#]);
    assert_eq!(scan(&server, "mixed", &Value::Null).last(), Some(&json!("8")));
}

#[test]
fn a_12_one_request_has_one_type_a_column() {
    let server = TestServer::start();
    create(&server, "one");
    push_all(&server, "one", &[&BODIES.join("\n")]);
    let texts = [json!("1"), json!("1.5"), json!("abc"), json!("7")];
    assert_eq!(scan(&server, "one", &Value::Null), texts);
    check_mixed(&server, "one", "one request");
    server.flush();
    check_mixed(&server, "one", "one request, published");
}

#[test]
fn a_12_a_task_takes_types_from_the_whole_input() {
    let server = TestServer::start();
    // More than one piece of input, the value that decides in the last one.
    let mut data: String = (0..120_000)
        .map(|i| format!("{{\"t\":\"2024-01-01T00:00Z\",\"v\":1,\"i\":{i}}}\n"))
        .collect();
    data.push_str(
        "{\"t\":\"2024-01-01T00:01Z\",\"v\":1.5}\n{\"t\":\"2024-01-01T00:02Z\",\"v\":\"abc\"}\n",
    );
    for rollup in [false, true] {
        let name = if rollup { "rolled" } else { "loaded" };
        let mut data_schema = schema(name);
        data_schema["granularitySpec"]["rollup"] = json!(rollup);
        let task = json!({ "type": "index_parallel", "spec": {
            "dataSchema": data_schema,
            "ioConfig": { "type": "index_parallel",
                "inputSource": { "type": "inline", "data": data }, "inputFormat": { "type": "json" } },
        }});
        let status = crate::tasks::run(&server, &task);
        assert_eq!(status["statusCode"], "SUCCESS", "{status}");
        while server.count(name) != 120_002 {
            std::thread::yield_now();
        }
        let filter = json!({ "type": "in", "dimension": "v", "values": ["1", "1.5", "abc"] });
        let values = scan(&server, name, &filter);
        assert_eq!(values.len(), 120_002);
        assert_eq!(
            (&values[0], &values[120_000], &values[120_001]),
            (&json!("1"), &json!("1.5"), &json!("abc"))
        );
    }
}

#[test]
fn p_9_what_a_declared_type_cuts_is_said() {
    let server = TestServer::start();
    server.create("declared");
    let body =
        br#"{"t":1700000000000,"x":1.5}{"t":1700000000000,"x":"abc"}{"t":1700000000000,"x":3}"#;
    let (status, reply) = server.push("declared", body);
    let changed = json!([{ "column": "x", "count": 2, "nulled": 1, "example": "1.5", "stored": "1",
        "position": 0 }]);
    assert_eq!((status, &reply["changed"]), (200, &changed));
    let status = server.call("GET", "/v1/datasources/declared", &[], b"").1;
    assert_eq!(status["valuesChangedSinceStart"], changed);
}
