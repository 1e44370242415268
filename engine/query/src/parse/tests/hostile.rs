//! Hostile bodies: each costs an error, never a crash or memory without bound.

use henge_types::format_timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{assert_refused, parse, refused, with};
use crate::limits::{MAX_FILTER_NODES, MAX_INTERVALS, MAX_JSON_DEPTH, MAX_REGEXES};
use crate::{Filter, Query, QueryError};

#[test]
fn bodies_that_are_no_query() {
    for body in ["", " ", "{", "nul", "{\"queryType\":\"scan\"", "\u{feff}{}", "{} {}", "\u{0}"] {
        assert!(matches!(Query::parse(body.as_bytes()), Err(QueryError::Json(_))), "{body:?}");
    }
    assert!(matches!(Query::parse(b"{\"a\":\"\xff\"}"), Err(QueryError::Json(_))));
    assert_refused(&json!([]), "body: must be an object, not a list");
    assert_refused(&json!({}), "queryType: missing; give one of timeseries, topN");
    assert_refused(&json!({"queryType": 1}), "queryType: must be a string, not a number");
    assert_refused(&json!({"queryType": "select"}), "queryType: select was removed");
    assert_refused(&json!({"queryType": "Scan"}), "queryType: unknown query type \"Scan\"; known:");
    assert_refused(&json!({"queryType": "scan"}), "dataSource: missing; name the datasource");
    assert_refused(
        &json!({"queryType": "scan", "dataSource": ""}),
        "dataSource: must not be empty",
    );
    assert_refused(&json!({"queryType": "scan", "dataSource": "a"}), "intervals: missing");
}

#[test]
fn h_29_bad_intervals_are_refused() {
    for text in ["2016/2015", "2015", "2015/2016/2017", "P1D/P1D", "R5/2015/P1D", "a/b", "", "/"] {
        let query = with("timeseries", json!({"intervals": [text]}));
        assert_refused(&query, "intervals[0]: ");
    }
    let hour = |i: i64| format!("{}/PT90M", format_timestamp(i * 3_600_000));
    let many: Vec<String> = (0..10_000).map(hour).collect();
    let query = parse(&with("timeseries", json!({"intervals": many})));
    assert_eq!(query.base().intervals.len(), 1, "overlapping intervals are merged");
    let too_many = vec!["2015/2016"; MAX_INTERVALS + 1];
    let query = with("timeseries", json!({"intervals": too_many}));
    assert_refused(&query, "intervals: more than 100000 intervals");
    let by_segment = json!({"type": "segments", "segments": []});
    assert!(matches!(
        refused(&with("timeseries", json!({"intervals": by_segment}))),
        QueryError::Unsupported { .. }
    ));
}

/// `{"type":"not","field":{…}}`, so many levels deep, as text.
fn nots(levels: usize) -> String {
    let mut text = String::from(
        "{\"queryType\":\"scan\",\"dataSource\":\"a\",\"intervals\":\"2015/2016\",\"filter\":",
    );
    text.push_str(&"{\"type\":\"not\",\"field\":".repeat(levels));
    text.push_str("{\"type\":\"true\"}");
    text.push_str(&"}".repeat(levels + 1));
    text
}

#[test]
fn h_79_deep_nesting_is_refused_without_a_stack_overflow() {
    assert!(Query::parse(nots(MAX_JSON_DEPTH - 5).as_bytes()).is_ok());
    let error = Query::parse(nots(MAX_JSON_DEPTH).as_bytes()).expect_err("too deep");
    assert_eq!(error.to_string(), "body: nested deeper than 100 levels");
    for levels in [1_000, 100_000] {
        let error = Query::parse(nots(levels).as_bytes()).expect_err("too deep");
        assert!(error.to_string().contains("recursion limit"), "{error}");
    }
}

#[test]
fn h_79_wide_filters_are_fine() {
    let leaf = |i: usize| json!({"type": "selector", "dimension": "a", "value": i});
    let fields: Vec<Value> = (0..10_000).map(leaf).collect();
    let query = parse(&with("scan", json!({"filter": {"type": "or", "fields": fields}})));
    assert!(matches!(&query.base().filter, Some(Filter::Or(fields)) if fields.len() == 10_000));
}

#[test]
fn h_95_a_filter_tree_has_a_limit() {
    let fields = vec![json!({"type": "true"}); MAX_FILTER_NODES + 1];
    let query = with("scan", json!({"filter": {"type": "or", "fields": fields}}));
    assert_refused(&query, "filter.fields[99999]: more than 100000 filters in one query");
}

#[test]
fn h_80_a_million_values_become_a_sorted_set() {
    let mut body = String::from(
        "{\"queryType\":\"scan\",\"dataSource\":\"a\",\"intervals\":\"2015/2016\",\"filter\":\
         {\"type\":\"in\",\"dimension\":\"d\",\"values\":[\"0\"",
    );
    for i in 0..1_000_000u32 {
        body.push_str(&format!(",\"{}\"", i.wrapping_mul(2_654_435_761) % 1_000_000));
    }
    body.push_str("]}}");
    let query = Query::parse(body.as_bytes()).expect("a query");
    let Some(Filter::In { values, .. }) = &query.base().filter else { panic!("wrong filter") };
    assert!(values.len() > 500_000);
    assert!(values.is_sorted_by(|a, b| a < b), "sorted and free of duplicates");
}

