//! Aggregators, post-aggregators, dimensions, virtual columns, and the names that join them.

use henge_types::{ErrorClass, HllType, Value as TypedValue};
use serde_json::{Value, json};

use super::{assert_refused, count, parse, refused, with};
use crate::aggregate::{Cardinality, Hll, Quantiles, Theta};
use crate::{AggregatorKind, AggregatorSpec, Filter, PostAggregator, Query};

fn aggregator(spec: &Value) -> AggregatorSpec {
    match parse(&with("timeseries", json!({"aggregations": [spec]}))) {
        Query::Timeseries(mut query) => query.aggregations.remove(0),
        other => panic!("wrong type {other:?}"),
    }
}

#[test]
fn sketches_take_their_parameters() {
    let spec = json!({"type": "HLLSketchMerge", "name": "a", "fieldName": "f", "lgK": 14,
                      "tgtHllType": "HLL_8", "round": true, "shouldFinalize": false});
    assert!(matches!(
        aggregator(&spec).kind,
        AggregatorKind::Hll(Hll {
            lg_k: 14,
            hll_type: HllType::Hll8,
            round: true,
            should_finalize: false,
            merge: true,
            ..
        })
    ));
    let spec = json!({"type": "HLLSketchBuild", "name": "a", "fieldName": "f"});
    assert!(matches!(
        aggregator(&spec).kind,
        AggregatorKind::Hll(Hll { lg_k: 12, should_finalize: true, merge: false, .. })
    ));
    let spec = json!({"type": "thetaSketch", "name": "a", "fieldName": "f"});
    assert!(matches!(aggregator(&spec).kind, AggregatorKind::Theta(Theta { size: 16_384, .. })));
    let spec = json!({"type": "quantilesDoublesSketch", "name": "a", "fieldName": "f", "k": 256});
    assert!(matches!(aggregator(&spec).kind, AggregatorKind::Quantiles(Quantiles { k: 256, .. })));
    let spec = json!({"type": "cardinality", "name": "a", "fieldNames": ["x", "y"], "byRow": true});
    assert!(matches!(
        aggregator(&spec).kind,
        AggregatorKind::Cardinality(Cardinality { fields, by_row: true, .. }) if fields.len() == 2
    ));
}

#[test]
fn h_87_sketch_parameters_are_checked() {
    let bad = |spec: Value| with("timeseries", json!({"aggregations": [spec]}));
    let hll =
        |k: Value| bad(json!({"type": "HLLSketchBuild", "name": "a", "fieldName": "f", "lgK": k}));
    assert_refused(&hll(json!(26)), "aggregations[0].lgK: must be from 4 to 21, but is 26");
    assert_refused(&hll(json!("NaN")), "aggregations[0].lgK: must be a whole number");
    assert_refused(&hll(json!(-1)), "aggregations[0].lgK: must be from 4 to 21");
    let theta = |size: Value| {
        bad(json!({"type": "thetaSketch", "name": "a", "fieldName": "f", "size": size}))
    };
    assert_refused(&theta(json!(1000)), "aggregations[0].size: must be a power of two");
    assert_refused(&theta(json!(u64::MAX)), "aggregations[0].size: must be from 32");
}

#[test]
fn filtered_wrappers_join_their_filters_and_the_outer_name_wins() {
    let inner = json!({"type": "filtered", "name": "inner", "filter": {"type": "false"},
                       "aggregator": {"type": "count", "name": "c"}});
    let spec = json!({"type": "filtered", "name": "outer", "filter": {"type": "true"},
                      "aggregator": inner});
    let spec = aggregator(&spec);
    assert_eq!(spec.name, "outer");
    assert!(matches!(spec.filter, Some(Filter::And(both)) if both.len() == 2));
    let unnamed = json!({"type": "filtered", "name": "", "filter": {"type": "true"},
                         "aggregator": {"type": "count", "name": "c"}});
    assert_eq!(aggregator(&unnamed).name, "c");
}

#[test]
fn a_missing_field_is_named_with_an_example() {
    let query =
        with("timeseries", json!({"aggregations": [count(), {"type": "longSum", "name": "s"}]}));
    assert_refused(
        &query,
        "aggregations[1].fieldName: missing; give the column to aggregate, for example \
         \"fieldName\": \"added\"",
    );
    let both = json!({"type": "longSum", "name": "s", "fieldName": "a", "expression": "b"});
    let query = with("timeseries", json!({"aggregations": [both]}));
    assert_refused(&query, "aggregations[0].expression: give fieldName or expression, not both");
}

