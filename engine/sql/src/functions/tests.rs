//! Functions by family: called with constants and with columns they give what the native language gives.

use std::sync::Arc;

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use datafusion::scalar::ScalarValue;
use henge_expr::{Expr, ExprValue};

use super::types::{MULTI_VALUE, TIMESTAMP};
use super::{casts, scalar, values};

const NULL: ScalarValue = ScalarValue::Null;

fn text(value: &str) -> ScalarValue {
    ScalarValue::from(value)
}

fn long(value: i64) -> ScalarValue {
    ScalarValue::Int64(Some(value))
}

fn double(value: f64) -> ScalarValue {
    ScalarValue::Float64(Some(value))
}

fn time(ms: i64) -> ScalarValue {
    ScalarValue::TimestampMillisecond(Some(ms), None)
}

fn day(days: i32) -> ScalarValue {
    ScalarValue::Date32(Some(days))
}

fn texts(values: &[&str]) -> ScalarValue {
    let values: Vec<ScalarValue> = values.iter().map(|value| text(value)).collect();
    ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Utf8))
}

fn options(zone: Option<&str>) -> Arc<ConfigOptions> {
    let mut options = ConfigOptions::new();
    options.execution.time_zone = zone.map(str::to_owned);
    Arc::new(options)
}

/// Calls a function as DataFusion does, with constants, then with columns; both give the same.
fn call_in(
    function: &ScalarUDF,
    given: &[ScalarValue],
    fields: &[FieldRef],
    zone: Option<&str>,
) -> ScalarValue {
    let constants: Vec<Option<&ScalarValue>> = given.iter().map(Some).collect();
    let return_field = function
        .return_field_from_args(ReturnFieldArgs {
            arg_fields: fields,
            scalar_arguments: &constants,
        })
        .unwrap();
    let invoke = |args: Vec<ColumnarValue>, number_rows: usize| {
        let args = ScalarFunctionArgs {
            args,
            arg_fields: fields.to_vec(),
            number_rows,
            return_field: Arc::clone(&return_field),
            config_options: options(zone),
        };
        function.invoke_with_args(args).unwrap()
    };
    let by_constants = invoke(given.iter().cloned().map(ColumnarValue::Scalar).collect(), 1);
    let ColumnarValue::Scalar(result) = by_constants else { panic!("constants give a constant") };
    assert_eq!(result.data_type(), *return_field.data_type());
    // One argument varies: the first, where that is no unit of time.
    if !given.is_empty() {
        let has_unit = matches!(function.name(), "date_trunc" | "timestampadd" | "timestampdiff");
        let varying = if has_unit { given.len() - 1 } else { 0 };
        let mut args: Vec<ColumnarValue> =
            given.iter().cloned().map(ColumnarValue::Scalar).collect();
        args[varying] = ColumnarValue::Array(given[varying].to_array_of_size(3).unwrap());
        let array = invoke(args, 3).into_array(3).unwrap();
        for row in 0..array.len() {
            assert_eq!(ScalarValue::try_from_array(&array, row).unwrap(), result);
        }
    }
    result
}

fn call(name: &str, given: &[ScalarValue]) -> ScalarValue {
    let function = scalar(name).unwrap_or_else(|| panic!("no function {name}"));
    let data_types: Vec<DataType> = given.iter().map(ScalarValue::data_type).collect();
    let read = function.inner().coerce_types(&data_types).unwrap();
    let given: Vec<ScalarValue> =
        given.iter().zip(&read).map(|(value, read)| value.cast_to(read).unwrap()).collect();
    let field = |data_type: &DataType| Arc::new(Field::new("a", data_type.clone(), true));
    let fields: Vec<FieldRef> = read.iter().map(field).collect();
    call_in(&function, &given, &fields, None)
}

/// The value of a native text, as a type.
fn native(expression: &str, data_type: &DataType) -> ScalarValue {
    let value = Expr::parse(expression).unwrap().eval(&|_: &str| ExprValue::Null).unwrap();
    let array = values::array(&[value], &Field::new("a", data_type.clone(), true)).unwrap();
    ScalarValue::try_from_array(&array, 0).unwrap()
}

fn check(cases: &[(&str, &[ScalarValue], &str)]) {
    for (name, given, expression) in cases {
        let result = call(name, given);
        assert_eq!(result, native(expression, &result.data_type()), "{name} of {given:?}");
    }
}

