//! Calls as native aggregators.

use std::collections::HashMap;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, col, lit};
use serde_json::{Value, json};

use super::native::NativeAggregate;
use super::{Names, aggregate, native, runs_on_datafusion};
use crate::functions::expression::{self, Refusal, Scope};
use crate::functions::types::{TIMESTAMP, array_of};

struct Table {
    schema: DFSchema,
    settings: HashMap<&'static str, Value>,
}

impl Scope for Table {
    fn column(&self, column: &Column) -> Result<String, Refusal> {
        Ok(expression::identifier(&column.name))
    }

    fn schema(&self) -> &DFSchema {
        &self.schema
    }

    fn time_zone(&self) -> &str {
        "UTC"
    }

    fn setting(&self, name: &str) -> Option<&Value> {
        self.settings.get(name)
    }

    fn filter(&self, condition: &Expr) -> Result<Value, Refusal> {
        expression::filter(condition, self)
    }
}

fn table() -> Table {
    let fields = vec![
        Field::new("__time", TIMESTAMP, true),
        Field::new("dim", DataType::Utf8, true),
        Field::new("cnt", DataType::Int64, true),
        Field::new("m", DataType::Float32, true),
        Field::new("list", array_of(DataType::Int64), true),
    ];
    let schema = DFSchema::try_from(Schema::new(fields)).unwrap();
    Table { schema, settings: HashMap::new() }
}

fn call(name: &str, args: Vec<Expr>, distinct: bool, filter: Option<Expr>) -> AggregateFunction {
    let function = aggregate(name).unwrap_or_else(|| panic!("no aggregate {name}"));
    AggregateFunction::new_udf(function, args, distinct, filter.map(Box::new), vec![], None)
}

fn written(call: &AggregateFunction) -> NativeAggregate {
    native(call, &table(), &mut Names::default()).unwrap()
}

#[test]
fn plain_aggregates_are_one_aggregator() {
    let cases = [
        (call("count", vec![lit(1_i64)], false, None), json!({"type": "count", "name": "a0"})),
        (
            call("sum", vec![col("cnt")], false, None),
            json!({"type": "longSum", "name": "a0", "fieldName": "cnt"}),
        ),
        (
            call("sum", vec![col("m")], false, None),
            json!({"type": "doubleSum", "name": "a0", "fieldName": "m"}),
        ),
        (
            call("min", vec![col("m")], false, None),
            json!({"type": "floatMin", "name": "a0", "fieldName": "m"}),
        ),
        (
            call("max", vec![col("__time")], false, None),
            json!({"type": "longMax", "name": "a0", "fieldName": "__time"}),
        ),
        (
            call("latest", vec![col("dim"), lit(10_i64)], false, None),
            json!({"type": "stringLast", "name": "a0", "fieldName": "dim", "maxStringBytes": 10}),
        ),
        (
            call("count", vec![lit(1_i64)], false, Some(col("dim").eq(lit("a")))),
            json!({
                "type": "filtered",
                "aggregator": {"type": "count", "name": "a0"},
                "filter": {"type": "expression", "expression": "(\"dim\" == 'a')"},
                "name": "a0",
            }),
        ),
    ];
    for (call, expected) in cases {
        let native = written(&call);
        assert_eq!(native.aggregations, [expected]);
        assert_eq!((native.output.as_str(), native.post_aggregation), ("a0", None));
        assert_eq!(native.virtual_columns, [] as [Value; 0]);
    }
}

#[test]
fn an_average_is_a_quotient_of_two() {
    let native = written(&call("avg", vec![col("cnt")], false, None));
    let names: Vec<&Value> =
        native.aggregations.iter().map(|aggregator| &aggregator["name"]).collect();
    assert_eq!(names, ["a0:sum", "a0:count"]);
    assert_eq!(native.post_aggregation.unwrap()["fn"], "quotient");
    assert_eq!(native.output, "a0");
}

