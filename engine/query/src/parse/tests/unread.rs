//! Fields that nothing reads.

use serde_json::{Value, json};

use super::{assert_refused, parse, with};
use crate::Query;

fn warnings(query: &Value) -> Vec<String> {
    Query::parse_with_warnings(query.to_string().as_bytes(), false, None).unwrap().1.warnings
}

#[test]
fn a_field_a_letter_or_two_away_from_a_known_one_is_refused() {
    for (query, beginning) in [
        (
            with("timeseries", json!({"filters": {"type": "true"}})),
            "filters: unknown field; did you mean 'filter'?",
        ),
        (
            with(
                "timeseries",
                json!({"granularity": {"type": "period", "period": "P1D", "timezone": "Asia/Tokyo"}}),
            ),
            "granularity.timezone: unknown field; did you mean 'timeZone'?",
        ),
        (
            with("timeseries", json!({"decending": true})),
            "decending: unknown field; did you mean 'descending'",
        ),
        (
            with("timeseries", json!({"agregations": []})),
            "agregations: unknown field; did you mean 'agg",
        ),
        (
            with("timeseries", json!({"context": {"skipEmptyBucket": true}})),
            "context.skipEmptyBucket: unknown field; did you mean 'skipEmptyBuckets'?",
        ),
        (
            with(
                "timeseries",
                json!({"filter": {"type": "and", "fields": [
                    {"type": "bound", "dimension": "a", "lower": "1", "uper": "2"},
                ]}}),
            ),
            "filter.fields[0].uper: unknown field; did you mean 'upper'?",
        ),
        (
            with(
                "timeseries",
                json!({"aggregations": [
                    {"type": "HLLSketchBuild", "name": "h", "fieldName": "a", "Round": true},
                ]}),
            ),
            "aggregations[0].Round: unknown field; did you mean 'round'?",
        ),
    ] {
        let mut query = query;
        if query.get("agregations").is_some() {
            query.as_object_mut().unwrap().remove("aggregations");
        }
        assert_refused(&query, beginning);
    }
}

#[test]
fn other_fields_are_told_of_and_errors_when_that_is_wanted() {
    let mut query = with(
        "timeseries",
        json!({
            "myComment": "x", "vectorize": true, "legacy": null,
            "aggregations": [{"type": "count", "name": "n", "colour": "red"}],
            "context": {"label": "of the client", "vectorize": "force", "sqlQueryId": "q"},
        }),
    );
    assert_eq!(
        warnings(&query),
        ["myComment: unknown field, ignored", "aggregations[0].colour: unknown field, ignored"]
    );
    parse(&query);
    let strictly = |query: &Value| {
        Query::parse_with_warnings(query.to_string().as_bytes(), true, None).map(|_| ())
    };
    let error = strictly(&query).unwrap_err().to_string();
    assert!(error.starts_with("myComment: unknown field"), "{error}");
    query["context"]["strict"] = json!(true);
    assert!(Query::parse_with_warnings(query.to_string().as_bytes(), false, None).is_err());
    strictly(&with("timeseries", json!({}))).unwrap();
}

#[test]
fn what_is_not_looked_into_is_not_judged() {
    let query = with(
        "timeseries",
        json!({"filter": {
            "type": "in", "dimension": "a", "values": ["x", null],
        }}),
    );
    assert_eq!(warnings(&query), Vec::<String>::new());
}

#[test]
fn a_missing_field_is_found_under_its_misspelt_name() {
    let filter = json!({"filter": {"type": "selector", "dimensoin": "a", "value": "b"}});
    let told = super::message(&with("timeseries", filter));
    assert!(
        told.starts_with("filter.dimension: missing; ") && told.contains("'dimensoin'"),
        "{told}"
    );
}

/// What Druid knows and clients write of their own is never taken for a misspelt name.
#[test]
fn names_of_druid_and_of_clients_pass() {
    let mut context = serde_json::Map::new();
    for name in crate::parse::CONTEXT_OF_DRUID {
        // Bounds of sub-queries are read, so they have to be numbers.
        let value = if name.starts_with("maxSubquery") { json!("5") } else { json!("x") };
        context.insert((*name).to_owned(), value);
    }
    for name in [
        "lang",
        "line",
        "user",
        "page",
        "userId",
        "team",
        "label",
        "source",
        "trace_id",
        "dashboard",
        "tenant",
        "app",
        "version",
    ] {
        context.insert(name.to_owned(), json!("x"));
    }
    parse(&with("timeseries", json!({ "context": context })));
    let filters = json!([
        {"type": "selector", "dimension": "a", "value": "b", "filterTuning": {"useBitmapIndex": true}, "extractionFn": null},
        {"type": "bound", "dimension": "a", "lower": "1", "upper": "2", "lowerStrict": true, "upperStrict": true, "alphaNumeric": false,
         "ordering": "numeric", "extractionFn": null, "filterTuning": null},
    ]);
    let aggregators = json!([
        {"type": "hyperUnique", "name": "h", "fieldName": "a", "isInputHyperUnique": false, "round": true},
        {"type": "thetaSketch", "name": "t", "fieldName": "a", "isInputThetaSketch": false, "size": 4096, "shouldFinalize": true},
        {"type": "quantilesDoublesSketch", "name": "q", "fieldName": "a", "k": 128, "maxStreamLength": 1000},
        {"type": "HLLSketchBuild", "name": "l", "fieldName": "a", "lgK": 12, "tgtHllType": "HLL_4", "round": true, "stringEncoding": "utf8"},
        {"type": "cardinality", "name": "c", "fields": ["a"], "fieldNames": null, "byRow": true, "round": true},
    ]);
    let computed = json!([{"type": "expression", "name": "e", "expression": "1", "ordering": null, "outputType": "LONG"}]);
    let query = with(
        "groupBy",
        json!({
            "dimensions": [{"type": "default", "dimension": "a", "outputName": "a", "outputType": "STRING"}],
            "filter": {"type": "and", "fields": filters}, "aggregations": aggregators, "postAggregations": computed,
            "having": {"type": "filter", "filter": {"type": "true"}, "finalize": true}, "subtotalsSpec": null,
            "limitSpec": {"type": "default", "columns": [], "offset": 0, "limit": 5},
        }),
    );
    parse(&query);
}