#[test]
fn numbers() {
    check(&[
        ("abs", &[long(-3)], "3"),
        ("abs", &[double(-3.5)], "3.5"),
        ("abs", &[text("-2")], "2.0"),
        ("ceil", &[double(1.2)], "ceil(1.2)"),
        ("floor", &[long(7)], "7"),
        ("truncate", &[double(-1.79), long(1)], "-1.7"),
        ("trunc", &[double(-1.79)], "-1.0"),
        ("round", &[double(2.567), long(2)], "round(2.567, 2)"),
        ("power", &[long(2), long(10)], "pow(2.0, 10.0)"),
        ("ln", &[double(2.0)], "log(2.0)"),
        ("mod", &[long(7), long(3)], "1"),
        ("divide", &[long(7), long(2)], "3"),
        ("divide", &[long(7), long(0)], "null"),
        ("divide", &[double(1.0), double(4.0)], "0.25"),
        ("safe_divide", &[long(1), long(0)], "null"),
        ("plus", &[long(2), long(3)], "5"),
        ("plus", &[long(i64::MAX), long(1)], "null"),
        ("minus", &[long(i64::MIN), long(1)], "null"),
        ("times", &[long(-4), long(3)], "-12"),
        ("bitwise_and", &[long(12), long(10)], "8"),
        ("human_readable_binary_byte_format", &[long(1_048_576)], "'1.00 MiB'"),
        ("greatest", &[long(1), double(2.5)], "2.5"),
        ("least", &[text("b"), text("a")], "'a'"),
        ("sqrt", &[NULL], "null"),
    ]);
}

#[test]
fn texts_of_all_sorts() {
    check(&[
        ("concat", &[text("a"), long(1), text("b")], "'a1b'"),
        ("textcat", &[text("a"), NULL], "null"),
        ("char_length", &[text("druid")], "5"),
        ("substring", &[text("druid"), long(2), long(3)], "'rui'"),
        ("substr", &[text("druid"), long(3)], "'uid'"),
        ("strpos", &[text("druid"), text("u")], "3"),
        ("position", &[text("u"), text("druid")], "3"),
        ("position", &[text("z"), text("druid")], "0"),
        ("btrim", &[text("xxaxx"), text("x")], "'a'"),
        ("lpad", &[text("a"), long(3), text("-")], "'--a'"),
        ("regexp_extract", &[text("ab12"), text("[0-9]+")], "'12'"),
        ("regexp_like", &[text("ab12"), text("[0-9]")], "1"),
        ("regexp_replace", &[text("a1"), text("[0-9]"), text("x")], "'ax'"),
        ("string_format", &[text("%s-%d"), text("a"), long(2)], "'a-2'"),
        ("contains_string", &[text("it's"), text("'")], "1"),
        ("reverse", &[text("abc")], "'cba'"),
        ("parse_long", &[text("ff"), long(16)], "255"),
        ("decode_base64_utf8", &[text("YQ==")], "'a'"),
        ("ipv4_match", &[text("10.1.2.3"), text("10.0.0.0/8")], "1"),
        ("ipv6_match", &[text("201:ef:168::1"), text("201:ef:168::/48")], "1"),
        ("nvl", &[NULL, text("x")], "'x'"),
        ("nullif", &[long(1), long(1)], "null"),
    ]);
}

#[test]
fn times() {
    let noon = time(975_672_000_000); // 2000-12-01T12:00:00Z
    check(&[
        ("time_floor", &[noon.clone(), text("P1D")], "timestamp_floor(975672000000,'P1D')"),
        ("time_ceil", &[noon.clone(), text("P1M")], "timestamp_ceil(975672000000,'P1M')"),
        ("time_shift", &[noon.clone(), text("P1D"), long(-1)], "975585600000"),
        ("time_moved", &[noon.clone(), text("P1D"), long(-1)], "975585600000"),
        ("time_moved", &[day(30), text("P1M"), long(1)], "5011200000"),
        ("time_extract", &[noon.clone(), text("hour")], "12"),
        ("time_format", &[noon.clone(), text("yyyy")], "'2000'"),
        ("time_parse", &[text("2000-12-01 12:00:00")], "975672000000"),
        ("time_in_interval", &[noon.clone(), text("2000/P1Y")], "1"),
        ("date_trunc", &[text("month"), noon.clone()], "timestamp_floor(975672000000,'P1M')"),
        ("timestampdiff", &[text("DAY"), time(0), time(86_400_000 * 3)], "3"),
        ("timestampadd", &[text("MONTH"), long(1), time(0)], "2678400000"),
        ("millis_to_timestamp", &[long(5)], "5"),
        ("timestamp_to_millis", &[time(5)], "5"),
    ]);
}

#[test]
fn the_zone_of_the_session_is_used_where_none_is_given() {
    let floor = scalar("time_floor").unwrap();
    let given = [time(975_672_000_000), text("P1D")];
    let fields: Vec<FieldRef> =
        given.iter().map(|value| Arc::new(Field::new("a", value.data_type(), true))).collect();
    let zone = "America/Los_Angeles";
    let local = call_in(&floor, &given, &fields, Some(zone));
    assert_eq!(
        local,
        native(&format!("timestamp_floor(975672000000,'P1D',null,'{zone}')"), &TIMESTAMP)
    );
}

