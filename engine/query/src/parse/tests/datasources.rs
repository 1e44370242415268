//! Data sources other than datasources by name, and lookups.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{assert_refused, count, message, parse, with};
use crate::{DataSource, LookupSet, Query, lookup_of};

fn over(source: Value) -> Value {
    let mut query = with("timeseries", json!({"granularity": "all", "aggregations": [count()]}));
    query["dataSource"] = source;
    query
}

fn inline() -> Value {
    json!({
        "type": "inline", "columnNames": ["k", "n"], "columnTypes": ["STRING", "LONG"],
        "rows": [["a", 1], [null, 2]],
    })
}

fn join(fields: &Value) -> Value {
    let mut join = json!({
        "type": "join", "left": "w", "right": inline(), "rightPrefix": "r.",
        "condition": "page == \"r.k\"", "joinType": "LEFT",
    });
    for (name, value) in fields.as_object().unwrap() {
        join[name] = value.clone();
    }
    over(join)
}

fn group_by() -> Value {
    json!({
        "queryType": "groupBy", "dataSource": "w", "intervals": ["2015/2016"], "granularity": "all",
        "dimensions": ["page"], "aggregations": [count()],
    })
}

#[test]
fn every_data_source_is_read_and_written_alike() {
    let sources = [
        inline(),
        json!({"type": "globalTable", "name": "w"}),
        json!({"type": "query", "query": group_by()}),
        join(&json!({}))["dataSource"].clone(),
        json!({"type": "filter", "base": "w", "filter": {"type": "null", "column": "page"}}),
        json!({
            "type": "unnest", "base": {"type": "union", "dataSources": ["a", "b"]},
            "virtualColumn": {"type": "expression", "name": "u", "expression": "tags", "outputType": "STRING"},
            "unnestFilter": {"type": "equals", "column": "u", "matchValueType": "STRING", "matchValue": "x"},
        }),
    ];
    for source in sources {
        let query = parse(&over(source.clone()));
        let written = query.to_value();
        let again = Query::decode(written.to_string().as_bytes()).unwrap();
        assert_eq!(again.to_value(), written, "{source}");
    }
}

#[test]
fn the_base_and_all_names_are_known() {
    let mut source =
        join(&json!({"right": {"type": "query", "query": group_by()}}))["dataSource"].clone();
    source["left"] = json!({"type": "union", "dataSources": ["a", "b"]});
    let query = parse(&over(source));
    let source = &query.base().data_source;
    assert!(!source.is_stored() && source.base().is_stored());
    assert_eq!(source.table_names(), ["a", "b"]);
    assert_eq!(source.all_table_names(), ["a", "b", "w"]);
    assert!(matches!(source.base(), DataSource::Union(_)));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let bad_rows = |rows: Value| {
        let mut source = inline();
        source["rows"] = rows;
        over(source)
    };
    assert_refused(&bad_rows(json!([["a"]])), "dataSource.rows[0]: must be a list of 2 values");
    assert_refused(&bad_rows(json!([["a", 1], 3])), "dataSource.rows[1]: must be a list");
    let mut source = inline();
    source["columnTypes"] = json!(["STRING"]);
    assert_refused(&over(source.clone()), "dataSource.columnTypes: holds 1 types for 2 columns");
    source["columnTypes"] = json!(["STRING", "SHORT"]);
    assert_refused(&over(source), "dataSource.columnTypes[1]: unknown type \"SHORT\"");
    assert_refused(&join(&json!({"joinType": "OUTER"})), "dataSource.joinType: unknown join type");
    assert_refused(&join(&json!({"rightPrefix": ""})), "dataSource.rightPrefix: must not be empty");
    assert_refused(
        &join(&json!({"rightPrefix": "__"})),
        "dataSource.rightPrefix: hides '__time' of the left side",
    );
    let mut nested = join(&json!({}))["dataSource"].clone();
    nested = json!({
        "type": "join", "left": nested, "right": inline(), "rightPrefix": "r.x.", "condition": "1",
        "joinType": "INNER",
    });
    assert_refused(&over(nested), "dataSource.rightPrefix: hides 'r.' of the left side");
    let left = json!({"type": "filter", "base": inline(), "filter": {"type": "true"}});
    let first = inline()["columnNames"][0].as_str().unwrap().to_owned();
    assert_refused(
        &join(&json!({"left": left, "rightPrefix": first[..1]})),
        &format!("dataSource.rightPrefix: hides '{first}' of the left side"),
    );
    assert_refused(&join(&json!({"condition": "a =="})), "dataSource.condition: expression");
    assert_refused(&join(&json!({"left": {"type": "tabel"}})), "dataSource.left.type: unknown");
    let mut inner = group_by();
    inner["aggregations"] = json!([count(), count()]);
    assert_refused(
        &over(json!({"type": "query", "query": inner})),
        "dataSource.query.aggregations[1].name: the result already has a column",
    );
    let inner = json!({"queryType": "timeBoundary", "dataSource": "w"});
    let nested = over(json!({"type": "query", "query": inner}));
    assert_refused(&nested, "dataSource.query: only timeseries");
    let metadata = json!({"queryType": "segmentMetadata", "dataSource": inline()});
    assert_refused(&metadata, "dataSource: there are no segments to tell of");
}

