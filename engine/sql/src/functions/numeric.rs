//! Functions of numbers.

use super::table::{Function, Kind, Returns, call, written};

use Kind::{Double, Long, Number};

const fn double(name: &'static str, native: &'static str) -> Function {
    call(name, &[Double], Returns::Double, native)
}

const fn longs(name: &'static str, native: &'static str) -> Function {
    call(name, &[Long, Long], Returns::Long, native)
}

pub(super) const FUNCTIONS: &[Function] = &[
    call("pi", &[], Returns::Double, "pi"),
    call("abs", &[Number], Returns::First, "abs"),
    written("ceil", &[Number], Returns::First, |a| Ok(whole("ceil", a))).aliases(&["ceiling"]),
    written("floor", &[Number], Returns::First, |a| Ok(whole("floor", a))),
    double("exp", "exp"),
    double("ln", "log"),
    double("log10", "log10"),
    call("power", &[Double, Double], Returns::Double, "pow").aliases(&["pow"]),
    double("sqrt", "sqrt"),
    double("cbrt", "cbrt"),
    written("truncate", &[Number, Long], Returns::First, |a| Ok(truncated(a)))
        .optional(1)
        .aliases(&["trunc"]),
    call("round", &[Number, Long], Returns::First, "round").optional(1),
    call("div", &[Number, Number], Returns::Long, "div"),
    double("sin", "sin"),
    double("cos", "cos"),
    double("tan", "tan"),
    double("cot", "cot"),
    double("asin", "asin"),
    double("acos", "acos"),
    double("atan", "atan"),
    call("atan2", &[Double, Double], Returns::Double, "atan2"),
    double("degrees", "toDegrees"),
    double("radians", "toRadians"),
    double("sign", "signum"),
    call("safe_divide", &[Number, Number], Returns::Number, "safe_divide"),
    longs("bitwise_and", "bitwiseAnd"),
    longs("bitwise_or", "bitwiseOr"),
    longs("bitwise_xor", "bitwiseXor"),
    longs("bitwise_shift_left", "bitwiseShiftLeft"),
    longs("bitwise_shift_right", "bitwiseShiftRight"),
    call("bitwise_complement", &[Long], Returns::Long, "bitwiseComplement"),
    call(
        "bitwise_convert_double_to_long_bits",
        &[Double],
        Returns::Long,
        "bitwiseConvertDoubleToLongBits",
    ),
    call(
        "bitwise_convert_long_bits_to_double",
        &[Long],
        Returns::Double,
        "bitwiseConvertLongBitsToDouble",
    ),
    bytes("human_readable_binary_byte_format"),
    bytes("human_readable_decimal_byte_format"),
    bytes("human_readable_decimal_format"),
];

const fn bytes(name: &'static str) -> Function {
    call(name, &[Long, Long], Returns::Text, name).optional(1)
}

use super::table::Arguments;
use datafusion::arrow::datatypes::DataType;

/// Whole numbers stay what they are.
fn whole(function: &str, arguments: &Arguments<'_>) -> String {
    match arguments.types[0] {
        DataType::Int64 => arguments.texts[0].clone(),
        _ => arguments.call(function),
    }
}

/// Towards zero, at a decimal place.
fn truncated(arguments: &Arguments<'_>) -> String {
    let value = &arguments.texts[0];
    let is_long = arguments.types[0] == DataType::Int64;
    match arguments.texts.get(1) {
        None if is_long => value.clone(),
        None => format!("CAST(CAST({value},'LONG'),'DOUBLE')"),
        Some(digits) => {
            let scaled = format!("(CAST(({value} * pow(10,{digits})),'LONG') / pow(10,{digits}))");
            if is_long { format!("CAST({scaled},'LONG')") } else { scaled }
        }
    }
}
