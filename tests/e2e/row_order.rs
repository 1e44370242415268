//! Dimensions that sort rows before the time: what pushes hand off and what tasks write has the
//! declared order, and answers do not show it.

use henge_tests::TestServer;
use serde_json::{Value, json};

use crate::tasks::run;

/// Dimensions, the time behind the first, which is declared or left to the default.
fn dimensions(time_first: bool) -> Value {
    let time = json!({ "type": "long", "name": "__time" });
    match time_first {
        true => json!({ "dimensions": ["tenant", "page"] }),
        false => json!({ "dimensions": ["tenant", time, "page"], "forceSegmentSortByTime": false }),
    }
}

fn schema(time_first: bool) -> Value {
    json!({
        "timestampSpec": { "column": "t", "format": "millis" },
        "dimensionsSpec": dimensions(time_first),
        "metricsSpec": [{ "type": "longSum", "name": "x", "fieldName": "x" }],
        "granularitySpec": { "segmentGranularity": "day", "queryGranularity": "minute", "rollup": true },
    })
}

fn events() -> String {
    let event = |i: u64| {
        let tenant = format!("t{}", i * 7 % 5);
        json!({ "t": 1_700_006_400_000 + i * 30_000, "tenant": tenant, "page": format!("p{}", i % 3), "x": i })
    };
    (0..900).map(|i| event(i).to_string() + "\n").collect()
}

/// The columns of the rows as they lie, and the tenants in that order.
fn order(server: &TestServer, source: &str) -> (Vec<String>, Vec<String>) {
    let scan = json!({ "queryType": "scan", "dataSource": source, "intervals": ["2000/2100"],
        "resultFormat": "compactedList" });
    let answer = server.post("/druid/v2", &scan);
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    let columns = texts(&answer[0]["columns"]);
    let at = columns.iter().position(|name| name == "tenant").unwrap();
    let batches = answer.as_array().into_iter().flatten();
    let rows = batches.flat_map(|batch| batch["events"].as_array().cloned().unwrap_or_default());
    (columns, rows.map(|row| row[at].as_str().unwrap().to_owned()).collect())
}

fn answers(server: &TestServer, source: &str) -> Vec<Value> {
    let interval = "2023-11-15T01:00:00Z/2023-11-15T05:30:00Z";
    let tenant = json!({ "type": "selector", "dimension": "tenant", "value": "t2" });
    let sum = json!([{ "type": "longSum", "name": "x", "fieldName": "x" }]);
    let base = |more: Value| {
        let mut query = json!({ "dataSource": source, "intervals": [interval],
            "granularity": "hour", "aggregations": sum, "filter": tenant });
        for (key, value) in more.as_object().into_iter().flatten() {
            query[key] = value.clone();
        }
        server.post("/druid/v2", &query)
    };
    vec![
        base(json!({ "queryType": "timeseries" })),
        base(json!({ "queryType": "topN", "dimension": "page", "metric": "x", "threshold": 2 })),
        base(json!({ "queryType": "groupBy", "dimensions": ["tenant"], "filter": null })),
        base(json!({ "queryType": "timeBoundary" })),
        base(json!({ "queryType": "scan", "order": "descending", "limit": 40,
            "columns": ["__time", "tenant", "page", "x"], "resultFormat": "compactedList" })),
    ]
    .into_iter()
    .map(|answer| match answer.pointer("/0/events") {
        Some(rows) => rows.clone(),
        None => answer,
    })
    .collect()
}

#[test]
fn i_01_rows_of_a_tenant_lie_together_and_answers_stay() {
    let mut server = TestServer::start();
    for (source, time_first) in [("timed", true), ("tenants", false)] {
        let path = format!("/v1/datasources/{source}");
        let (status, reply) =
            server.call("PUT", &path, &[], schema(time_first).to_string().as_bytes());
        assert!(status < 300, "{reply}");
        let (status, reply) = server.push(source, events().as_bytes());
        assert_eq!((status, &reply["rejected"]), (200, &json!(0)), "{reply}");
    }
    let expected = answers(&server, "timed");
    assert_eq!(answers(&server, "tenants"), expected, "in memory");
    server.flush();
    assert_eq!(answers(&server, "tenants"), expected, "published");
    let (columns, tenants) = order(&server, "tenants");
    assert_eq!(columns, ["tenant", "__time", "page", "x"]);
    assert!(tenants.is_sorted() && !order(&server, "timed").1.is_sorted());

    // A task appends in the same order, and a query meets segments of both ways.
    let mut data_schema = schema(false);
    data_schema["dataSource"] = json!("tenants");
    data_schema["granularitySpec"]["rollup"] = json!(false);
    data_schema["metricsSpec"] = json!([]);
    let dimensions = data_schema["dimensionsSpec"]["dimensions"].as_array_mut().unwrap();
    dimensions.push(json!({ "type": "long", "name": "x" }));
    let status = run(
        &server,
        &json!({ "type": "index_parallel", "spec": {
            "dataSchema": data_schema,
            "ioConfig": { "type": "index_parallel", "appendToExisting": true,
                "inputSource": { "type": "inline", "data": events() },
                "inputFormat": { "type": "json" } },
        }}),
    );
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    server.restart();
    let (columns, tenants) = order(&server, "tenants");
    assert_eq!(columns[..3], ["tenant", "__time", "page"]);
    // Those of the first segment in order, then those of the second.
    assert_eq!(tenants.windows(2).filter(|pair| pair[0] > pair[1]).count(), 1);
}
