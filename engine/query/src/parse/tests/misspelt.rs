//! Every place that reads an object: a name one or two letters from one that it knows is refused, also
//! where the right one stands beside it.

use serde_json::{Value, json};

use super::{assert_refused, with};

/// A query, where its misspelt field is, and what was meant.
type Case = (Value, &'static str, &'static str);

#[test]
fn misspelt_fields_are_refused_beside_the_right_one_in_every_place() {
    let all = [
        fields_of_queries_and_what_all_have(),
        fields_of_filters(),
        fields_of_aggregators_and_post_aggregators(),
        fields_of_grouped_queries(),
    ];
    for (query, path, meant) in all.into_iter().flatten() {
        assert_refused(&query, &format!("{path}: unknown field; did you mean '{meant}'?"));
    }
}

fn count() -> Value {
    json!({"type": "count", "name": "n"})
}

fn truth() -> Value {
    json!({"type": "true"})
}

fn query(query_type: &str, usual: Value, fields: &Value) -> Value {
    let mut query = with(query_type, usual);
    query.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    query
}

fn grouped(fields: &Value) -> Value {
    query("groupBy", json!({"dimensions": [], "aggregations": [count()]}), fields)
}

fn series(fields: &Value) -> Value {
    query("timeseries", json!({"aggregations": [count()]}), fields)
}

fn filter(filter: &Value) -> Value {
    series(&json!({ "filter": filter }))
}

fn aggregator(spec: &Value) -> Value {
    series(&json!({ "aggregations": [count(), spec] }))
}

fn computed(spec: &Value) -> Value {
    series(&json!({ "postAggregations": [spec] }))
}

