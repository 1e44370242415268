//! One golden case a query type: the JSON that clients send, and the normal form it is read as.

use henge_types::{Granularity, Interval, NumericOp, ValueType, parse_timestamp_ms};
use serde_json::{Value, json};

use super::{assert_refused, count, parse, with};
use crate::aggregate::Numeric;
use crate::{
    AggregatorInput, AggregatorKind, Analysis, Bound, ColumnInclusion, DataSource, Direction,
    Having, Ordering, PostAggregator, Query, ResultFormat, SearchMatch, TopNMetric,
};

#[test]
fn timeseries_with_everything() {
    let query = parse(&with(
        "timeseries",
        json!({
            "granularity": {"type": "period", "period": "P1D", "timeZone": "America/Los_Angeles"},
            "filter": {"type": "selector", "dimension": "channel", "value": "#en.wikipedia"},
            "virtualColumns":
                [{"type": "expression", "name": "v", "expression": "added + 1", "outputType": "LONG"}],
            "aggregations": [
                {"type": "count", "name": "rows", "fieldName": "ignored"},
                {"type": "doubleSum", "name": "total", "fieldName": "added"},
                {"type": "longMax", "name": "most", "expression": "added * 2"},
            ],
            "postAggregations": [{
                "type": "arithmetic", "name": "mean", "fn": "/",
                "fields": [
                    {"type": "fieldAccess", "fieldName": "total"},
                    {"type": "fieldAccess", "name": "n", "fieldName": "rows"},
                ],
            }],
            "descending": "true",
            "limit": 5,
            "someFieldOfTheFuture": {"is": "ignored"},
        }),
    ));
    let Query::Timeseries(query) = query else { panic!("wrong type") };
    let source = &query.base.data_source;
    assert!(matches!(source, DataSource::Table(name) if name == "wikipedia"));
    assert!(matches!(query.granularity, Granularity::Period { .. }));
    assert!(query.descending);
    assert_eq!(query.limit, Some(5));
    assert_eq!(query.aggregations.len(), 3);
    assert!(matches!(
        &query.aggregations[1].kind,
        AggregatorKind::Numeric(Numeric {
            op: NumericOp::Sum,
            column_type: ValueType::Double,
            input: AggregatorInput::Field(field),
        }) if field == "added"
    ));
    assert!(matches!(
        &query.aggregations[2].kind,
        AggregatorKind::Numeric(Numeric {
            op: NumericOp::Max,
            input: AggregatorInput::Expression(_),
            ..
        })
    ));
    let PostAggregator::Arithmetic { fields, .. } = &query.post_aggregations[0] else {
        panic!("wrong post-aggregator")
    };
    assert_eq!(fields[0].name(), "total", "operands without a name take the field's");
    assert_eq!(query.base.virtual_columns[0].output_type, Some(ValueType::Long));
}

#[test]
fn timeseries_needs_little_and_normalises() {
    let query = parse(&with("timeseries", json!({"limit": 0})));
    assert_eq!(
        query.to_value(),
        json!({
            "dataSource": {"type": "table", "name": "wikipedia"},
            "intervals": ["2015-09-12T00:00:00.000Z/2015-09-13T00:00:00.000Z"],
            "queryType": "timeseries",
            "granularity": {"type": "all"},
            "aggregations": [],
            "postAggregations": [],
            "descending": false,
            "context": {},
        })
    );
}

