//! Finishing hand-made partials.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod testing;

use henge_exec::{ExecContext, ExecError, GroupedPartial, Partial, finalise};
use henge_expr::Expr;
use henge_query::{
    ArithmeticFn, Direction, Filter, Having, LimitSpec, OrderByColumn, Ordering, PostAggregator,
    Query, TopNMetric,
};
use henge_types::{Granularity, Value, ValueType};
use henge_vector::{Column, Sketches};

use testing::*;

fn series(query: henge_query::TimeseriesQuery, groups: GroupedPartial) -> String {
    text(&Query::Timeseries(query), Partial::Grouped(groups))
}

fn groups(query: henge_query::GroupByQuery, partial: GroupedPartial) -> String {
    text(&Query::GroupBy(query), Partial::Grouped(partial))
}

fn tops(query: henge_query::TopNQuery, partial: GroupedPartial) -> String {
    text(&Query::TopN(query), Partial::Grouped(partial))
}

/// Only the values of one field, in order.
fn field(json: &str, name: &str) -> Vec<serde_json::Value> {
    fn walk(value: &serde_json::Value, name: &str, found: &mut Vec<serde_json::Value>) {
        match value {
            serde_json::Value::Array(items) => {
                items.iter().for_each(|item| walk(item, name, found));
            }
            serde_json::Value::Object(map) => {
                found.extend(map.get(name).cloned());
                map.values().for_each(|value| walk(value, name, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&serde_json::from_str(json).unwrap(), name, &mut found);
    found
}

#[test]
fn timeseries_fills_empty_buckets_between_the_ends_of_the_data() {
    let mut query = timeseries(vec![count("n"), long_sum("s", "x")]);
    let mut data = partial(&[3 * DAY_MS, DAY_MS], vec![], vec![longs(&[7, 1]), longs(&[70, 10])]);
    data.data_range_ms = vec![Some((DAY_MS + 5, 3 * DAY_MS + 5))];
    assert_eq!(
        series(query.clone(), data.clone()),
        concat!(
            r#"[{"timestamp":"1970-01-02T00:00:00.000Z","result":{"n":1,"s":10}},"#,
            r#"{"timestamp":"1970-01-03T00:00:00.000Z","result":{"n":0,"s":null}},"#,
            r#"{"timestamp":"1970-01-04T00:00:00.000Z","result":{"n":7,"s":70}}]"#
        )
    );
    query.descending = true;
    query.limit = Some(2);
    assert_eq!(field(&series(query.clone(), data.clone()), "n"), [7, 0]);
    query.base.context.skip_empty_buckets = true;
    assert_eq!(field(&series(query, data), "n"), [7, 1]);
}

#[test]
fn timeseries_of_all_over_nothing_is_one_row_unless_empty_ones_are_skipped() {
    let mut query = timeseries(vec![count("n"), long_sum("s", "x")]);
    query.granularity = Granularity::All;
    query.base = base(DAY_MS, 5 * DAY_MS);
    let mut nothing = partial(&[], vec![], vec![longs(&[]), longs(&[])]);
    nothing.data_range_ms = vec![None];
    let expected = r#"[{"timestamp":"1970-01-02T00:00:00.000Z","result":{"n":0,"s":null}}]"#;
    assert_eq!(series(query.clone(), nothing.clone()), expected);
    query.base.context.skip_empty_buckets = true;
    assert_eq!(series(query.clone(), nothing), "[]");
    // With data, the timestamp is where the data starts.
    let mut data = partial(&[DAY_MS], vec![], vec![longs(&[2]), longs(&[5])]);
    data.data_range_ms = vec![Some((2 * DAY_MS, 3 * DAY_MS))];
    assert_eq!(field(&series(query, data), "timestamp"), ["1970-01-03T00:00:00.000Z"]);
}

#[test]
fn too_many_buckets_are_refused() {
    let mut query = timeseries(vec![]);
    query.granularity = Granularity::parse_name("second").unwrap();
    let context = ExecContext { max_buckets: 100, ..ExecContext::default() };
    let data = partial(&[0, DAY_MS], vec![], vec![]);
    let refused = finalise(&Query::Timeseries(query), Partial::Grouped(data), &context);
    assert!(matches!(refused, Err(ExecError::ResourceLimit(_))));
}

#[test]
fn timeseries_with_grand_total_and_time_field() {
    let mut query = timeseries(vec![count("n")]);
    query.base.context.grand_total = true;
    query.base.context.timestamp_result_field = Some("t".to_owned());
    query.limit = Some(2);
    let data = partial(&[0, DAY_MS, 2 * DAY_MS], vec![], vec![longs(&[1, 2, 4])]);
    let json = series(query.clone(), data);
    assert_eq!(field(&json, "n"), [1, 2, 3]);
    assert_eq!(field(&json, "t"), [Some(0), Some(DAY_MS), None].map(|t| serde_json::json!(t)));
    assert!(json.ends_with(r#"{"timestamp":null,"result":{"t":null,"n":3}}]"#), "{json}");
    let nothing = partial(&[], vec![], vec![longs(&[])]);
    assert_eq!(field(&series(query, nothing), "n"), [0]);
}

#[test]
fn buckets_of_a_zone_are_written_in_the_zone() {
    let mut query = timeseries(vec![count("n")]);
    query.granularity = serde_json::from_str(
        r#"{"type":"period","period":"P1D","timeZone":"America/Los_Angeles"}"#,
    )
    .unwrap();
    let start = 8 * 3_600_000;
    let json = series(query, partial(&[start], vec![], vec![longs(&[1])]));
    assert_eq!(field(&json, "timestamp"), ["1970-01-01T00:00:00.000-08:00"]);
}

#[test]
fn top_n_keeps_the_best_and_breaks_ties_by_value() {
    let d = dimension("d", ValueType::String);
    let query = top_n(d, TopNMetric::Numeric("s".into()), 3, vec![long_sum("s", "x")]);
    let data = partial(
        &[0; 5],
        vec![text_keys(&[Some("e"), Some("c"), None, Some("b"), Some("a")])],
        vec![nullable_longs(&[Some(5), Some(9), Some(5), Some(5), None])],
    );
    let json = tops(query.clone(), data.clone());
    assert_eq!(
        json,
        concat!(
            r#"[{"timestamp":"1970-01-01T00:00:00.000Z","result":[{"d":"c","s":9},"#,
            r#"{"d":null,"s":5},{"d":"b","s":5}]}]"#
        )
    );
    let mut all = query.clone();
    all.threshold = 100;
    assert_eq!(field(&tops(all, data.clone()), "d").last().unwrap(), "a");
    let mut inverted = query;
    inverted.metric = TopNMetric::Inverted(Box::new(TopNMetric::Numeric("s".into())));
    assert_eq!(
        field(&tops(inverted, data), "d"),
        serde_json::json!([null, "b", "e"]).as_array().unwrap()[..],
        "a number that is null comes last, inverted or not"
    );
}

#[test]
fn top_n_by_dimension_starts_after_the_previous_stop() {
    let metric = |stop: Option<&str>, ordering| TopNMetric::Dimension {
        ordering,
        previous_stop: stop.map(str::to_owned),
    };
    let d = dimension("d", ValueType::String);
    let query = top_n(d, metric(Some("9"), Ordering::Numeric), 9, vec![]);
    let data =
        partial(&[0; 4], vec![text_keys(&[Some("10"), Some("9"), Some("8"), Some("11")])], vec![]);
    assert_eq!(field(&tops(query.clone(), data.clone()), "d"), ["10", "11"]);
    let mut inverted = query;
    inverted.metric = TopNMetric::Inverted(Box::new(metric(Some("9"), Ordering::Lexicographic)));
    assert_eq!(field(&tops(inverted, data), "d"), ["8", "11", "10"]);

    let d = dimension("d", ValueType::Long);
    let query = top_n(d, metric(None, Ordering::Lexicographic), 2, vec![]);
    let data = partial(&[0; 3], vec![longs(&[9, 100, 20])], vec![]);
    assert_eq!(field(&tops(query, data), "d"), [100, 20]);
}

#[test]
fn top_n_shows_empty_buckets_and_one_bucket_for_all() {
    let d = dimension("d", ValueType::String);
    let mut query = top_n(d, TopNMetric::Numeric("n".into()), 1, vec![count("n")]);
    let empty = partial(&[], vec![text_keys(&[])], vec![longs(&[])]);
    assert_eq!(
        tops(query.clone(), empty),
        r#"[{"timestamp":"1970-01-01T00:00:00.000Z","result":[]}]"#
    );
    query.granularity = day();
    let keys = text_keys(&[Some("a"), Some("b"), Some("a")]);
    let data = partial(&[2 * DAY_MS, 0, 0], vec![keys], vec![longs(&[1, 1, 2])]);
    let json = tops(query, data);
    assert_eq!(field(&json, "timestamp").len(), 3);
    assert_eq!(field(&json, "n"), [2, 1]);
    assert!(json.contains(r#"{"timestamp":"1970-01-02T00:00:00.000Z","result":[]}"#), "{json}");
}

fn sample() -> (henge_query::GroupByQuery, GroupedPartial) {
    let dimensions = vec![dimension("d", ValueType::String), dimension("k", ValueType::Long)];
    let query = group_by(dimensions, vec![count("n"), long_sum("s", "x")]);
    let data = partial(
        &[0; 4],
        vec![text_keys(&[Some("b"), None, Some("a"), Some("b")]), longs(&[2, 1, 10, 1])],
        vec![longs(&[1, 2, 3, 4]), nullable_longs(&[Some(5), None, Some(7), Some(5)])],
    );
    (query, data)
}

#[test]
fn group_by_has_a_natural_order_and_druids_shape() {
    let (mut query, data) = sample();
    let json = groups(query.clone(), data.clone());
    assert!(
        json.starts_with(concat!(
            r#"[{"version":"v1","timestamp":"1970-01-01T00:00:00.000Z","#,
            r#""event":{"d":null,"k":1,"n":2,"s":null}},"#
        )),
        "{json}"
    );
    assert_eq!(field(&json, "n"), [2, 3, 4, 1]);
    query.base.context.result_as_array = true;
    assert_eq!(
        groups(query.clone(), data.clone()),
        r#"[[null,1,2,null],["a",10,3,7],["b",1,4,5],["b",2,1,5]]"#
    );
    query.granularity = day();
    assert!(groups(query, data).starts_with("[[0,null,1,2,null],"));
}

fn order_by(column: &str, direction: Direction, ordering: Ordering) -> OrderByColumn {
    OrderByColumn { column: column.to_owned(), direction, ordering }
}

#[test]
fn group_by_orders_limits_and_offsets() {
    let (mut query, data) = sample();
    let by_sum = order_by("s", Direction::Descending, Ordering::Lexicographic);
    query.limit_spec = Some(LimitSpec { limit: Some(2), offset: 1, columns: vec![by_sum.clone()] });
    assert_eq!(field(&groups(query.clone(), data.clone()), "n"), [4, 1]);
    query.limit_spec = Some(LimitSpec { limit: None, offset: 0, columns: vec![by_sum] });
    assert_eq!(field(&groups(query.clone(), data.clone()), "n"), [3, 4, 1, 2]);
    query.limit_spec = Some(LimitSpec { limit: Some(3), offset: 2, columns: vec![] });
    assert_eq!(field(&groups(query.clone(), data.clone()), "n"), [4, 1]);
    query.limit_spec = Some(LimitSpec { limit: Some(3), offset: 9, columns: vec![] });
    assert_eq!(groups(query.clone(), data.clone()), "[]");
    let unknown = order_by("zz", Direction::Ascending, Ordering::Lexicographic);
    query.limit_spec = Some(LimitSpec { limit: None, offset: 0, columns: vec![unknown] });
    assert!(refusal(&Query::GroupBy(query), Partial::Grouped(data)).contains("unknown field 'zz'"));
}

#[test]
fn time_comes_before_the_order_unless_dimensions_go_first() {
    let mut query = group_by(vec![dimension("d", ValueType::String)], vec![count("n")]);
    query.granularity = day();
    let columns = vec![order_by("n", Direction::Descending, Ordering::Lexicographic)];
    query.limit_spec = Some(LimitSpec { limit: None, offset: 0, columns });
    let keys = text_keys(&[Some("a"), Some("b"), Some("a")]);
    let data = partial(&[0, 0, DAY_MS], vec![keys], vec![longs(&[1, 2, 9])]);
    assert_eq!(field(&groups(query.clone(), data.clone()), "n"), [2, 1, 9]);
    query.base.context.sort_by_dims_first = true;
    assert_eq!(field(&groups(query.clone(), data.clone()), "n"), [9, 2, 1]);
    query.limit_spec = None;
    assert_eq!(field(&groups(query, data), "n"), [1, 9, 2]);
}

#[test]
fn having_keeps_rows_and_null_is_neither_more_nor_less() {
    let more = |value| Having::GreaterThan {
        aggregation: "s".to_owned(),
        value: henge_query::Literal::Double(value),
    };
    let less = |value| Having::LessThan {
        aggregation: "s".to_owned(),
        value: henge_query::Literal::Double(value),
    };
    let dim = |value: Option<&str>| Having::DimSelector {
        dimension: "d".to_owned(),
        value: value.map(str::to_owned),
    };
    let is_null = |column: &str| Filter::IsNull { column: column.to_owned() };
    let selector = Filter::Selector { column: "k".to_owned(), value: Some("1".to_owned()) };
    let bound = Filter::Range {
        column: "s".to_owned(),
        match_type: ValueType::Long,
        lower: None,
        upper: Some(henge_query::RangeBound {
            value: henge_query::Literal::Long(5),
            strict: false,
        }),
    };
    let expression = Filter::Expression { expression: Expr::parse("s == n + 4").unwrap() };
    let time_from = |ms| Filter::Range {
        column: "__time".to_owned(),
        match_type: ValueType::Long,
        lower: Some(henge_query::RangeBound {
            value: henge_query::Literal::Long(ms),
            strict: false,
        }),
        upper: None,
    };
    for (having, expected) in [
        (more(5.0), vec![3]),
        (Having::Or(vec![more(5.0), less(6.0)]), vec![3, 4, 1]),
        (Having::Not(Box::new(more(5.0))), vec![2, 4, 1]),
        (dim(None), vec![2]),
        (dim(Some("b")), vec![4, 1]),
        (Having::Never, vec![]),
        (Having::Always, vec![2, 3, 4, 1]),
        (Having::Filter(is_null("s")), vec![2]),
        (Having::Filter(is_null("absent")), vec![2, 3, 4, 1]),
        (Having::Filter(selector), vec![2, 4]),
        (Having::Filter(bound.clone()), vec![4, 1]),
        (Having::Filter(Filter::Not(Box::new(bound))), vec![3]),
        (Having::Filter(expression), vec![3, 1]),
        (
            Having::EqualTo {
                aggregation: "s".to_owned(),
                value: henge_query::Literal::String("7.0".to_owned()),
            },
            vec![3],
        ),
        (Having::Filter(time_from(0)), vec![2, 3, 4, 1]),
        (Having::Filter(time_from(i64::MAX)), vec![]),
    ] {
        let (mut query, data) = sample();
        let shown = format!("{having:?}");
        query.having = Some(having);
        assert_eq!(field(&groups(query, data), "n"), expected, "{shown}");
    }
}

#[test]
fn subtotals_group_again_and_missing_dimensions_are_null() {
    let (mut query, data) = sample();
    query.subtotals = Some(vec![vec![0], vec![1], vec![]]);
    query.base.context.result_as_array = true;
    assert_eq!(
        groups(query.clone(), data.clone()),
        concat!(
            r#"[[null,null,2,null],["a",null,3,7],["b",null,5,10],"#,
            r#"[null,1,6,5],[null,2,1,5],[null,10,3,7],[null,null,10,17]]"#
        )
    );
    let columns = vec![order_by("n", Direction::Descending, Ordering::Lexicographic)];
    query.limit_spec = Some(LimitSpec { limit: Some(2), offset: 0, columns });
    assert_eq!(groups(query, data), "[[null,null,10,17],[null,1,6,5]]");
}

fn access(field: &str) -> PostAggregator {
    PostAggregator::FieldAccess { name: String::new(), field: field.to_owned() }
}

fn constant(value: Value) -> PostAggregator {
    PostAggregator::Constant { name: "c".to_owned(), value }
}

fn arithmetic(function: ArithmeticFn, fields: Vec<PostAggregator>) -> PostAggregator {
    PostAggregator::Arithmetic { name: "p".to_owned(), function, fields }
}

#[test]
fn post_aggregators_follow_druids_arithmetic() {
    let number = |value| constant(Value::Long(value));
    let extreme = |greatest, long| PostAggregator::Extreme {
        name: "p".to_owned(),
        greatest,
        long,
        fields: vec![access("n"), number(2), access("s")],
    };
    let expression = PostAggregator::Expression {
        name: "p".to_owned(),
        expression: Expr::parse("concat(n, '-', nvl(s, 'x'))").unwrap(),
    };
    for (post, expected) in [
        (arithmetic(ArithmeticFn::Plus, vec![access("n"), number(1)]), "[4.0,1.0]"),
        (arithmetic(ArithmeticFn::Plus, vec![access("n"), access("s")]), "[10.0,null]"),
        (arithmetic(ArithmeticFn::Minus, vec![number(10), access("n"), number(1)]), "[6.0,9.0]"),
        (arithmetic(ArithmeticFn::Divide, vec![number(6), access("n")]), "[2.0,0.0]"),
        (arithmetic(ArithmeticFn::Quotient, vec![number(6), access("n")]), "[2.0,\"Infinity\"]"),
        (arithmetic(ArithmeticFn::Pow, vec![access("n"), number(2)]), "[9.0,0.0]"),
        (extreme(true, true), "[7,2]"),
        (extreme(false, false), "[2.0,0.0]"),
        (expression, "[\"3-7\",\"0-x\"]"),
        (constant(Value::String("k".to_owned())), "[\"k\",\"k\"]"),
        (constant(Value::Null), "[null,null]"),
    ] {
        let mut query = timeseries(vec![count("n"), long_sum("s", "x")]);
        let name = post.name().to_owned();
        query.post_aggregations = vec![post];
        let states = vec![longs(&[3, 0]), nullable_longs(&[Some(7), None])];
        let json = series(query, partial(&[0, DAY_MS], vec![], states));
        assert_eq!(serde_json::to_string(&field(&json, &name)).unwrap(), expected);
    }
}

#[test]
fn h_03_chains_of_post_aggregators_are_computed_once_each() {
    let mut query = timeseries(vec![count("p0")]);
    for step in 1..=2000 {
        let before = format!("p{}", step - 1);
        let mut post = arithmetic(ArithmeticFn::Plus, vec![access(&before), access(&before)]);
        if let PostAggregator::Arithmetic { name, .. } = &mut post {
            *name = format!("p{step}");
        }
        query.post_aggregations.push(post);
    }
    let json = series(query, partial(&[0], vec![], vec![longs(&[1])]));
    assert_eq!(field(&json, "p10"), [1024.0]);
}

#[test]
fn post_aggregators_read_only_what_stands_before_them() {
    let mut query = timeseries(vec![count("n")]);
    query.post_aggregations = vec![arithmetic(ArithmeticFn::Plus, vec![access("p")])];
    let data = || Partial::Grouped(partial(&[0], vec![], vec![longs(&[1])]));
    let message = refusal(&Query::Timeseries(query.clone()), data());
    assert!(message.contains("must stand before it"), "{message}");
    query.post_aggregations = vec![arithmetic(ArithmeticFn::Plus, vec![access("zz")])];
    let message = refusal(&Query::Timeseries(query), data());
    assert!(message.contains("unknown field 'zz'"), "{message}");
}

#[test]
fn sketches_finish_to_estimates_or_base64() {
    use henge_query::aggregate::Hll;
    use henge_sketch::{HllSketch, Sketch};
    use henge_types::HllType;
    let mut sketch = HllSketch::new(12, HllType::Hll4).unwrap();
    (0..5).for_each(|value| sketch.update_i64(value));
    let estimate = sketch.estimate();
    let encoded = henge_sketch::to_base64(&sketch.to_bytes());
    let state = Column::from(Sketches::new(vec![Some(Box::new(sketch)), None]));
    let spec = |round, should_finalize| henge_query::AggregatorSpec {
        name: "h".to_owned(),
        kind: Hll {
            field: "f".to_owned(),
            lg_k: 12,
            hll_type: HllType::Hll4,
            round,
            should_finalize,
            merge: false,
        }
        .into(),
        filter: None,
    };
    let estimate_of = |round| PostAggregator::SketchEstimate {
        name: "e".to_owned(),
        field: Box::new(access("h")),
        round,
    };
    let finished = |round, should_finalize, finalize: bool| {
        let mut query = timeseries(vec![spec(round, should_finalize)]);
        query.base.context.finalize = finalize;
        query.post_aggregations = vec![estimate_of(true)];
        series(query, partial(&[0, DAY_MS], vec![], vec![state.clone()]))
    };
    assert_eq!(field(&finished(false, true, true), "h"), [estimate, 0.0]);
    assert_eq!(field(&finished(true, true, true), "h"), [5, 0]);
    for json in [finished(true, false, true), finished(true, true, false)] {
        let shown = field(&json, "h");
        assert_eq!(shown[0], encoded);
        assert!(shown[1].is_string(), "an empty sketch is a sketch: {shown:?}");
        assert_eq!(field(&json, "e"), [5, 0]);
    }
    let mut query = timeseries(vec![spec(true, true)]);
    let raw = PostAggregator::FieldAccess { name: "raw".to_owned(), field: "h".to_owned() };
    query.post_aggregations = vec![raw];
    let json = series(query, partial(&[0, DAY_MS], vec![], vec![state.clone()]));
    assert_eq!(field(&json, "raw")[0], encoded);
}

#[test]
fn floats_and_doubles_print_as_their_own_types() {
    let mut query = group_by(
        vec![dimension("f", ValueType::Float), dimension("d", ValueType::Double)],
        vec![long_sum("a", "x"), long_sum("b", "y")],
    );
    query.base.context.result_as_array = true;
    let float = f64::from(0.1_f32);
    let data = partial(
        &[0],
        vec![Column::wide_floats(vec![float], None), doubles(&[2.0])],
        vec![Column::wide_floats(vec![float], None), doubles(&[f64::NAN])],
    );
    assert_eq!(groups(query, data), r#"[[0.1,2.0,0.1,"NaN"]]"#);
}

#[test]
fn a_partial_of_another_query_is_refused() {
    let query = Query::Timeseries(timeseries(vec![]));
    let partial = Partial::TimeBoundary { min_ms: None, max_ms: None };
    assert!(refusal(&query, partial).contains("another query type"));
}

#[test]
fn cancelled_queries_are_not_finished() {
    let context = ExecContext::default();
    context.cancel.cancel();
    let data = Partial::Grouped(partial(&[0], vec![], vec![]));
    let refused = finalise(&Query::Timeseries(timeseries(vec![])), data, &context);
    assert!(matches!(refused, Err(ExecError::Cancelled)));
}
