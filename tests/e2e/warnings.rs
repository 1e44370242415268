//! What a query is told beside its answer: columns that no row has, and numbers ordered as text.

use henge_tests::TestServer;
use serde_json::{Value, json};

/// Creates a datasource that finds its columns in what is pushed.
fn discover(server: &TestServer, datasource: &str) {
    let schema = json!({
        "timestampSpec": {"column": "t"}, "dimensionsSpec": {"useSchemaDiscovery": true},
        "granularitySpec": {"segmentGranularity": "hour"},
    });
    let path = format!("/v1/datasources/{datasource}");
    let (status, answer) = server.call("PUT", &path, &[], schema.to_string().as_bytes());
    assert_eq!(status, 200, "{answer}");
}

/// The warnings of a query, which must succeed.
fn warnings(server: &TestServer, query: &Value) -> Vec<String> {
    let (status, headers, text) = server.query(query, &[]);
    assert_eq!(status, 200, "{text}");
    let header = headers.get("x-henge-warnings").map(|value| value.as_bytes().to_vec());
    header.map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap_or_default()
}

fn sum(datasource: &Value, column: &str) -> Value {
    json!({
        "queryType": "timeseries", "dataSource": datasource, "intervals": ["2020/2021"],
        "granularity": "all",
        "aggregations": [{"type": "longSum", "name": "sum", "fieldName": column}],
    })
}

#[test]
fn columns_that_no_row_has_are_told_of_buffered_and_stored() {
    let server = TestServer::start();
    discover(&server, "t");
    assert_eq!(server.push("t", b"{\"t\":\"2020-01-01\",\"views\":5}").0, 200);
    for is_stored in [false, true] {
        if is_stored {
            server.flush();
        }
        assert_eq!(warnings(&server, &sum(&json!("t"), "views")), Vec::<String>::new());
        let told = "aggregations[0]: no row of 't' has a column 'vews'; did you mean 'views'?";
        assert_eq!(warnings(&server, &sum(&json!("t"), "vews")), [told]);
        let mut strict = sum(&json!("t"), "vews");
        strict["context"] = json!({"strict": true});
        let (status, _, text) = server.query(&strict, &[]);
        assert!(status == 400 && text.contains("aggregations[0]: no row"), "{status} {text}");
        let computed = json!({
            "queryType": "scan", "dataSource": "t", "intervals": ["2020/2021"],
            "virtualColumns": [{"type": "expression", "name": "v", "expression": "views * 2"}],
            "columns": ["__time", "v", "views"],
        });
        assert_eq!(warnings(&server, &computed), Vec::<String>::new());
    }
    // A column is known as soon as one row has it, whatever was said of it before.
    assert_eq!(server.push("t", b"{\"t\":\"2020-01-01\",\"vews\":7}").0, 200);
    assert_eq!(warnings(&server, &sum(&json!("t"), "vews")), Vec::<String>::new());
    // Of several datasources one that has it is enough.
    discover(&server, "u");
    assert_eq!(server.push("u", b"{\"t\":\"2020-01-01\",\"other\":7}").0, 200);
    let union = json!({"type": "union", "dataSources": ["t", "u"]});
    assert_eq!(warnings(&server, &sum(&union, "other")), Vec::<String>::new());
    assert_eq!(warnings(&server, &sum(&union, "nobodys")).len(), 1);
}

#[test]
fn numbers_that_are_ordered_as_text_are_told_of() {
    let server = TestServer::start();
    discover(&server, "t");
    let rows =
        b"{\"t\":\"2020-01-01\",\"n\":9,\"s\":\"a\"}\n{\"t\":\"2020-01-01\",\"n\":10,\"s\":\"b\"}";
    assert_eq!(server.push("t", rows).0, 200);
    let ordered = |dimension: &str, order: Value| {
        json!({
            "queryType": "groupBy", "dataSource": "t", "intervals": ["2020/2021"],
            "granularity": "all", "dimensions": [dimension], "aggregations": [],
            "limitSpec": {"type": "default", "columns": [order]},
        })
    };
    for is_stored in [false, true] {
        if is_stored {
            server.flush();
        }
        let told = warnings(&server, &ordered("n", json!("n")));
        let beginning =
            "limitSpec.columns[0].dimensionOrder: missing, and the values of 'n' (LONG)";
        assert!(told.len() == 1 && told[0].starts_with(beginning), "{told:?}");
        let numeric = json!({"dimension": "n", "dimensionOrder": "numeric"});
        assert_eq!(warnings(&server, &ordered("n", numeric)), Vec::<String>::new());
        assert_eq!(warnings(&server, &ordered("s", json!("s"))), Vec::<String>::new());
    }
}
