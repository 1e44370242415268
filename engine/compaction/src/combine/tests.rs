//! Which columns and metrics can be combined, and which are refused by name.

use henge_types::{ColumnSchema, ColumnType, HllType};

use super::*;
use crate::order::Order;

fn column(name: &str, role: ColumnRole, column_type: ColumnType) -> ColumnSchema {
    ColumnSchema { name: name.into(), column_type, role, multi_value: false, has_nulls: true }
}

fn metric(name: &str, kind: MetricKind) -> MetricSpec {
    MetricSpec { name: name.into(), field: None, kind }
}

fn sum(column_type: ValueType) -> MetricKind {
    MetricKind::Numeric { op: NumericOp::Sum, column_type }
}

fn schema(metrics: Vec<MetricSpec>, rollup: bool, query: &str) -> SegmentSchema {
    let mut columns = vec![
        column("__time", ColumnRole::Time, ColumnType::Long),
        column("page", ColumnRole::Dimension, ColumnType::String),
        column("tenant", ColumnRole::Dimension, ColumnType::String),
    ];
    columns.extend(
        metrics
            .iter()
            .map(|metric| column(&metric.name, ColumnRole::Metric, metric.kind.column_type())),
    );
    let query_granularity = Granularity::parse_name(query).unwrap();
    SegmentSchema { columns, metrics, rollup, query_granularity }
}

fn wanted(query: Option<&str>, rollup: Option<bool>) -> Wanted {
    let query_granularity = query.map(|name| Granularity::parse_name(name).unwrap());
    Wanted { query_granularity, rollup, ..Wanted::default() }
}

const SPAN: Interval = Interval { start_ms: 0, end_ms: 60 * 86_400_000 };

fn target(inputs: &[SegmentSchema], wanted: &Wanted) -> Result<Target> {
    let inputs: Vec<&SegmentSchema> = inputs.iter().collect();
    target_schema(&inputs, inputs[0].clone(), wanted, SPAN)
}

#[test]
fn times_become_as_coarse_as_wanted_and_never_finer() {
    let of = |stored: [&str; 2], query: Option<&str>| {
        let inputs = stored.map(|name| schema(vec![metric("n", MetricKind::Count)], true, name));
        target(&inputs, &wanted(query, None)).map(|target| target.schema.query_granularity)
    };
    let named = |name: &str| Ok(Granularity::parse_name(name).unwrap());
    assert_eq!(of(["minute", "none"], Some("hour")), named("hour"));
    assert_eq!(of(["day", "minute"], Some("hour")), named("hour"));
    assert_eq!(of(["hour", "minute"], None), named("minute"));
    assert_eq!(of(["week", "month"], None), named("none"));
    assert!(of(["week", "day"], Some("month")).is_err());
}

#[test]
fn rows_are_combined_only_where_it_is_known_how() {
    let counted = schema(vec![metric("n", MetricKind::Count)], false, "none");
    let rolled = target(std::slice::from_ref(&counted), &wanted(None, Some(true))).unwrap();
    assert!(rolled.schema.rollup && rolled.notes.is_empty());
    assert!(!target(std::slice::from_ref(&counted), &wanted(None, None)).unwrap().schema.rollup);
    let uncounted = schema(vec![metric("x", sum(ValueType::Long))], false, "none");
    assert_eq!(target(&[uncounted], &wanted(None, Some(true))).unwrap().notes.len(), 1);
    let raw = schema(Vec::new(), false, "none");
    let error = target(std::slice::from_ref(&raw), &wanted(None, Some(true))).unwrap_err();
    assert!(error.to_string().contains("type count"), "{error}");
    // What was rolled up without metrics has different rows only.
    let distinct = schema(Vec::new(), true, "none");
    assert!(target(&[distinct], &wanted(Some("hour"), None)).is_ok());
    let mut nameless = counted;
    nameless.metrics.clear();
    let error = target(&[nameless], &wanted(None, None));
    assert!(error.is_ok(), "without roll-up nothing is combined");
}

#[test]
fn metrics_of_one_name_go_together_or_are_refused_by_name() {
    let of = |a: MetricKind, b: MetricKind| {
        let inputs = [a, b].map(|kind| schema(vec![metric("x", kind)], true, "none"));
        target(&inputs, &wanted(None, None)).map(|target| target.schema.metrics[0].kind.clone())
    };
    let hll = |lg_k| MetricKind::HllBuild { lg_k, hll_type: HllType::Hll4 };
    let merged = MetricKind::HllMerge { lg_k: 12, hll_type: HllType::Hll4 };
    let min = MetricKind::Numeric { op: NumericOp::Min, column_type: ValueType::Long };
    assert_eq!(of(MetricKind::Count, sum(ValueType::Long)).unwrap(), sum(ValueType::Long));
    assert_eq!(of(hll(12), merged).unwrap(), hll(12));
    for (a, b) in [(sum(ValueType::Long), min), (hll(12), hll(14)), (MetricKind::Count, hll(12))] {
        let error = of(a, b).unwrap_err();
        assert!(
            matches!(&error, CompactionError::Column { column, .. } if column == "x"),
            "{error}"
        );
    }
}

#[test]
fn a_column_that_is_a_dimension_here_and_a_metric_there_is_refused_by_name() {
    let other = schema(vec![metric("page2", MetricKind::Count)], true, "none");
    let mut one = schema(Vec::new(), true, "none");
    one.columns.push(column("page2", ColumnRole::Dimension, ColumnType::Long));
    let error = target(&[one, other], &wanted(None, None)).unwrap_err();
    assert!(error.to_string().contains("'page2'"), "{error}");
}

#[test]
fn no_column_is_dropped_for_an_order_that_does_not_name_it() {
    let input = [schema(vec![metric("n", MetricKind::Count)], true, "none")];
    let mut order = Order { dimensions: vec!["tenant".into()], time_position: 1, others: false };
    let of =
        |order: &Order| target(&input, &Wanted { order: Some(order.clone()), ..Wanted::default() });
    let error = of(&order).unwrap_err();
    assert!(error.to_string().contains("'page'"), "{error}");
    order.others = true;
    let names: Vec<String> =
        of(&order).unwrap().schema.columns.into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["tenant", "__time", "page", "n"]);
}