#[test]
fn top_n_metrics() {
    let metric = |metric: Value| {
        let fields = json!({
            "dimension": {"type": "default", "dimension": "page", "outputName": "p"},
            "metric": metric, "threshold": "10", "aggregations": [count()],
        });
        match parse(&with("topN", fields)) {
            Query::TopN(query) => {
                assert_eq!(query.threshold, 10);
                assert_eq!(query.dimension.output_name, "p");
                query.metric
            }
            other => panic!("wrong type {other:?}"),
        }
    };
    let by_value = |ordering, stop: Option<&str>| TopNMetric::Dimension {
        ordering,
        previous_stop: stop.map(str::to_owned),
    };
    let rows = || TopNMetric::Numeric("rows".into());
    assert_eq!(metric(json!("rows")), rows());
    assert_eq!(metric(json!({"type": "numeric", "metric": "rows"})), rows());
    assert_eq!(
        metric(json!({"type": "inverted", "metric": "rows"})),
        TopNMetric::Inverted(Box::new(rows()))
    );
    assert_eq!(
        metric(json!({"type": "dimension", "ordering": "numeric", "previousStop": "b"})),
        by_value(Ordering::Numeric, Some("b"))
    );
    assert_eq!(metric(json!({"type": "dimension"})), by_value(Ordering::Lexicographic, None));
    assert_eq!(metric(json!({"type": "lexicographic"})), by_value(Ordering::Lexicographic, None));
    assert_eq!(
        metric(json!({"type": "inverted", "metric": {"type": "alphaNumeric"}})),
        TopNMetric::Inverted(Box::new(by_value(Ordering::Alphanumeric, None)))
    );
}

#[test]
fn group_by_with_everything() {
    let value = with(
        "groupBy",
        json!({
            "granularity": "day",
            "dimensions": ["channel", {"type": "default", "dimension": "added", "outputType": "long"},
                           {"dimension": "page", "outputName": "p"}],
            "aggregations": [count(), {"type": "HLLSketchBuild", "name": "users", "fieldName": "user"}],
            "postAggregations":
                [{"type": "expression", "name": "twice", "expression": "\"rows\" * 2"}],
            "having": {"type": "and", "havingSpecs": [
                {"type": "greaterThan", "aggregation": "rows", "value": "3"},
                {"type": "not", "havingSpec":
                    {"type": "dimSelector", "dimension": "channel", "value": null}},
                {"type": "filter", "filter":
                    {"type": "range", "column": "twice", "matchValueType": "LONG", "lower": 8}},
            ]},
            "limitSpec": {"type": "default", "limit": 7, "offset": 2, "columns": [
                "channel",
                {"dimension": "rows", "direction": "DESC", "dimensionOrder": {"type": "numeric"}},
                {"dimension": "twice", "dimensionOrder": "natural"}]},
            "subtotalsSpec": [["p", "channel"], ["channel"], []],
        }),
    );
    let query = parse(&value);
    let again = parse(&query.to_value());
    assert_eq!(again.to_value(), query.to_value());
    let Query::GroupBy(query) = query else { panic!("wrong type") };
    assert_eq!(query.dimensions[1].output_type, ValueType::Long);
    assert_eq!(query.dimensions[1].output_name, "added");
    assert_eq!(query.subtotals, Some(vec![vec![0, 2], vec![0], vec![]]));
    assert!(matches!(&query.having, Some(Having::And(clauses)) if clauses.len() == 3));
    let limit_spec = query.limit_spec.expect("a limit");
    assert_eq!((limit_spec.limit, limit_spec.offset), (Some(7), 2));
    assert_eq!(limit_spec.columns[1].direction, Direction::Descending);
    assert_eq!(limit_spec.columns[1].ordering, Ordering::Numeric);
}

#[test]
fn limit_spec_of_type_noop_or_null_is_none() {
    for spec in [json!(null), json!({"type": "noop"})] {
        let query = parse(&with("groupBy", json!({"limitSpec": spec, "dimensions": []})));
        assert!(matches!(query, Query::GroupBy(query) if query.limit_spec.is_none()));
    }
}