#[test]
fn arrays_and_several_values() {
    let tags = texts(&["a", "b"]);
    check(&[
        ("array_length", std::slice::from_ref(&tags), "2"),
        ("array_offset", &[tags.clone(), long(1)], "'b'"),
        ("array_contains", &[tags.clone(), text("b")], "1"),
        ("array_append", &[tags.clone(), text("c")], "['a','b','c']"),
        ("array_concat", &[tags.clone(), tags.clone()], "['a','b','a','b']"),
        ("array_slice", &[tags.clone(), long(1)], "['b']"),
        ("array_to_string", &[tags.clone(), text("-")], "'a-b'"),
        ("string_to_array", &[text("a,b"), text(",")], "['a','b']"),
        ("scalar_in_array", &[text("a"), tags.clone()], "1"),
        ("array", &[tags.clone(), texts(&["c"])], "array(array('a','b'),array('c'))"),
        ("nullif", &[tags.clone(), tags.clone()], "null"),
        ("coalesce", &[tags.clone(), texts(&["c"])], "['a','b']"),
    ]);
    let nested = call("array", &[tags.clone(), texts(&["c"])]);
    check(&[
        ("array_length", std::slice::from_ref(&nested), "2"),
        ("array_ordinal", &[nested.clone(), long(2)], "['c']"),
        (
            "array_append",
            &[nested.clone(), tags.clone()],
            "array(array('a','b'),array('c'),array('a','b'))",
        ),
    ]);
    // Several values of a row come as SQL prints them.
    let metadata = [(MULTI_VALUE.to_owned(), "true".to_owned())].into();
    let field = Arc::new(Field::new("tags", DataType::Utf8, true).with_metadata(metadata));
    let several = [text(r#"["a","b"]"#)];
    let upper = call_in(&scalar("upper").unwrap(), &several, &[Arc::clone(&field)], None);
    assert_eq!(upper, text(r#"["A","B"]"#));
    let length = call_in(&scalar("mv_length").unwrap(), &several, &[field], None);
    assert_eq!(length, long(2));
}

#[test]
fn json_documents() {
    let document = text(r#"{"a":{"b":[1,2]},"c":true,"d":"x"}"#);
    check(&[
        ("json_value", &[document.clone(), text("$.d")], "'x'"),
        ("json_value", &[document.clone(), text("$.c")], "'true'"),
        ("json_value", &[document.clone(), text("$.a.b[1]"), text("BIGINT")], "2"),
        ("json_query", &[document.clone(), text("$.a")], r#"'{"b":[1,2]}'"#),
        ("json_keys", &[document.clone(), text("$")], "['a','c','d']"),
        ("json_paths", std::slice::from_ref(&document), "['$.a.b','$.c','$.d']"),
        ("json_object", &[text("k"), long(1)], r#"'{"k":1}'"#),
        ("try_parse_json", &[text("{")], "null"),
        ("to_json_string", &[text("x")], r#"'"x"'"#),
    ]);
}

#[test]
fn casts_are_druids() {
    let cases = [
        (text("12.7"), DataType::Int64, long(12)),
        (text("x"), DataType::Int64, ScalarValue::Int64(None)),
        (text("2000-01-01 00:00:01"), TIMESTAMP, time(946_684_801_000)),
        (text("2000-01-01"), DataType::Date32, ScalarValue::Date32(Some(10_957))),
        (text("nonsense"), TIMESTAMP, ScalarValue::TimestampMillisecond(None, None)),
        (time(946_684_801_000), DataType::Utf8, text("2000-01-01 00:00:01")),
        (time(946_684_801_000), DataType::Date32, ScalarValue::Date32(Some(10_957))),
        (ScalarValue::Date32(Some(1)), DataType::Int64, long(86_400_000)),
        (ScalarValue::Boolean(Some(true)), DataType::Utf8, text("true")),
        (text("TRUE"), DataType::Boolean, ScalarValue::Boolean(Some(true))),
        (long(0), DataType::Boolean, ScalarValue::Boolean(Some(false))),
        (double(f64::NAN), DataType::Int64, ScalarValue::Int64(None)),
        (double(1.5), DataType::Utf8, text("1.5")),
    ];
    for (given, target, expected) in cases {
        let cast = casts::cast(datafusion::logical_expr::lit(given.clone()), target);
        let datafusion::logical_expr::Expr::ScalarFunction(cast) = cast else {
            panic!("a cast is a call")
        };
        let fields: Vec<FieldRef> = vec![Arc::new(Field::new("a", given.data_type(), true))];
        assert_eq!(call_in(&cast.func, &[given], &fields, None), expected);
    }
}
