//! Which columns a query reads, and which it orders as text without having said so.

use serde_json::{Value, json};

use super::{parse, with};
use crate::Query;

fn columns(query: &Value) -> Vec<(String, String)> {
    parse(query).columns_read().into_iter().map(|u| (u.path, u.column)).collect()
}

fn orders(query: &Value) -> Vec<(String, String)> {
    let (_, remarks) =
        Query::parse_with_warnings(query.to_string().as_bytes(), true, None).unwrap();
    remarks.orders_by_text.into_iter().map(|u| (u.path, u.column)).collect()
}

fn uses(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(path, column)| ((*path).to_owned(), (*column).to_owned())).collect()
}

#[test]
fn columns_are_those_of_segments_at_the_first_place_that_names_them() {
    let query = json!({
        "queryType": "groupBy", "dataSource": "d", "intervals": ["2020/2021"], "granularity": "all",
        "virtualColumns": [
            {"type": "expression", "name": "v", "expression": "w + a + __time", "outputType": "LONG"},
        ],
        "filter": {"type": "and", "fields": [
            {"type": "selector", "dimension": "f", "value": "1"},
            {"type": "expression", "expression": "any((x) -> x == e, f)"},
            {"type": "null", "column": "__time"},
        ]},
        "dimensions": ["v", {"type": "default", "dimension": "g", "outputName": "out"}],
        "aggregations": [
            {"type": "count", "name": "n"},
            {"type": "filtered",
             "filter": {"type": "selector", "dimension": "h", "value": null},
             "aggregator": {"type": "longSum", "name": "s", "fieldName": "f"}},
            {"type": "doubleSum", "name": "t", "expression": "v * i"},
        ],
        "having": {"type": "greaterThan", "aggregation": "n", "value": 1},
        "limitSpec": {"type": "default", "columns": ["out", "s"]},
    });
    let expected = [
        ("filter", "f"),
        ("filter", "e"),
        ("virtualColumns[0]", "a"),
        ("virtualColumns[0]", "w"),
        ("dimensions[1]", "g"),
        ("aggregations[1]", "h"),
        ("aggregations[2]", "i"),
    ];
    assert_eq!(columns(&query), uses(&expected));
    let scan = json!({
        "queryType": "scan", "dataSource": "d", "intervals": ["2020/2021"],
        "columns": ["__time", "a", "b"],
    });
    assert_eq!(columns(&scan), uses(&[("columns[1]", "a"), ("columns[2]", "b")]));
    assert_eq!(columns(&with("timeseries", json!({"aggregations": []}))), uses(&[]));
}

#[test]
fn an_order_by_text_that_nobody_asked_for_is_told_of() {
    let group_by = |columns: Value| {
        json!({
            "queryType": "groupBy", "dataSource": "d", "intervals": ["2020/2021"],
            "granularity": "all",
            "dimensions": [
                {"type": "default", "dimension": "a", "outputName": "x"},
                {"type": "default", "dimension": "b", "outputName": "y", "outputType": "LONG"},
            ],
            "aggregations": [{"type": "count", "name": "n"}],
            "limitSpec": {"type": "default", "limit": 5, "columns": columns},
        })
    };
    let open = [
        (group_by(json!(["n", "x"])), "limitSpec.columns[1].dimensionOrder"),
        (group_by(json!([{"dimension": "x"}])), "limitSpec.columns[0].dimensionOrder"),
    ];
    for (query, path) in open {
        assert_eq!(orders(&query), uses(&[(path, "a")]));
    }
    let said = [
        json!(["y", "n"]),
        json!([{"dimension": "x", "dimensionOrder": "numeric"}]),
        json!([{"dimension": "x", "dimensionOrder": "lexicographic"}]),
        json!([]),
    ];
    for columns in said {
        assert_eq!(orders(&group_by(columns)), uses(&[]));
    }
    let top_n = |metric: Value| {
        json!({
            "queryType": "topN", "dataSource": "d", "intervals": ["2020/2021"],
            "granularity": "all", "dimension": "a", "threshold": 5, "metric": metric,
            "aggregations": [{"type": "count", "name": "n"}],
        })
    };
    assert_eq!(orders(&top_n(json!({"type": "dimension"}))), uses(&[("metric.ordering", "a")]));
    assert_eq!(
        orders(&top_n(json!({"type": "inverted", "metric": {"type": "dimension"}}))),
        uses(&[("metric.metric.ordering", "a")])
    );
    for metric in [json!("n"), json!({"type": "dimension", "ordering": "numeric"})] {
        assert_eq!(orders(&top_n(metric)), uses(&[]));
    }
    let search = |sort: Value| {
        json!({
            "queryType": "search", "dataSource": "d", "intervals": ["2020/2021"],
            "searchDimensions": ["a"], "sort": sort,
        })
    };
    assert_eq!(orders(&search(Value::Null)), uses(&[("sort", "a")]));
    assert_eq!(orders(&search(json!({"type": "lexicographic"}))), uses(&[]));
}
