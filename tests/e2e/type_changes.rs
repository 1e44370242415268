//! Columns that segments hold by different types, after somebody changed the schema.

use henge_tests::TestServer;
use serde_json::{Value, json};

#[test]
fn a_column_that_became_text_counts_each_value_once() {
    let server = TestServer::start();
    let schema = |dimension: Value| {
        let schema = json!({
            "timestampSpec": { "column": "t", "format": "millis" },
            "dimensionsSpec": { "dimensions": [dimension] },
            "granularitySpec": { "segmentGranularity": "hour", "rollup": false },
        });
        let body = schema.to_string();
        let (status, answer) = server.call("PUT", "/v1/datasources/d", &[], body.as_bytes());
        assert_eq!(status, 200, "{answer}");
    };
    schema(json!({ "type": "long", "name": "v" }));
    let numbers = b"{\"t\":1767225600000,\"v\":1}\n{\"t\":1767225600000,\"v\":2}";
    assert_eq!(server.push("d", numbers).0, 200);
    schema(json!("v"));
    let texts = b"{\"t\":1767225600005,\"v\":\"1\"}\n{\"t\":1767225600006,\"v\":\"x\"}";
    assert_eq!(server.push("d", texts).0, 200);
    let query = json!({
        "queryType": "timeseries", "dataSource": "d", "intervals": ["2000/2100"], "granularity": "all",
        "aggregations": [{ "type": "exactDistinctCount", "name": "n", "fieldName": "v" }],
    });
    assert_eq!(server.post("/druid/v2", &query)[0]["result"], json!({ "n": 3 }));
    server.flush();
    assert_eq!(server.post("/druid/v2", &query)[0]["result"], json!({ "n": 3 }));
}
