//! The questions that the demo asks, as native queries.

use henge_types::{Interval, format_timestamp};
use serde_json::{Value, json};

/// The datasource of the demo.
pub(super) const DATASOURCE: &str = "pageviews";

/// How long a visitor counts as active.
const ACTIVE_MS: i64 = 5 * 60_000;
const HOUR_MS: i64 = 3_600_000;

/// The start of the hour `hours` before the one of `now_ms`.
pub(super) fn hour_start(now_ms: i64, hours: i64) -> i64 {
    now_ms.div_euclid(HOUR_MS) * HOUR_MS - hours * HOUR_MS
}

/// The rows of an interval, counted.
pub(super) fn count(interval: Interval) -> Value {
    let aggregations = json!([{ "type": "count", "name": "rows" }]);
    timeseries(interval, "all", &aggregations)
}

/// Pages by views.
pub(super) fn top_pages(interval: Interval) -> Value {
    json!({
        "queryType": "topN",
        "dataSource": DATASOURCE,
        "intervals": [interval.to_string()],
        "granularity": "all",
        "filter": { "type": "selector", "dimension": "event_type", "value": "view" },
        "dimension": "uri",
        "metric": "views",
        "threshold": 8,
        "aggregations": [
            { "type": "count", "name": "views" },
            { "type": "longSum", "name": "duration_ms", "fieldName": "duration_ms" },
            visitors(),
        ],
        "postAggregations": [{
            "type": "arithmetic",
            "name": "mean_duration_ms",
            "fn": "/",
            "fields": [
                { "type": "fieldAccess", "fieldName": "duration_ms" },
                { "type": "fieldAccess", "fieldName": "views" },
            ],
        }],
    })
}

/// Events, visitors and purchases of each hour.
pub(super) fn views_per_hour(interval: Interval) -> Value {
    let aggregations = json!([
        { "type": "count", "name": "events" },
        of_type("view", &json!({ "type": "count", "name": "views" })),
        of_type("purchase", &json!({ "type": "count", "name": "purchases" })),
        { "type": "doubleSum", "name": "revenue", "fieldName": "revenue" },
        visitors(),
    ]);
    timeseries(interval, "hour", &aggregations)
}

/// Visitors of the last minutes.
pub(super) fn active_visitors(now_ms: i64) -> Value {
    let interval = Interval { start_ms: now_ms - ACTIVE_MS, end_ms: now_ms + HOUR_MS };
    let aggregations = json!([{ "type": "count", "name": "events" }, visitors()]);
    timeseries(interval, "all", &aggregations)
}

/// The countries and devices that pay most.
pub(super) fn revenue(interval: Interval) -> Value {
    json!({
        "queryType": "groupBy",
        "dataSource": DATASOURCE,
        "intervals": [interval.to_string()],
        "granularity": "all",
        "filter": { "type": "selector", "dimension": "event_type", "value": "purchase" },
        "dimensions": ["country", "device"],
        "aggregations": [
            { "type": "count", "name": "purchases" },
            { "type": "doubleSum", "name": "revenue", "fieldName": "revenue" },
        ],
        "limitSpec": {
            "type": "default",
            "limit": 8,
            "columns": [
                { "dimension": "revenue", "direction": "descending", "dimensionOrder": "numeric" },
            ],
        },
    })
}

/// A query to start from, for the command line.
pub(super) fn curl(url: &str, now_ms: i64) -> String {
    let query = json!({
        "queryType": "topN",
        "dataSource": DATASOURCE,
        "intervals": [format!("{}/P1D", format_timestamp(hour_start(now_ms, 12)))],
        "granularity": "all",
        "dimension": "country",
        "metric": "events",
        "threshold": 3,
        "aggregations": [{ "type": "count", "name": "events" }],
    });
    format!("curl {url}/druid/v2 -H 'Content-Type: application/json' -d '{query}'")
}

fn timeseries(interval: Interval, granularity: &str, aggregations: &Value) -> Value {
    json!({
        "queryType": "timeseries",
        "dataSource": DATASOURCE,
        "intervals": [interval.to_string()],
        "granularity": granularity,
        "aggregations": aggregations,
    })
}

fn of_type(event_type: &str, aggregator: &Value) -> Value {
    json!({
        "type": "filtered",
        "filter": { "type": "selector", "dimension": "event_type", "value": event_type },
        "aggregator": aggregator,
    })
}

fn visitors() -> Value {
    json!({ "type": "HLLSketchBuild", "name": "visitors", "fieldName": "visitor_id", "round": true })
}
