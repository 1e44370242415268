//! Random projections, and projections made for a query.

use henge_query::ingest::{DataSchema, ProjectionSpec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use crate::{filters, queries};

/// Parses projections as an ingestion spec would give them. The time of each has another place in
/// the order of rows.
pub(crate) fn parse(specs: &[Value]) -> Vec<ProjectionSpec> {
    let schema = json!({
        "dataSource": "t",
        "timestampSpec": {"column": "t", "format": "auto"},
        "projections": specs,
    });
    let read = DataSchema::from_value(&schema);
    let mut specs = read.unwrap_or_else(|error| panic!("{schema}: {error}")).projections;
    for (position, spec) in specs.iter_mut().enumerate() {
        spec.time_position = position.min(spec.grouping_columns.len());
    }
    specs
}

/// Queries that projections may answer.
pub(crate) fn grouping_query() -> impl Strategy<Value = Value> {
    prop_oneof![queries::timeseries(), queries::top_n(), queries::group_by()]
}

/// The same, of aggregators that projections can store: others are counts instead.
pub(crate) fn storable_query() -> impl Strategy<Value = Value> {
    grouping_query().prop_map(|mut query| {
        for aggregator in query["aggregations"].as_array_mut().into_iter().flatten() {
            if !is_storable(aggregator) {
                *aggregator = json!({"type": "count", "name": aggregator["name"]});
            }
        }
        query
    })
}

/// One to three projections of any kind.
pub(crate) fn any() -> impl Strategy<Value = Vec<Value>> {
    let columns = subsequence(vec!["s", "l", "d", "fm", "m", "absent"], 0..=4).prop_shuffle();
    let aggregators = subsequence(all_aggregators(), 1..=9);
    let filter = prop::option::weighted(0.2, filters::filter());
    let one = (columns, granularity(), aggregators, filter).prop_map(
        |(columns, granularity, aggregators, filter)| {
            json!({
                "type": "aggregate", "granularity": granularity, "groupingColumns": columns,
                "aggregators": aggregators, "filter": filter, "virtualColumns": virtual_columns(),
            })
        },
    );
    prop::collection::vec(one, 1..=3).prop_map(named)
}

/// What decides between the projections that are made for a query.
pub(crate) fn seed() -> impl Strategy<Value = (Value, bool, Vec<&'static str>)> {
    (granularity(), any_bool(), subsequence(vec!["s", "l", "d", "fm"], 0..=2))
}

fn any_bool() -> impl Strategy<Value = bool> {
    prop::bool::ANY
}

/// Projections that group by what the query groups and filters by, and store what it aggregates.
pub(crate) fn fitting(
    query: &Value,
    (granularity, own_filter, more): &(Value, bool, Vec<&str>),
) -> Vec<Value> {
    let mut columns: Vec<String> = more.iter().map(|name| (*name).to_owned()).collect();
    let dimensions = query["dimensions"].as_array().cloned().unwrap_or_default();
    for dimension in dimensions.iter().chain([&query["dimension"]]) {
        columns.extend(dimension["dimension"].as_str().map(str::to_owned));
    }
    let filters_own = *own_filter && !query["filter"].is_null();
    if !filters_own {
        columns_of(&query["filter"], &mut columns);
    }
    let mut aggregators = Vec::new();
    for (at, aggregator) in query["aggregations"].as_array().unwrap().iter().enumerate() {
        let mut stored = aggregator.clone();
        if own_filter ^ (at % 2 == 0) && stored["type"] == "filtered" {
            columns_of(&stored["filter"], &mut columns);
            stored = stored["aggregator"].clone();
        }
        stored["name"] = json!(format!("stored{at}"));
        aggregators.push(stored);
    }
    columns.retain(|name| name != "__time" && name != "m");
    columns.sort();
    columns.dedup();
    let filter = if filters_own { query["filter"].clone() } else { Value::Null };
    let equal = query["granularity"].clone();
    let granularities = [granularity.clone(), equal];
    let projections = granularities.into_iter().map(|granularity| {
        json!({
            "type": "aggregate", "granularity": granularity, "groupingColumns": columns,
            "aggregators": aggregators, "filter": filter, "virtualColumns": virtual_columns(),
        })
    });
    named(projections.collect())
}

/// First, last, any, ends of texts and exact distinct counts are refused by name in a projection.
fn is_storable(aggregator: &Value) -> bool {
    let inner =
        if aggregator["type"] == "filtered" { &aggregator["aggregator"] } else { aggregator };
    let kind = inner["type"].as_str().unwrap_or_default();
    let refused = [
        "First",
        "Last",
        "Any",
        "exactDistinctCount",
        "stringMin",
        "stringMax",
        "doubleMean",
        "variance",
        "expression",
        "grouping",
    ];
    !refused.iter().any(|end| kind.ends_with(end))
}

fn columns_of(filter: &Value, columns: &mut Vec<String>) {
    match filter {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str() {
                    Some(name) if key == "dimension" || key == "column" => {
                        columns.push(name.to_owned());
                    }
                    Some("") | None => columns_of(value, columns),
                    Some(_) if key == "expression" => {
                        columns.extend(["s", "l", "d"].map(str::to_owned));
                    }
                    Some(_) => {}
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| columns_of(item, columns)),
        _ => {}
    }
}

fn named(mut projections: Vec<Value>) -> Vec<Value> {
    for (at, projection) in projections.iter_mut().enumerate() {
        projection["name"] = json!(format!("p{at}"));
    }
    projections
}

/// Those of the queries.
fn virtual_columns() -> Value {
    json!([
        {"type": "expression", "name": "v", "expression": "concat(s, '-', l)", "outputType": "STRING"},
        {"type": "expression", "name": "w", "expression": "lm * 2 + nvl(strlen(s), 7)", "outputType": "LONG"},
    ])
}

fn granularity() -> impl Strategy<Value = Value> {
    select(vec![
        json!("all"),
        json!("none"),
        json!("hour"),
        json!("three_hours_are_a_period"),
        json!("six_hour"),
        json!("day"),
        json!({"type": "period", "period": "P1D", "timeZone": "America/Los_Angeles"}),
    ])
    .prop_map(|granularity| match granularity == "three_hours_are_a_period" {
        true => json!({"type": "duration", "duration": 10_800_000}),
        false => granularity,
    })
}

fn all_aggregators() -> Vec<Value> {
    let plain = |kind: &str, field: &str| json!({"type": kind, "name": format!("{kind}_{field}"), "fieldName": field});
    vec![
        json!({"type": "count", "name": "rows"}),
        plain("longSum", "lm"),
        plain("longMin", "lm"),
        plain("longMax", "w"),
        plain("doubleSum", "dm"),
        plain("doubleSum", "s"),
        plain("doubleMin", "dm"),
        plain("doubleMax", "fm"),
        plain("floatSum", "fm"),
        plain("HLLSketchBuild", "v"),
        plain("HLLSketchBuild", "hm"),
        plain("HLLSketchBuild", "m"),
        plain("thetaSketch", "m"),
        plain("quantilesDoublesSketch", "dm"),
    ]
}