fn fields_of_queries_and_what_all_have() -> Vec<Case> {
    vec![
        (series(&json!({"filter": truth(), "filtre": truth()})), "filtre", "filter"),
        (series(&json!({"granularity": "day", "granularty": "day"})), "granularty", "granularity"),
        (series(&json!({"aggregation": []})), "aggregation", "aggregations"),
        (series(&json!({"postAggregation": []})), "postAggregation", "postAggregations"),
        (
            series(&json!({"intervals": ["2015/2016"], "interval": ["2015/2016"]})),
            "interval",
            "intervals",
        ),
        (series(&json!({"descending": false, "desending": true})), "desending", "descending"),
        (series(&json!({"limit": 3, "limits": 4})), "limits", "limit"),
        (series(&json!({"context": {}, "contxt": {}})), "contxt", "context"),
        (series(&json!({"virtualColumn": []})), "virtualColumn", "virtualColumns"),
        (
            series(&json!({"dataSource": {"type": "table", "name": "w", "nmae": "w"}})),
            "dataSource.nmae",
            "name",
        ),
        (
            series(
                &json!({"granularity": {"type": "period", "period": "P1D", "timeZone": "UTC", "timezone": "Asia/Tokyo"}}),
            ),
            "granularity.timezone",
            "timeZone",
        ),
        (
            series(
                &json!({"virtualColumns": [{"type": "expression", "name": "v", "expression": "1", "outputTyp": "LONG"}]}),
            ),
            "virtualColumns[0].outputTyp",
            "outputType",
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
        (series(&json!({"context": {"stirct": true}})), "context.stirct", "strict"),
        (series(&json!({"context": {"timeout": 1, "timout": 2}})), "context.timout", "timeout"),
        (series(&json!({"context": {"vectorise": true}})), "context.vectorise", "vectorize"),
    ]
}

fn fields_of_filters() -> Vec<Case> {
    vec![
        (
            filter(&json!({"type": "selector", "dimension": "a", "value": "b", "vaule": "c"})),
            "filter.vaule",
            "value",
        ),
        (
            filter(&json!({"type": "selector", "dimension": "a", "dimensions": "c"})),
            "filter.dimensions",
            "dimension",
        ),
        (
            filter(&json!({"type": "in", "dimension": "a", "values": [], "value": "c"})),
            "filter.value",
            "values",
        ),
        (
            filter(&json!({"type": "bound", "dimension": "a", "lower": "1", "lowerstrict": true})),
            "filter.lowerstrict",
            "lowerStrict",
        ),
        (
            filter(
                &json!({"type": "range", "column": "a", "matchValueType": "LONG", "lower": 1, "lowerOpne": true}),
            ),
            "filter.lowerOpne",
            "lowerOpen",
        ),
        (
            filter(&json!({"type": "like", "dimension": "a", "pattern": "b", "patern": "c"})),
            "filter.patern",
            "pattern",
        ),
        (
            filter(&json!({"type": "not", "field": truth(), "fields": truth()})),
            "filter.fields",
            "field",
        ),
        (
            filter(
                &json!({"type": "and", "fields": [{"type": "not", "field": {"type": "in", "dimension": "a", "values": ["b"], "vlaues": []}}]}),
            ),
            "filter.fields[0].field.vlaues",
            "values",
        ),
    ]
}

fn fields_of_aggregators_and_post_aggregators() -> Vec<Case> {
    vec![
        (
            aggregator(
                &json!({"type": "longSum", "name": "s", "fieldName": "a", "fieldname": "b"}),
            ),
            "aggregations[1].fieldname",
            "fieldName",
        ),
        (
            aggregator(
                &json!({"type": "longSum", "name": "s", "fieldName": "a", "expresion": "b"}),
            ),
            "aggregations[1].expresion",
            "expression",
        ),
        (
            aggregator(
                &json!({"type": "filtered", "filter": truth(), "filtr": truth(), "aggregator": {"type": "count", "name": "s"}}),
            ),
            "aggregations[1].filtr",
            "filter",
        ),
        (
            aggregator(
                &json!({"type": "filtered", "filter": truth(), "aggregator": {"type": "count", "name": "s", "nmae": "s"}}),
            ),
            "aggregations[1].aggregator.nmae",
            "name",
        ),
        (
            aggregator(
                &json!({"type": "cardinality", "name": "s", "fields": ["a"], "byrow": true}),
            ),
            "aggregations[1].byrow",
            "byRow",
        ),
        (
            computed(
                &json!({"type": "arithmetic", "name": "x", "fn": "+", "fields": [{"type": "fieldAccess", "fieldName": "n", "feildName": "n"},
            {"type": "constant", "value": 1}]}),
            ),
            "postAggregations[0].fields[0].feildName",
            "fieldName",
        ),
        (
            computed(&json!({"type": "constant", "name": "x", "value": 1, "values": 1})),
            "postAggregations[0].values",
            "value",
        ),
    ]
}

fn fields_of_grouped_queries() -> Vec<Case> {
    vec![
        (
            grouped(
                &json!({"dimensions": [{"type": "default", "dimension": "a", "outputNmae": "b"}]}),
            ),
            "dimensions[0].outputNmae",
            "outputName",
        ),
        (grouped(&json!({"dimension": "a"})), "dimension", "dimensions"),
        (
            grouped(
                &json!({"having": {"type": "greaterThan", "aggregation": "n", "value": 1, "aggregations": "n"}}),
            ),
            "having.aggregations",
            "aggregation",
        ),
        (
            grouped(
                &json!({"having": {"type": "not", "havingSpec": {"type": "equalTo", "aggregation": "n", "value": 1, "vlaue": 1}}}),
            ),
            "having.havingSpec.vlaue",
            "value",
        ),
        (
            grouped(&json!({"limitSpec": {"type": "default", "limit": 1, "ofset": 1}})),
            "limitSpec.ofset",
            "offset",
        ),
        (
            grouped(
                &json!({"limitSpec": {"type": "default", "columns": [{"dimension": "n", "dierction": "descending"}]}}),
            ),
            "limitSpec.columns[0].dierction",
            "direction",
        ),
        (
            with(
                "topN",
                json!({"dimension": "a", "metric": {"type": "numeric", "metric": "n", "metrics": "n"}, "threshold": 1, "aggregations": [count()]}),
            ),
            "metric.metrics",
            "metric",
        ),
        (
            with(
                "topN",
                json!({"dimension": "a", "metric": "n", "threshold": 1, "threshhold": 2, "aggregations": [count()]}),
            ),
            "threshhold",
            "threshold",
        ),
    ]
}
