//! Fields that nothing reads.

use serde_json::{Value, json};

use super::{assert_refused, parse, with};
use crate::Query;

fn warnings(query: &Value) -> Vec<String> {
    Query::parse_with_warnings(query.to_string().as_bytes(), false).unwrap().1.warnings
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
    let strictly =
        |query: &Value| Query::parse_with_warnings(query.to_string().as_bytes(), true).map(|_| ());
    let error = strictly(&query).unwrap_err().to_string();
    assert!(error.starts_with("myComment: unknown field"), "{error}");
    query["context"]["strict"] = json!(true);
    assert!(Query::parse_with_warnings(query.to_string().as_bytes(), false).is_err());
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

/// Every place that reads an object: a name one or two letters from one that it knows is refused,
/// also where the right one stands beside it.
#[test]
fn misspelt_fields_are_refused_beside_the_right_one_in_every_place() {
    let count = json!({"type": "count", "name": "n"});
    let grouped = |fields: Value| {
        let mut query = with("groupBy", json!({"dimensions": [], "aggregations": [count]}));
        query.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        query
    };
    let series = |fields: Value| {
        let mut query = with("timeseries", json!({"aggregations": [count]}));
        query.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        query
    };
    let filter = |filter: Value| series(json!({ "filter": filter }));
    let aggregator = |spec: Value| series(json!({ "aggregations": [count, spec] }));
    let computed = |spec: Value| series(json!({ "postAggregations": [spec] }));
    let truth = json!({"type": "true"});
    for (query, path, meant) in [
        (series(json!({"filter": truth, "filtre": truth})), "filtre", "filter"),
        (series(json!({"granularity": "day", "granularty": "day"})), "granularty", "granularity"),
        (series(json!({"aggregation": []})), "aggregation", "aggregations"),
        (series(json!({"postAggregation": []})), "postAggregation", "postAggregations"),
        (
            series(json!({"intervals": ["2015/2016"], "interval": ["2015/2016"]})),
            "interval",
            "intervals",
        ),
        (series(json!({"descending": false, "desending": true})), "desending", "descending"),
        (series(json!({"limit": 3, "limits": 4})), "limits", "limit"),
        (series(json!({"context": {}, "contxt": {}})), "contxt", "context"),
        (series(json!({"virtualColumn": []})), "virtualColumn", "virtualColumns"),
        (
            series(json!({"dataSource": {"type": "table", "name": "w", "nmae": "w"}})),
            "dataSource.nmae",
            "name",
        ),
        (
            filter(json!({"type": "selector", "dimension": "a", "value": "b", "vaule": "c"})),
            "filter.vaule",
            "value",
        ),
        (
            filter(json!({"type": "selector", "dimension": "a", "dimensions": "c"})),
            "filter.dimensions",
            "dimension",
        ),
        (
            filter(json!({"type": "in", "dimension": "a", "values": [], "value": "c"})),
            "filter.value",
            "values",
        ),
        (
            filter(json!({"type": "bound", "dimension": "a", "lower": "1", "lowerstrict": true})),
            "filter.lowerstrict",
            "lowerStrict",
        ),
        (
            filter(
                json!({"type": "range", "column": "a", "matchValueType": "LONG", "lower": 1, "lowerOpne": true}),
            ),
            "filter.lowerOpne",
            "lowerOpen",
        ),
        (
            filter(json!({"type": "like", "dimension": "a", "pattern": "b", "patern": "c"})),
            "filter.patern",
            "pattern",
        ),
        (filter(json!({"type": "not", "field": truth, "fields": truth})), "filter.fields", "field"),
        (
            filter(
                json!({"type": "and", "fields": [{"type": "not", "field": {"type": "in", "dimension": "a", "values": ["b"], "vlaues": []}}]}),
            ),
            "filter.fields[0].field.vlaues",
            "values",
        ),
        (
            aggregator(json!({"type": "longSum", "name": "s", "fieldName": "a", "fieldname": "b"})),
            "aggregations[1].fieldname",
            "fieldName",
        ),
        (
            aggregator(json!({"type": "longSum", "name": "s", "fieldName": "a", "expresion": "b"})),
            "aggregations[1].expresion",
            "expression",
        ),
        (
            aggregator(
                json!({"type": "filtered", "filter": truth, "filtr": truth, "aggregator": {"type": "count", "name": "s"}}),
            ),
            "aggregations[1].filtr",
            "filter",
        ),
        (
            aggregator(
                json!({"type": "filtered", "filter": truth, "aggregator": {"type": "count", "name": "s", "nmae": "s"}}),
            ),
            "aggregations[1].aggregator.nmae",
            "name",
        ),
        (
            aggregator(json!({"type": "cardinality", "name": "s", "fields": ["a"], "byrow": true})),
            "aggregations[1].byrow",
            "byRow",
        ),
        (
            computed(
                json!({"type": "arithmetic", "name": "x", "fn": "+", "fields": [{"type": "fieldAccess", "fieldName": "n", "feildName": "n"},
            {"type": "constant", "value": 1}]}),
            ),
            "postAggregations[0].fields[0].feildName",
            "fieldName",
        ),
        (
            computed(json!({"type": "constant", "name": "x", "value": 1, "values": 1})),
            "postAggregations[0].values",
            "value",
        ),
        (
            series(
                json!({"granularity": {"type": "period", "period": "P1D", "timeZone": "UTC", "timezone": "Asia/Tokyo"}}),
            ),
            "granularity.timezone",
            "timeZone",
        ),
        (
            series(
                json!({"virtualColumns": [{"type": "expression", "name": "v", "expression": "1", "outputTyp": "LONG"}]}),
            ),
            "virtualColumns[0].outputTyp",
            "outputType",
        ),
        (
            grouped(
                json!({"dimensions": [{"type": "default", "dimension": "a", "outputNmae": "b"}]}),
            ),
            "dimensions[0].outputNmae",
            "outputName",
        ),
        (grouped(json!({"dimension": "a"})), "dimension", "dimensions"),
        (
            grouped(
                json!({"having": {"type": "greaterThan", "aggregation": "n", "value": 1, "aggregations": "n"}}),
            ),
            "having.aggregations",
            "aggregation",
        ),
        (
            grouped(
                json!({"having": {"type": "not", "havingSpec": {"type": "equalTo", "aggregation": "n", "value": 1, "vlaue": 1}}}),
            ),
            "having.havingSpec.vlaue",
            "value",
        ),
        (
            grouped(json!({"limitSpec": {"type": "default", "limit": 1, "ofset": 1}})),
            "limitSpec.ofset",
            "offset",
        ),
        (
            grouped(
                json!({"limitSpec": {"type": "default", "columns": [{"dimension": "n", "dierction": "descending"}]}}),
            ),
            "limitSpec.columns[0].dierction",
            "direction",
        ),
        (
            with(
                "topN",
                json!({"dimension": "a", "metric": {"type": "numeric", "metric": "n", "metrics": "n"}, "threshold": 1, "aggregations": [count]}),
            ),
            "metric.metrics",
            "metric",
        ),
        (
            with(
                "topN",
                json!({"dimension": "a", "metric": "n", "threshold": 1, "threshhold": 2, "aggregations": [count]}),
            ),
            "threshhold",
            "threshold",
        ),
        (with("scan", json!({"columns": ["a"], "coloumns": ["a"]})), "coloumns", "columns"),
        (
            with(
                "search",
                json!({"query": {"type": "contains", "value": "a", "caseSensitve": true}}),
            ),
            "query.caseSensitve",
            "caseSensitive",
        ),
        (
            with(
                "segmentMetadata",
                json!({"toInclude": {"type": "list", "columns": ["a"], "column": ["b"]}}),
            ),
            "toInclude.column",
            "columns",
        ),
        (with("timeBoundary", json!({"bound": "minTime", "bouond": "maxTime"})), "bouond", "bound"),
        (series(json!({"context": {"stirct": true}})), "context.stirct", "strict"),
        (series(json!({"context": {"timeout": 1, "timout": 2}})), "context.timout", "timeout"),
        (series(json!({"context": {"vectorise": true}})), "context.vectorise", "vectorize"),
    ] {
        assert_refused(&query, &format!("{path}: unknown field; did you mean '{meant}'?"));
    }
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
        context.insert((*name).to_owned(), json!("x"));
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
