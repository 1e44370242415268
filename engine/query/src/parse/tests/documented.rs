//! The documentation lists every type that is read.

use serde_json::{Value, json};

use super::with;
use crate::Query;
use crate::ingest::DataSchema;

/// The known types of a place, as the error for an unknown type lists them.
fn known(error: &str) -> Vec<String> {
    let (_, list) = error.split_once("known: ").unwrap_or_else(|| panic!("{error}"));
    let list = list.split(';').next().unwrap_or_default();
    list.split(", ").map(|name| format!("`{name}`")).collect()
}

fn of_query(query: &Value) -> Vec<String> {
    known(&Query::from_value(query).unwrap_err().to_string())
}

#[test]
fn the_table_of_types_in_the_documentation_is_what_is_read() {
    let unknown = json!({"type": "?", "name": "x"});
    let extracted = json!({"type": "extraction", "dimension": "a", "extractionFn": unknown});
    let timeseries = |field: &str, value: Value| with("timeseries", json!({ field: value }));
    let group_by = |field: &str, value: Value| {
        with("groupBy", json!({"granularity": "all", "dimensions": ["a"], field: value}))
    };
    let metric = DataSchema::from_value(&json!({
        "dataSource": "d", "timestampSpec": {"column": "t"}, "dimensionsSpec": {},
        "metricsSpec": [unknown],
    }));
    let rows = [
        ("`dataSource`", of_query(&timeseries("dataSource", unknown.clone()))),
        ("aggregators", of_query(&timeseries("aggregations", json!([unknown])))),
        ("post-aggregators", of_query(&timeseries("postAggregations", json!([unknown])))),
        ("filters", of_query(&timeseries("filter", unknown.clone()))),
        ("`having`", of_query(&group_by("having", unknown.clone()))),
        ("virtual columns", of_query(&timeseries("virtualColumns", json!([unknown])))),
        ("dimensions", of_query(&group_by("dimensions", json!([unknown])))),
        ("extraction functions", of_query(&group_by("dimensions", json!([extracted])))),
        ("`metricsSpec`", known(&metric.unwrap_err().to_string())),
    ];
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/http-api.md");
    let documented = std::fs::read_to_string(path).unwrap();
    let rows = rows.map(|(place, types)| format!("| {place} | {} |", types.join(", ")));
    let missing: Vec<&String> = rows.iter().filter(|row| !documented.contains(*row)).collect();
    assert!(missing.is_empty(), "docs/http-api.md lacks:\n{}", rows.join("\n"));
}
