//! Statements that are scans, and what conditions become.

use serde_json::{Value, json};

use super::{assert_native, native, refusals};

#[test]
fn rows_are_scans() {
    assert_native("SELECT country FROM t", json!({"queryType": "scan", "columns": ["country"]}));
    assert_native(
        "SELECT country, added + 1 AS more FROM t ORDER BY __time DESC LIMIT 5 OFFSET 2",
        json!({
            "queryType": "scan",
            "virtualColumns": [
                {"type": "expression", "name": "v0", "expression": "(\"added\" + 1)", "outputType": "LONG"},
            ],
            "columns": ["country", "v0", "__time"],
            "orderBy": [{"columnName": "__time", "order": "descending"}],
            "offset": 2,
            "limit": 5,
        }),
    );
}

#[test]
fn subqueries_and_aliases_leave_one_scan() {
    assert_native(
        "WITH a AS (SELECT country AS c, added AS n FROM t) SELECT b.c FROM (SELECT * FROM a) AS b WHERE b.n > 3",
        json!({
            "queryType": "scan",
            "columns": ["country"],
            "filter": {
                "type": "range", "column": "added", "matchValueType": "LONG", "lower": 3, "lowerOpen": true,
            },
        }),
    );
}

fn filter_of(condition: &str) -> Value {
    native(&format!("SELECT country FROM t WHERE {condition}"))["filter"].clone()
}

#[test]
fn arrays_are_compared_with_arrays_one_by_one() {
    let filter = filter_of("MV_TO_ARRAY(tags) IN (ARRAY['a', 'b'], ARRAY['c'])");
    let text = filter["expression"].as_str().unwrap();
    assert!(text.contains("== ARRAY<STRING>['c'])"), "{text}");
    assert!(henge_expr::Expr::parse(text).is_ok(), "{text}");
}

#[test]
fn conditions_are_filters_of_their_kind() {
    let france = || json!({"type": "equals", "column": "country", "matchValueType": "STRING", "matchValue": "fr"});
    assert_eq!(filter_of("country = 'fr'"), france());
    assert_eq!(filter_of("'fr' <> country"), json!({"type": "not", "field": france()}));
    assert_eq!(filter_of("country IS NULL"), json!({"type": "null", "column": "country"}));
    assert_eq!(
        filter_of("country LIKE 'f!_%' ESCAPE '!'"),
        json!({"type": "like", "dimension": "country", "pattern": "f!_%", "escape": "!"}),
    );
    assert_eq!(
        filter_of("added BETWEEN 1 AND 5 AND (tags = 'a' OR country = 'fr')"),
        json!({"type": "and", "fields": [
            {"type": "range", "column": "added", "matchValueType": "LONG", "lower": 1, "upper": 5},
            {"type": "or", "fields": [
                {"type": "equals", "column": "tags", "matchValueType": "STRING", "matchValue": "a"},
                france(),
            ]},
        ]}),
    );
    assert_eq!(
        filter_of("country IN ('a', 'b', 'c', 'd')"),
        json!({"type": "in", "dimension": "country", "values": ["a", "b", "c", "d"]}),
    );
    assert_eq!(
        filter_of("LOWER(country) = 'fr'"),
        json!({"type": "expression", "expression": "(lower(\"country\") == 'fr')"}),
    );
}

#[test]
fn unions_of_tables_are_one_scan() {
    assert_native(
        "SELECT COUNT(*) FROM (SELECT country FROM t UNION ALL SELECT country FROM u)",
        json!({
            "queryType": "timeseries",
            "dataSource": {"type": "union", "dataSources": ["t", "u"]},
            "aggregations": [{"type": "count", "name": "a0"}],
        }),
    );
    let reasons = refusals("SELECT country FROM t UNION ALL SELECT country FROM t");
    assert_eq!(reasons, ["Union: what it puts together is more than columns of tables"]);
}

#[test]
fn lists_beside_lists_stay_lists() {
    let list = |values: Value| json!({"type": "in", "dimension": "added", "values": values});
    let not = |field: Value| json!({"type": "not", "field": field});
    // None of them becomes their intersection, which would forget that `added` may be null.
    assert_eq!(
        filter_of("NOT (added IN (1, 2, 3, 4) AND added IN (5, 6, 7, 8))"),
        json!({"type": "or", "fields": [
            not(list(json!(["1", "2", "3", "4"]))),
            not(list(json!(["5", "6", "7", "8"]))),
        ]}),
    );
    assert_eq!(
        filter_of("added IN (1, 2, 3, 4) AND added NOT IN (4, 5, 6, 7)"),
        json!({"type": "and", "fields": [
            list(json!(["1", "2", "3", "4"])),
            not(list(json!(["4", "5", "6", "7"]))),
        ]}),
    );
    assert_eq!(
        filter_of("added IN (1, 2) OR added IN (3, 4)"),
        list(json!(["1", "2", "3", "4"])),
        "what OR puts together is one list"
    );
}

/// A row may have several texts: that one is `a` says nothing of the others.
#[test]
fn conditions_on_several_texts_do_not_contradict_each_other() {
    let equals = |text: &str| json!({"type": "equals", "column": "tags", "matchValueType": "STRING", "matchValue": text});
    assert_eq!(
        filter_of("tags = 'a' AND tags = 'b'"),
        json!({"type": "and", "fields": [equals("a"), equals("b")]}),
    );
    assert_eq!(
        filter_of("tags = 'a' AND tags <> 'b'"),
        json!({"type": "and", "fields": [equals("a"), {"type": "not", "field": equals("b")}]}),
    );
    assert_eq!(
        filter_of("tags IN ('a', 'b', 'c', 'd') AND added = 1"),
        json!({"type": "and", "fields": [
            {"type": "equals", "column": "added", "matchValueType": "LONG", "matchValue": 1},
            {"type": "in", "dimension": "tags", "values": ["a", "b", "c", "d"]},
        ]}),
    );
}