#[test]
fn groupings_tell_which_dimensions_a_set_leaves_out() {
    let fields = |groupings: Value| {
        json!({
            "dimensions": [{"dimension": "a", "outputName": "x"}, "b", "c"],
            "subtotalsSpec": [["x", "b"], ["c"], []],
            "aggregations": [{"type": "grouping", "name": "g", "groupings": groupings}],
        })
    };
    let Query::GroupBy(query) = parse(&with("groupBy", fields(json!(["a", "b", "c"])))) else {
        panic!("wrong type")
    };
    let AggregatorKind::Grouping(grouping) = &query.aggregations[0].kind else {
        panic!("wrong aggregator")
    };
    let of_set = |set: &Vec<usize>| grouping.of_set(&query.dimensions, set);
    let values: Vec<i64> = query.subtotals.iter().flatten().map(of_set).collect();
    assert_eq!(values, [0b001, 0b110, 0b111]);
    assert_eq!(
        parse(&Query::GroupBy(query.clone()).to_value()).to_value()["aggregations"][0]["groupings"],
        json!(["a", "b", "c"])
    );
    assert_refused(
        &with("groupBy", fields(json!(["x", "d"]))),
        "aggregations[0].groupings[1]: 'd' is no dimension of the query",
    );
    let grouping = json!({"type": "grouping", "name": "g", "groupings": ["a"]});
    parse(&with("timeseries", json!({"aggregations": [grouping]})));
}

#[test]
fn accumulators_of_one_field_are_combined_as_they_are_folded() {
    let folded = |fields: Value, fold: &str| json!({"type": "expression", "name": "total", "fields": fields, "initialValue": "0", "fold": fold});
    let query = |aggregator: Value| with("timeseries", json!({"aggregations": [aggregator]}));
    let sum = parse(&query(folded(json!(["index"]), "__acc + index")));
    let written = sum.to_value()["aggregations"][0]["combine"].clone();
    assert_eq!(written, json!("__acc + \"total\""));
    assert_refused(
        &query(folded(json!(["a", "b"]), "__acc + a + b")),
        "aggregations[0].combine: missing; give the expression",
    );
}

#[test]
fn types_that_druid_knows_are_unsupported_and_others_are_mistakes() {
    let query = |kind: &str| {
        with("timeseries", json!({"aggregations": [{"type": kind, "name": "a", "fieldName": "f"}]}))
    };
    let error = refused(&query("fixedBucketsHistogram"));
    assert_eq!(error.class(), ErrorClass::Unsupported);
    assert_eq!(error.path(), Some("aggregations[0].type"));
    let error = refused(&query("longsum"));
    assert_eq!(error.class(), ErrorClass::InvalidInput);
    assert!(error.to_string().contains("known: count, longSum"), "{error}");
    let query = with("groupBy", json!({"virtualColumns": [{"type": "fallback"}]}));
    assert_eq!(refused(&query).class(), ErrorClass::Unsupported);
    let query =
        with("groupBy", json!({"dimensions": [{"dimension": "a", "outputType": "ARRAY<LONG>"}]}));
    assert_eq!(refused(&query).class(), ErrorClass::Unsupported);
}

#[test]
fn post_aggregators_are_read() {
    let fields = json!({
        "aggregations": [{"type": "hyperUnique", "name": "u", "fieldName": "f", "round": true}],
        "postAggregations": [
            {"type": "hyperUniqueCardinality", "name": "a", "fieldName": "u"},
            {"type": "HLLSketchEstimate", "name": "b",
             "field": {"type": "fieldAccess", "fieldName": "u"}},
            {"type": "constant", "name": "c", "value": 2.5},
            {"type": "constant", "name": "d", "value": 9007199254740993i64},
            {"type": "doubleGreatest", "name": "e", "fields": [
                {"type": "finalizingFieldAccess", "fieldName": "u"},
                {"type": "constant", "value": 1}]},
        ],
    });
    let Query::Timeseries(query) = parse(&with("timeseries", fields)) else { panic!("wrong type") };
    let specs = &query.post_aggregations;
    // Druid rounds this one as the aggregator says.
    assert!(matches!(specs[0], PostAggregator::SketchEstimate { round: true, .. }));
    assert!(matches!(specs[1], PostAggregator::SketchEstimate { round: false, .. }));
    assert!(matches!(specs[2], PostAggregator::Constant { value: TypedValue::Double(_), .. }));
    assert!(matches!(
        specs[3],
        PostAggregator::Constant { value: TypedValue::Long(9_007_199_254_740_993), .. }
    ));
    assert!(matches!(specs[4], PostAggregator::Extreme { greatest: true, long: false, .. }));
}