#[test]
fn h_81_regular_expressions_are_linear_and_capped() {
    let regex = |pattern: &str| {
        with("scan", json!({"filter": {"type": "regex", "dimension": "a", "pattern": pattern}}))
    };
    for pattern in ["(a+)+$", "(a|a)*b", "^.{1,10}$", ""] {
        parse(&regex(pattern));
    }
    for pattern in [".{1,100000}", "\\p{L}{1000}", "(((a{100}){100}){100})"] {
        assert_refused(&regex(pattern), "filter.pattern: bad regular expression");
        assert!(refused(&regex(pattern)).to_string().contains("simplify it"));
    }
    assert_refused(&regex(&"a".repeat(1 << 20)), "filter.pattern: pattern of 1048576 bytes");
    for pattern in ["(?=a)b", "(a)\\1", "(", "[z-a]"] {
        let error = refused(&regex(pattern)).to_string();
        assert!(error.starts_with("filter.pattern: bad regular expression"), "{error}");
        assert!(!error.contains('\n'), "one line: {error}");
    }
    let one = json!({"type": "regex", "dimension": "a", "pattern": "x"});
    let fields = vec![one; MAX_REGEXES + 1];
    let query = with("scan", json!({"filter": {"type": "and", "fields": fields}}));
    assert_refused(&query, "filter.fields[100].pattern: more than 100 regular expressions");
}

#[test]
fn h_85_limits_are_checked() {
    let limit = |limit: Value| with("scan", json!({"limit": limit}));
    assert_refused(&limit(json!(-1)), "limit: must not be negative, but is -1");
    parse(&limit(json!(i64::MAX)));
    parse(&with("scan", json!({"offset": 1_000_000_000_000i64})));
    assert_refused(&with("scan", json!({"batchSize": 0})), "batchSize: must be from 1 to");
    let spec = json!({"type": "default", "limit": 0});
    let query = with("groupBy", json!({"dimensions": [], "limitSpec": spec}));
    assert_refused(&query, "limitSpec.limit: must be at least 1");
}

#[test]
fn h_86_lists_are_capped() {
    let many: Vec<Value> =
        (0..10_001).map(|i| json!({"type": "count", "name": format!("c{i}")})).collect();
    let query = with("timeseries", json!({"aggregations": many}));
    assert_refused(&query, "aggregations: holds 10001 entries; at most 10000 are allowed");
}

#[test]
fn h_96_threshold_is_capped() {
    let top = |threshold: Value| {
        with(
            "topN",
            json!({"dimension": "page", "threshold": threshold, "metric": "rows",
                            "aggregations": [{"type": "count", "name": "rows"}]}),
        )
    };
    for threshold in [json!(1u64 << 31), json!(0), json!(-1), json!(u64::MAX), json!(1e300)] {
        assert_refused(&top(threshold), "threshold: must be from 1 to 1000000000");
    }
    assert_refused(&top(json!("ten")), "threshold: must be a whole number, not \"ten\"");
}

#[test]
fn h_91_bad_granularities_are_refused() {
    for granularity in [
        json!("fortnight"),
        json!({"type": "period", "period": "P0D"}),
        json!({"type": "period", "period": "P1D", "timeZone": "Mars/Olympus"}),
        json!({"type": "duration", "duration": 0}),
        json!({"type": "duration"}),
        json!({"type": "lunar"}),
        json!(7),
    ] {
        let query = with("timeseries", json!({"granularity": granularity}));
        assert_refused(&query, "granularity: ");
    }
}

/// JSON that looks like parts of queries, in the wrong places.
fn scrambled() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "type",
        "name",
        "fieldName",
        "fields",
        "field",
        "filter",
        "dimension",
        "dimensions",
        "value",
        "values",
        "aggregations",
        "aggregator",
        "postAggregations",
        "metric",
        "intervals",
        "granularity",
        "context",
        "columns",
        "limitSpec",
        "having",
        "havingSpecs",
        "queryType",
        "dataSource",
        "virtualColumns",
        "expression",
        "threshold",
        "subtotalsSpec",
    ]);
    let text = prop::sample::select(vec![
        "timeseries",
        "topN",
        "groupBy",
        "scan",
        "search",
        "and",
        "not",
        "in",
        "bound",
        "count",
        "longSum",
        "filtered",
        "arithmetic",
        "default",
        "2015/2016",
        "all",
        "a",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::hash_map(key.clone().prop_map(str::to_owned), inner, 0..7)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever comes is answered, and what is accepted survives the round trip.
    #[test]
    fn h_94_scrambled_queries_never_panic(
        query_type in prop::sample::select(vec!["timeseries", "topN", "groupBy", "scan", "search"]),
        mut value in scrambled(),
    ) {
        if let Value::Object(fields) = &mut value {
            fields.insert("queryType".into(), query_type.into());
            fields.entry("dataSource").or_insert("a".into());
            fields.insert("intervals".into(), "2015/2016".into());
        }
        if let Ok(query) = Query::from_value(&value) {
            let normal = query.to_value();
            let again = Query::from_value(&normal).expect("the normal form is a query");
            prop_assert_eq!(again.to_value(), normal);
        }
    }
}