#[test]
fn computed_arguments_are_virtual_columns_and_found_again() {
    let mut names = Names::default();
    let sum = call("sum", vec![col("cnt") + lit(1_i64)], false, None);
    let first = native(&sum, &table(), &mut names).unwrap();
    let expected = json!({
        "type": "expression", "name": "v0", "expression": "(\"cnt\" + 1)", "outputType": "LONG"
    });
    assert_eq!(first.virtual_columns, [expected]);
    let second = native(&sum, &table(), &mut names).unwrap();
    assert_eq!(second.virtual_columns, [] as [Value; 0]);
    assert_eq!(second.aggregations[0]["fieldName"], "v0");
    assert_eq!(second.output, "a1");
}

#[test]
fn arrays_are_elements_of_an_array() {
    for (distinct, fold) in [(false, "array_concat"), (true, "array_set_add_all")] {
        let native = written(&call("array_agg", vec![col("list")], distinct, None));
        let element = json!({
            "type": "expression", "name": "v0", "expression": "array(array_slice(\"list\",0))"
        });
        assert_eq!(native.virtual_columns, [element]);
        let aggregator = &native.aggregations[0];
        assert_eq!(aggregator["fold"], format!("{fold}(\"__acc\", \"v0\")"));
        assert_eq!(aggregator["combine"], format!("{fold}(\"__acc\", \"a0\")"));
    }
}

#[test]
fn arrays_are_counted_as_one_value_each() {
    let text = "to_json_string(array_slice(\"list\",0))";
    for name in ["count", "approx_count_distinct_ds_hll", "approx_count_distinct_ds_theta"] {
        let native = written(&call(name, vec![col("list")], true, None));
        let counted = json!({
            "type": "expression", "name": "v0", "expression": text, "outputType": "STRING"
        });
        assert_eq!(native.virtual_columns, [counted], "{name}");
    }
    let known = written(&call("count", vec![col("list")], false, None));
    let filter = &known.aggregations[0]["filter"];
    assert_eq!(filter["expression"], "(array_length(\"list\") >= 0)");
}

#[test]
fn distinct_values_are_counted_as_the_context_says() {
    let count = call("count", vec![col("dim")], true, None);
    assert_eq!(written(&count).aggregations[0]["type"], "cardinality");
    let mut exact = table();
    exact.settings.insert("useApproximateCountDistinct", false.into());
    let native = native(&count, &exact, &mut Names::default()).unwrap();
    assert_eq!(native.aggregations[0]["type"], "exactDistinctCount");
}

/// What is written is read by the native parser.
#[test]
fn every_aggregate_is_known_natively() {
    let cases = [
        call("array_agg", vec![col("dim")], true, None),
        call("array_agg", vec![col("list")], false, None),
        call("array_agg", vec![col("list")], true, None),
        call("array_concat_agg", vec![col("dim")], false, None),
        call("string_agg", vec![col("dim"), lit("'")], false, None),
        call("bit_or", vec![col("cnt")], false, None),
        call("var_pop", vec![col("cnt")], false, None),
        call("stddev", vec![col("m")], false, None),
        call("approx_quantile_ds", vec![col("m"), lit(0.5)], false, None),
        call("ds_quantiles_sketch", vec![col("m"), lit(64_i64)], false, None),
        call("ds_hll", vec![col("dim"), lit(10_i64), lit("HLL_8")], false, None),
        call("ds_theta", vec![col("dim")], false, None),
        call("approx_count_distinct_ds_theta", vec![col("dim")], false, None),
        call("any_value", vec![col("dim"), lit(100_i64), lit(true)], false, None),
        call("earliest_by", vec![col("m"), col("__time")], false, None),
        call("stddev_pop", vec![col("cnt")], false, Some(col("dim").is_not_null())),
    ];
    for call in cases {
        let native = written(&call);
        let query = json!({
            "queryType": "timeseries", "dataSource": "t", "granularity": "all", "intervals": "2000/2001",
            "virtualColumns": native.virtual_columns,
            "aggregations": native.aggregations,
            "postAggregations": native.post_aggregation.iter().collect::<Vec<_>>(),
        });
        henge_query::Query::parse(query.to_string().as_bytes())
            .unwrap_or_else(|error| panic!("{query}: {error}"));
        assert!(!runs_on_datafusion(&call.func));
    }
}
