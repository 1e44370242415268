//! The normal form and the cache keys made of it.

use serde_json::{Value, json};

use crate::{Filter, Query};

fn query(extra: Value) -> Query {
    let mut value = json!({
        "queryType": "groupBy",
        "dataSource": "wikipedia",
        "intervals": ["2015-09-12/2015-09-13"],
        "dimensions": ["channel"],
        "aggregations": [{"type": "count", "name": "rows"}],
        "filter": {"type": "in", "dimension": "page", "values": ["b", "a"]},
    });
    if let (Value::Object(value), Value::Object(extra)) = (&mut value, extra) {
        value.extend(extra);
    }
    Query::from_value(&value).expect("a query")
}

#[test]
fn spelling_does_not_change_the_key() {
    let key = query(json!({})).cache_key();
    let same = [
        json!({"dataSource": {"type": "table", "name": "wikipedia"}}),
        json!({"intervals": "2015-09-12T00Z/PT24H"}),
        json!({"intervals": ["2015-09-12/2015-09-12T12", "2015-09-12T06/2015-09-13"]}),
        json!({"dimensions": [{"type": "default", "dimension": "channel"}]}),
        json!({"filter": {"type": "in", "dimension": "page", "values": ["a", "b", "a"]}}),
        json!({"granularity": "ALL", "unknown": 1}),
        json!({"context": {"queryId": "x", "timeout": 5, "priority": 3, "useCache": false,
                           "populateResultLevelCache": false, "finalize": true}}),
    ];
    for extra in same {
        assert_eq!(query(extra.clone()).cache_key(), key, "{extra}");
    }
}

#[test]
fn whatever_changes_the_answer_changes_the_key() {
    let key = query(json!({})).cache_key();
    let different = [
        json!({"dataSource": "wikipedia2"}),
        json!({"dataSource": {"type": "union", "dataSources": ["wikipedia"]}}),
        json!({"intervals": ["2015-09-12/2015-09-14"]}),
        json!({"dimensions": [{"dimension": "channel", "outputName": "c"}]}),
        json!({"dimensions": [{"dimension": "channel", "outputType": "LONG"}]}),
        json!({"filter": null}),
        json!({"filter": {"type": "in", "dimension": "page", "values": ["a", "b", null]}}),
        json!({"granularity": "day"}),
        json!({"context": {"finalize": false}}),
        json!({"context": {"resultAsArray": "true"}}),
        json!({"context": {"sortByDimsFirst": true}}),
        json!({"aggregations": [{"type": "longSum", "name": "rows", "fieldName": "a"}]}),
        json!({"having": {"type": "greaterThan", "aggregation": "rows", "value": 1}}),
        json!({"limitSpec": {"type": "default", "limit": 1}}),
        json!({"subtotalsSpec": [[]]}),
    ];
    let mut keys: Vec<u128> = different.iter().map(|e| query(e.clone()).cache_key()).collect();
    keys.push(key);
    let total = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), total, "all keys differ");
}

#[test]
fn the_normal_form_keeps_the_context_as_it_came() {
    let context = json!({"queryId": "x", "skipEmptyBuckets": "true", "keyOfTomorrow": [1]});
    let value = query(json!({"context": context})).to_value();
    assert_eq!(value["context"], context);
}

#[test]
fn empty_combinations_are_constants() {
    assert_eq!(Filter::And(vec![]).to_value(), json!({"type": "true"}));
    assert_eq!(Filter::Or(vec![]).to_value(), json!({"type": "false"}));
}

/// As a broker sends it and a data node reads it.
fn travelled(query: &Query) -> Query {
    let sent = query.to_value().to_string();
    Query::decode(sent.as_bytes()).unwrap_or_else(|error| panic!("{sent}: {error}"))
}

#[test]
fn what_code_sets_in_a_context_travels_too() {
    let mut query = query(json!({"context": {"timeout": 5, "useCache": "false", "other": 1}}));
    let context = match &mut query {
        Query::GroupBy(query) => &mut query.base.context,
        _ => unreachable!(),
    };
    context.timeout_ms = None;
    context.lane = Some("low".to_owned());
    context.finalize = false;
    let read = travelled(&query);
    let (set, read) = (&query.base().context, &read.base().context);
    assert_eq!((read.timeout_ms, read.lane.as_deref()), (None, Some("low")));
    assert_eq!((read.use_cache, read.finalize), (false, false));
    assert_eq!(read.raw["other"], json!(1));
    assert_eq!(
        format!("{:?}", (&set.use_projection, set.strict)),
        format!("{:?}", (&read.use_projection, read.strict))
    );
}

#[test]
fn what_nests_as_deep_as_it_may_can_travel() {
    let leaves = [
        json!({"type": "selector", "dimension": "a", "value": "x"}),
        json!({"type": "in", "dimension": "a", "values": ["x"]}),
        json!({"type": "interval", "dimension": "__time", "intervals": ["2020/2021"]}),
        json!({"type": "range", "column": "a", "matchValueType": "LONG", "lower": 1}),
    ];
    for leaf in leaves {
        let mut filter = leaf;
        let mut deepest = None;
        while let Ok(query) = Query::from_value(&json!({
            "queryType": "timeseries", "dataSource": "t", "intervals": "2020/2021",
            "granularity": "all", "filter": filter,
            "aggregations": [{"type": "filtered", "filter": filter,
                              "aggregator": {"type": "count", "name": "n"}}],
        })) {
            deepest = Some(query);
            filter = json!({"type": "not", "field": filter});
        }
        let deepest = deepest.expect("a query");
        assert_eq!(format!("{:?}", travelled(&deepest)), format!("{deepest:?}"));
    }
}