#[test]
fn post_aggregators_read_only_what_comes_before_them() {
    let query = |posts: Value| {
        with("timeseries", json!({"aggregations": [count()], "postAggregations": posts}))
    };
    let access =
        |name: &str, field: &str| json!({"type": "fieldAccess", "name": name, "fieldName": field});
    parse(&query(json!([access("a", "rows"), access("b", "a")])));
    assert_refused(
        &query(json!([access("a", "b"), access("b", "rows")])),
        "postAggregations[0].fieldName: 'b' is no column of the result; there are: rows",
    );
    let nested = json!({"type": "arithmetic", "name": "x", "fn": "+",
                        "fields": [access("", "rows"), access("", "oops")]});
    assert_refused(
        &query(json!([nested])),
        "postAggregations[0].fields[1].fieldName: 'oops' is no column",
    );
    let expression = json!({"type": "expression", "name": "x", "expression": "\"rows\" + oops"});
    assert_refused(&query(json!([expression])), "postAggregations[0].expression: 'oops' is no");
    let modulo = json!({"type": "arithmetic", "name": "x", "fn": "%", "fields": []});
    assert_refused(&query(json!([modulo])), "postAggregations[0].fn: unknown function \"%\"");
}

#[test]
fn h_96_output_names_must_differ() {
    let query = with("timeseries", json!({"aggregations": [count(), count()]}));
    assert_refused(&query, "aggregations[1].name: the result already has a column 'rows'");
    let constant = json!({"type": "constant", "name": "rows", "value": 1});
    let query =
        with("timeseries", json!({"aggregations": [count()], "postAggregations": [constant]}));
    assert_refused(&query, "postAggregations[0].name: the result already has");
    let query = with("groupBy", json!({"dimensions": ["rows"], "aggregations": [count()]}));
    assert_refused(&query, "aggregations[0].name: the result already has");
    let query = with("groupBy", json!({"dimensions": ["a", "a"]}));
    assert_refused(&query, "dimensions[1].outputName: the result already has");
    let query = with("groupBy", json!({"dimensions": ["__time"]}));
    assert_refused(&query, "dimensions[0].outputName: __time cannot be an output name");
}

#[test]
fn h_96_names_that_do_not_exist_are_refused() {
    let top = |metric: Value| {
        with(
            "topN",
            json!({"dimension": "page", "threshold": 1, "aggregations": [count()],
                            "metric": metric}),
        )
    };
    assert_refused(&top(json!("oops")), "metric: 'oops' is no column of the result");
    assert_refused(&top(json!("page")), "metric: 'page' is no column of the result");
    assert_refused(
        &top(json!({"type": "inverted", "metric": {"type": "numeric", "metric": "oops"}})),
        "metric.metric: 'oops' is no column",
    );
    let group = |fields: Value| {
        let mut query = with("groupBy", json!({"dimensions": ["page"], "aggregations": [count()]}));
        query.as_object_mut().expect("an object").extend(fields.as_object().cloned().expect("one"));
        query
    };
    assert_refused(
        &group(json!({"limitSpec": {"type": "default", "columns": ["page", "oops"]}})),
        "limitSpec.columns[1].dimension: 'oops' is no column of the result; there are: __time, page, rows",
    );
    assert_refused(
        &group(json!({"having": {"type": "not", "havingSpec":
            {"type": "equalTo", "aggregation": "oops", "value": 1}}})),
        "having.havingSpec.aggregation: 'oops' is no column",
    );
    assert_refused(
        &group(json!({"subtotalsSpec": [["page"], ["oops"]]})),
        "subtotalsSpec[1][0]: is no output name of a dimension; there are: page",
    );
}

#[test]
fn virtual_columns_may_chain_but_not_cycle() {
    let query = |columns: &[(&str, &str)]| {
        let columns: Vec<Value> = columns
            .iter()
            .map(|(name, text)| json!({"type": "expression", "name": name, "expression": text}))
            .collect();
        with("scan", json!({"virtualColumns": columns}))
    };
    parse(&query(&[("a", "b + b"), ("b", "c * 2"), ("d", "a + b + x")]));
    assert_refused(
        &query(&[("x", "y"), ("a", "b"), ("b", "a")]),
        "virtualColumns[1].expression: virtual column 'a' reads itself",
    );
    assert_refused(&query(&[("a", "a + 1")]), "virtualColumns[0].expression: virtual column 'a'");
    assert_refused(&query(&[("a", "1"), ("a", "2")]), "virtualColumns[1].name: there is another");
    assert_refused(&query(&[("a", "1 +")]), "virtualColumns[0].expression: ");
}