#[test]
fn scan_with_everything() {
    let query = parse(&with(
        "scan",
        json!({"columns": ["__time", "page"], "resultFormat": "compactedList", "batchSize": 3,
               "limit": 10, "offset": 1, "order": "DESCENDING", "granularity": "all"}),
    ));
    let Query::Scan(query) = query else { panic!("wrong type") };
    assert_eq!(query.columns, ["__time", "page"]);
    assert_eq!(query.result_format, ResultFormat::CompactedList);
    assert_eq!((query.batch_size, query.limit, query.offset), (3, Some(10), 1));
    assert_eq!(query.time_order(), Some(Direction::Descending));
    let ordered =
        with("scan", json!({"orderBy": [{"columnName": "__time", "order": "ascending"}]}));
    assert!(
        matches!(parse(&ordered), Query::Scan(query) if query.time_order() == Some(Direction::Ascending))
    );
    let plain = parse(&with("scan", json!({})));
    assert!(matches!(plain, Query::Scan(query)
        if query.batch_size == 20_480 && query.limit.is_none() && query.columns.is_empty()));
}

#[test]
fn a_scan_must_select_what_it_is_ordered_by() {
    let query = with("scan", json!({"columns": ["page"], "order": "ascending"}));
    assert_refused(&query, "columns: a scan ordered by __time must select it");
}

#[test]
fn scans_are_ordered_by_any_columns() {
    let order = json!([{"columnName": "page"}, {"columnName": "__time", "order": "Descending"}]);
    let Query::Scan(query) = parse(&with("scan", json!({"orderBy": order}))) else {
        panic!("wrong type")
    };
    let keys: Vec<_> = query.order_by.iter().map(|key| (&*key.column, key.direction)).collect();
    assert_eq!(keys, [("page", Direction::Ascending), ("__time", Direction::Descending)]);
    assert_eq!(query.time_order(), None);
    let query = with("scan", json!({"order": "descending", "orderBy": [{"columnName": "page"}]}));
    assert_refused(&query, "orderBy: says something else than order");
    let query = with("scan", json!({"columns": ["__time"], "orderBy": [{"columnName": "page"}]}));
    assert_refused(&query, "columns: a scan ordered by page must select it");
    let query = with("scan", json!({"orderBy": [{"columnName": "page", "order": "none"}]}));
    assert_refused(&query, "orderBy[0].order: leave the column out");
    let query = with("scan", json!({"orderBy": [{"order": "ascending"}]}));
    assert_refused(&query, "orderBy[0].columnName: missing");
}

#[test]
fn search_forms() {
    let search = |query: Value| match parse(&with("search", json!({"query": query}))) {
        Query::Search(query) => {
            assert_eq!(query.limit, 1000);
            query.query
        }
        other => panic!("wrong type {other:?}"),
    };
    for key in ["caseSensitive", "case_sensitive"] {
        let text = json!({"type": "contains", "value": "a", key: "true"});
        assert!(matches!(search(text), SearchMatch::Contains { case_sensitive: true, .. }));
    }
    let insensitive = search(json!({"type": "insensitive_contains", "value": "a"}));
    assert!(matches!(insensitive, SearchMatch::Contains { case_sensitive: false, .. }));
    let fragment = search(json!({"type": "fragment", "values": ["a", "b"]}));
    assert!(matches!(fragment, SearchMatch::Fragment { values, .. } if values.len() == 2));
    assert!(matches!(search(json!({"type": "regex", "pattern": "^a"})), SearchMatch::Regex(_)));
    assert!(matches!(search(json!(null)), SearchMatch::All));

    let fields = json!({"searchDimensions": "page", "sort": {"type": "strlen"}, "limit": 3});
    let Query::Search(query) = parse(&with("search", fields)) else { panic!("wrong type") };
    assert_eq!(query.search_dimensions[0].dimension, "page");
    assert_eq!((query.sort.0, query.limit), (Ordering::Strlen, 3));
}