#[test]
fn h_03_queries_within_queries_are_bounded() {
    let mut query = group_by();
    for _ in 0..60 {
        let inner = json!({"type": "query", "query": query});
        query = group_by();
        query["dataSource"] = inner;
    }
    assert!(message(&query).contains("nested deeper than"), "{}", message(&query));
    let many: Vec<Value> =
        Vec::from_iter((0..101).map(|_| json!({"type": "query", "query": group_by()})));
    let joined = many.into_iter().enumerate().fold(json!("w"), |left, (at, right)| {
        if at < 45 {
            json!({
                "type": "join", "left": left, "right": right, "rightPrefix": format!("r{at:03}."),
                "condition": "1", "joinType": "INNER",
            })
        } else {
            left
        }
    });
    // Deeper than that is refused for its depth.
    parse(&over(joined));
}

fn read(query: &Value) -> Result<Query, String> {
    let mut set = LookupSet::default();
    let content = json!({"a": "x", "": "none"});
    set.insert(Arc::new(lookup_of("names", content.as_object().unwrap())));
    Query::from_value_with(query, Some(Arc::new(set))).map_err(|error| error.to_string())
}

#[test]
fn lookups_are_found_when_a_query_is_read_and_go_with_it() {
    let mut query = group_by();
    query["dimensions"] = json!([
        {"type": "lookup", "dimension": "page", "outputName": "p", "name": "names"},
        {"type": "extraction", "dimension": "user", "outputName": "u",
         "extractionFn": {"type": "registeredLookup", "lookup": "names", "retainMissingValue": true}},
    ]);
    query["filter"] = json!({
        "type": "selector", "dimension": "page", "value": "x",
        "extractionFn": {"type": "lookup", "lookup": {"type": "map", "map": {"b": "x"}}},
    });
    let read_query = read(&query).unwrap();
    assert_eq!(read_query.base().virtual_columns.len(), 3);
    let again = Query::decode(read_query.to_value().to_string().as_bytes()).unwrap();
    assert_eq!(again.to_value(), read_query.to_value());
    assert_eq!(again.cache_key(), read_query.cache_key());
    let missing = Query::from_value(&query).unwrap_err().to_string();
    assert!(missing.starts_with("dimensions[0].name: there is no lookup 'names'"), "{missing}");
    query["dimensions"] = json!([{"type": "lookup", "dimension": "page", "name": "nmaes"}]);
    let missing = read(&query).unwrap_err();
    assert!(missing.contains("there is no lookup 'nmaes'; there are: names"), "{missing}");
}

#[test]
fn keys_of_caches_know_the_content_of_lookups() {
    let mut query = group_by();
    query["virtualColumns"] = json!([{"type": "expression", "name": "v", "expression": "lookup(page, 'names', 'other')"}]);
    let key = |content: Value| {
        let mut set = LookupSet::default();
        set.insert(Arc::new(lookup_of("names", content.as_object().unwrap())));
        Query::from_value_with(&query, Some(Arc::new(set))).unwrap().cache_key()
    };
    assert_eq!(key(json!({"a": "b", "c": "d"})), key(json!({"c": "d", "a": "b"})));
    assert_ne!(key(json!({"a": "b"})), key(json!({"a": "c"})));
}

#[test]
fn extraction_functions_are_refused_where_no_virtual_column_is_seen() {
    let mut query = group_by();
    let having = json!({"type": "filter", "filter": {
        "type": "selector", "dimension": "page", "value": "x",
        "extractionFn": {"type": "lookup", "lookup": {"type": "map", "map": {}}},
    }});
    query["dimensions"] = json!(["page"]);
    query["having"] = having;
    assert_refused(&query, "having.filter: extraction functions are not supported here");
}
