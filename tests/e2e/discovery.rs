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

/// Queries whose answers depend on the texts of values alone.
fn text_queries(datasource: &str) -> Vec<Value> {
    let base = json!({ "dataSource": datasource, "intervals": ["1000/3000"], "granularity": "all",
        "aggregations": [{ "type": "count", "name": "n" }] });
    let with = |more: Value| {
        let mut query = base.clone();
        if let Some(fields) = query.as_object_mut() {
            fields.extend(more.as_object().cloned().unwrap_or_default());
        }
        query
    };
    let by = |dimension: Value| with(json!({ "queryType": "groupBy", "dimensions": [dimension] }));
    let filtered = |filter: Value| with(json!({ "queryType": "timeseries", "filter": filter }));
    let ordered = |order: &str| {
        with(json!({ "queryType": "groupBy", "dimensions": ["v"], "limitSpec": { "type": "default",
            "columns": [{ "dimension": "v", "dimensionOrder": order }] } }))
    };
    vec![
        by(json!("v")),
        by(json!({ "type": "default", "dimension": "v", "outputName": "o", "outputType": "LONG" })),
        by(
            json!({ "type": "default", "dimension": "v", "outputName": "o", "outputType": "DOUBLE" }),
        ),
        ordered("lexicographic"),
        ordered("numeric"),
        with(json!({ "queryType": "topN", "dimension": "v", "threshold": 100, "metric":
            { "type": "dimension", "ordering": "numeric" } })),
        with(json!({ "queryType": "topN", "dimension": "v", "threshold": 3, "metric": { "type":
            "dimension", "ordering": "lexicographic" } })),
        with(json!({ "queryType": "search", "searchDimensions": ["v"],
            "query": { "type": "contains", "value": "1" } })),
        with(json!({ "queryType": "groupBy", "dimensions": ["v"], "having": { "type": "filter",
            "filter": { "type": "bound", "dimension": "v", "lower": "2", "ordering": "numeric" } } })),
        with(json!({ "queryType": "timeseries", "aggregations": [
            { "type": "longSum", "name": "l", "fieldName": "v" },
            { "type": "doubleSum", "name": "d", "fieldName": "v" },
            { "type": "doubleMin", "name": "min", "fieldName": "v" },
            { "type": "doubleMax", "name": "max", "fieldName": "v" },
            { "type": "filtered", "filter": { "type": "selector", "dimension": "v", "value": "2.5" },
              "aggregator": { "type": "count", "name": "f" } },
        ] })),
        with(json!({ "queryType": "groupBy", "dimensions": ["e"], "virtualColumns": [{ "type":
            "expression", "name": "e", "expression": "concat(v, '!')", "outputType": "STRING" }] })),
        filtered(json!({ "type": "null", "column": "v" })),
        filtered(json!({ "type": "selector", "dimension": "v", "value": "1" })),
        filtered(json!({ "type": "selector", "dimension": "v", "value": "2.5" })),
        filtered(json!({ "type": "in", "dimension": "v", "values": ["x", "3", "0.5", null] })),
        filtered(
            json!({ "type": "bound", "dimension": "v", "lower": "1", "upper": "3", "ordering": "lexicographic" }),
        ),
        filtered(
            json!({ "type": "bound", "dimension": "v", "lower": "0.7", "ordering": "numeric" }),
        ),
        filtered(json!({ "type": "like", "dimension": "v", "pattern": "%5" })),
        filtered(json!({ "type": "regex", "dimension": "v", "pattern": "^[0-9]$" })),
        filtered(
            json!({ "type": "not", "field": { "type": "in", "dimension": "v", "values": ["x", "1"] } }),
        ),
        filtered(json!({ "type": "expression", "expression": "v == '3'" })),
    ]
}

#[test]
fn a_12_segments_of_different_types_answer_like_one_of_text() {
    let server = TestServer::start();
    create(&server, "types");
    let mut declared = schema("texts");
    declared["dimensionsSpec"] = json!({ "dimensions": ["v", "w"] });
    let body = declared.to_string();
    assert_eq!(server.call("PUT", "/v1/datasources/texts", &[], body.as_bytes()).0, 200);
    let bodies: Vec<String> = [
        r#""v":1,"w":"1""#,
        r#""v":3,"w":"x""#,
        r#""w":"only""#,
        r#""v":2.5,"w":"2.5""#,
        r#""v":0.5"#,
        r#""v":1.5"#,
        r#""v":"x","w":"x""#,
        r#""v":"10""#,
        r#""v":["1","y"]"#,
        r#""v":3"#,
        r#""w":"last""#,
    ]
    .iter()
    .enumerate()
    .map(|(minute, fields)| format!("{{\"t\":\"2024-01-01T00:{minute:02}Z\",{fields}}}"))
    .collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    push_all(&server, "types", &bodies);
    push_all(&server, "texts", &bodies);
    for when in ["buffered", "published"] {
        let asked = text_queries("types");
        let answers = asked.iter().zip(text_queries("texts")).map(|(mixed, text)| {
            let answer = |query: &Value| {
                let (status, _, answer) = server.query(query, &[]);
                assert_eq!(status, 200, "{query}: {answer}");
                answer.replace("\"texts\"", "\"types\"")
            };
            (mixed, answer(mixed), answer(&text))
        });
        let wrong: Vec<_> = answers.filter(|(_, mixed, text)| mixed != text).collect();
        assert!(wrong.is_empty(), "{when}: {wrong:#?}");
        server.flush();
    }
}