#[test]
fn metadata_queries_need_no_interval() {
    let value = json!({"queryType": "timeBoundary", "dataSource": "w", "bound": "maxTime"});
    let Query::TimeBoundary(query) = parse(&value) else { panic!("wrong type") };
    assert_eq!(query.bound, Some(Bound::MaxTime));
    assert_eq!(query.base.intervals, [Interval::ETERNITY]);
    let value = json!({"queryType": "dataSourceMetadata", "dataSource": "w"});
    assert!(matches!(parse(&value), Query::DataSourceMetadata(_)));

    let value = json!({"queryType": "segmentMetadata", "dataSource": "w", "merge": true,
        "analysisTypes": ["AGGREGATORS", "minmax", "aggregators"],
        "toInclude": {"type": "list", "columns": ["a"]}, "lenientAggregatorMerge": true});
    let Query::SegmentMetadata(query) = parse(&value) else { panic!("wrong type") };
    assert!(query.using_default_interval && query.merge && query.lenient_aggregator_merge);
    assert_eq!(query.analysis_types, [Analysis::Aggregators, Analysis::MinMax]);
    assert_eq!(query.to_include, ColumnInclusion::List(vec!["a".into()]));
    let value =
        json!({"queryType": "segmentMetadata", "dataSource": "w", "intervals": ["2015/2016"]});
    let Query::SegmentMetadata(query) = parse(&value) else { panic!("wrong type") };
    assert!(!query.using_default_interval);
    assert_eq!(query.analysis_types.len(), 3);
}

#[test]
fn intervals_in_every_form_are_condensed() {
    let intervals = |intervals: Value| {
        let value = json!({"queryType": "timeseries", "dataSource": "w", "intervals": intervals});
        parse(&value).base().intervals.clone()
    };
    let ms = |text| parse_timestamp_ms(text).expect("a timestamp");
    let day = vec![Interval { start_ms: ms("2015-09-12"), end_ms: ms("2015-09-13") }];
    assert_eq!(intervals(json!("2015-09-12T00Z/2015-09-13T00Z")), day);
    assert_eq!(intervals(json!(["2015-09-12/P1D"])), day);
    assert_eq!(intervals(json!("2015-09-12/PT12H,2015-09-12T12/2015-09-13")), day);
    assert_eq!(intervals(json!({"type": "intervals", "intervals": ["P1D/2015-09-13"]})), day);
    // H-29: overlapping ones are merged, empty ones dropped.
    assert_eq!(
        intervals(json!(["2015-09-12T06/2015-09-13", "2015-09-12/2015-09-12T18", "2020/2020"])),
        day
    );
    assert_eq!(intervals(json!([])), []);
}

#[test]
fn exact_distinct_counts_are_of_one_column() {
    let with_count = |mut fields: Value| {
        fields["type"] = json!("exactDistinctCount");
        fields["name"] = json!("n");
        with("timeseries", json!({"aggregations": [fields]}))
    };
    let query = parse(&with_count(json!({"fieldName": "user"})));
    let aggregations = &query.to_value()["aggregations"];
    assert_eq!(
        aggregations[0],
        json!({"type": "exactDistinctCount", "name": "n", "fieldName": "user"})
    );
    assert_refused(
        &with_count(json!({"fields": ["user", "page"]})),
        "aggregations[0].fields: exactDistinctCount counts the values of one column",
    );
    assert_refused(
        &with_count(json!({"expression": "upper(user)"})),
        "aggregations[0].expression: expressions are not supported here",
    );
    assert_refused(&with_count(json!({})), "aggregations[0].fieldName: missing");
}

#[test]
fn union_reads_several_tables() {
    let mut value = with("timeseries", json!({}));
    value["dataSource"] =
        json!({"type": "union", "dataSources": ["a", {"type": "table", "name": "b"}]});
    assert_eq!(parse(&value).base().data_source.table_names(), ["a", "b"]);
    value["dataSource"] = json!({"type": "external"});
    assert_refused(&value, "dataSource.type: dataSource type \"external\" is not supported");
    value["dataSource"] = json!({"type": "union", "dataSources": []});
    assert_refused(&value, "dataSource.dataSources: must hold 1 to");
}
