//! Statements with aggregates.

use serde_json::json;

use super::{assert_native, explained, native, native_in, refusals};

#[test]
fn aggregates_without_groups_are_a_timeseries() {
    assert_native(
        "SELECT COUNT(*), SUM(added) FILTER (WHERE country = 'fr') FROM t",
        json!({
            "queryType": "timeseries",
            "aggregations": [
                {"type": "count", "name": "a0"},
                {
                    "type": "filtered",
                    "name": "a1",
                    "aggregator": {"type": "longSum", "name": "a1", "fieldName": "added"},
                    "filter": {
                        "type": "equals", "column": "country", "matchValueType": "STRING", "matchValue": "fr",
                    },
                },
            ],
        }),
    );
}

#[test]
fn what_no_native_query_computes_is_computed_below_its_aggregate() {
    for (argument, aggregator) in [
        ("COMPLEX_DECODE_BASE64('hyperUnique', TO_JSON_STRING(users))", "hyperUnique"),
        ("country ILIKE 'f%'", "cardinality"),
    ] {
        let sql = format!("SELECT APPROX_COUNT_DISTINCT({argument}) FROM t");
        let explained = explained(&sql, json!({}));
        let over = &explained[0]["query"]["aggregations"][0];
        assert_eq!(over["type"], aggregator, "{explained:#}");
        assert_eq!(explained[1]["query"]["queryType"], "scan", "{explained:#}");
    }
}

#[test]
fn groups_by_a_floor_of_time_are_a_timeseries() {
    let expected = |descending: bool| {
        let mut query = json!({
            "queryType": "timeseries",
            "granularity": {"type": "period", "period": "PT1H", "timeZone": "UTC", "origin": null},
            "aggregations": [{"type": "longSum", "name": "a0", "fieldName": "added"}],
            "context": {"skipEmptyBuckets": true},
        });
        if descending {
            query["descending"] = true.into();
            query["limit"] = 7.into();
        }
        query
    };
    assert_native("SELECT FLOOR(__time TO HOUR), SUM(added) FROM t GROUP BY 1", expected(false));
    assert_native(
        "SELECT TIME_FLOOR(__time, 'PT1H') AS h, SUM(added) FROM t GROUP BY 1 ORDER BY h DESC LIMIT 7",
        expected(true),
    );
    let zoned = native_in(
        "SELECT DATE_TRUNC('day', __time), COUNT(*) FROM t GROUP BY 1",
        json!({"sqlTimeZone": "Europe/Paris"}),
    );
    assert_eq!(zoned["granularity"]["timeZone"], "Europe/Paris");
    // Ordered by something else these are groups like any other.
    let other = native("SELECT FLOOR(__time TO HOUR), COUNT(*) FROM t GROUP BY 1 ORDER BY 2 DESC");
    assert_eq!(other["queryType"], "groupBy");
}

#[test]
fn the_best_groups_of_a_column_are_a_top_n() {
    let sql = "SELECT country, SUM(added) AS s FROM t GROUP BY 1 ORDER BY s DESC LIMIT 10";
    let expected = json!({
        "queryType": "topN",
        "dimension": {"type": "default", "dimension": "country", "outputName": "d0", "outputType": "STRING"},
        "metric": {"type": "numeric", "metric": "a0"},
        "threshold": 10,
        "aggregations": [{"type": "longSum", "name": "a0", "fieldName": "added"}],
    });
    assert_native(sql, expected);
    assert_eq!(native_in(sql, json!({"useApproximateTopN": false}))["queryType"], "groupBy");
    // A topN gives null last in either direction, SQL gives it first here.
    let least = native("SELECT country, SUM(added) FROM t GROUP BY 1 ORDER BY 2 LIMIT 3");
    assert_eq!(least["queryType"], "groupBy");
}

#[test]
fn other_groups_are_a_group_by() {
    assert_native(
        "SELECT country, UPPER(tags), SUM(added) / COUNT(*) AS mean FROM t GROUP BY 1, 2 \
         HAVING COUNT(*) > 1 AND country <> 'fr' ORDER BY mean DESC, 1 LIMIT 5 OFFSET 1",
        json!({
            "queryType": "groupBy",
            "filter": {"type": "not", "field": {
                "type": "equals", "column": "country", "matchValueType": "STRING", "matchValue": "fr",
            }},
            "virtualColumns": [
                {"type": "expression", "name": "v0", "expression": "upper(\"tags\")", "outputType": "STRING"},
            ],
            "dimensions": [
                {"type": "default", "dimension": "country", "outputName": "d0", "outputType": "STRING"},
                {"type": "default", "dimension": "v0", "outputName": "d1", "outputType": "STRING"},
            ],
            "aggregations": [
                {"type": "longSum", "name": "a0", "fieldName": "added"},
                {"type": "count", "name": "a1"},
            ],
            "postAggregations": [
                {"type": "expression", "name": "p0", "expression": "(\"a0\" / \"a1\")"},
            ],
            "having": {"type": "filter", "filter": {
                "type": "range", "column": "a1", "matchValueType": "LONG", "lower": 1, "lowerOpen": true,
            }},
            "limitSpec": {
                "type": "default",
                "columns": [
                    {"dimension": "p0", "direction": "descending", "dimensionOrder": "numeric"},
                    {"dimension": "d0", "direction": "ascending", "dimensionOrder": "lexicographic"},
                ],
                "limit": 5,
                "offset": 1,
            },
        }),
    );
}

#[test]
fn distinct_rows_are_groups() {
    let query = native("SELECT DISTINCT country FROM t");
    assert_eq!(query["queryType"], "groupBy");
    assert_eq!(query["dimensions"][0]["dimension"], "country");
}

#[test]
fn grouping_sets_are_subtotals() {
    let query = native("SELECT country, tags, COUNT(*) FROM t GROUP BY ROLLUP (country, tags)");
    assert_eq!(query["subtotalsSpec"], json!([["d0", "d1"], ["d0"], []]));
}

#[test]
fn refusals_have_reasons() {
    let reasons =
        refusals("SELECT AVG(s) FROM (SELECT country, SUM(added) AS s FROM t GROUP BY 1)");
    assert_eq!(reasons, ["Aggregate: groups of groups"]);
    let reasons = refusals("SELECT t.country FROM t JOIN u ON t.country = u.country");
    assert_eq!(reasons, ["Join: native queries have nothing like it"]);
}
