//! Evaluates a file of expressions with their bindings and compares with the answers that are expected:
//! `cargo run -p henge-expr --example expression_cases -- expressions.json`.

#![allow(clippy::print_stdout, reason = "a program that reports")]

use std::error::Error;

use henge_expr::{Expr, ExprValue};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("give the file of cases")?;
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let mut passed = 0;
    for case in &cases {
        let actual = evaluate(case);
        match &actual {
            Ok(actual) if is_same(&case["expected"], actual, &case["compare_as"]) => passed += 1,
            _ => println!(
                "{}: {} gives {actual:?}, not {}",
                case["id"], case["expression"], case["expected"]
            ),
        }
    }
    println!("{passed} of {}", cases.len());
    Ok(())
}

fn evaluate(case: &Value) -> Result<ExprValue, String> {
    let text = case["expression"].as_str().unwrap_or_default();
    let expression = Expr::parse(text).map_err(|error| error.to_string())?;
    let binding =
        |name: &str| case["bindings"].get(name).map_or(ExprValue::Null, henge_expr::json::value);
    expression.eval(&binding).map_err(|error| error.to_string())
}

/// Numbers within a millionth, booleans as 1 and 0, one value as an array of one.
fn is_same(expected: &Value, actual: &ExprValue, compare_as: &Value) -> bool {
    match (expected, actual) {
        (Value::Null, actual) => actual.is_null(),
        (Value::Bool(expected), actual) => actual.truth() == Some(*expected),
        (_, actual) if compare_as == "boolean" => {
            actual.truth() == Some(expected.as_i64() == Some(1))
        }
        (Value::Array(expected), ExprValue::Array(actual)) => {
            expected.len() == actual.len()
                && expected.iter().zip(actual.iter()).all(|(a, b)| is_same(a, b, &Value::Null))
        }
        (Value::Array(expected), actual) if expected.len() == 1 => {
            is_same(&expected[0], actual, compare_as)
        }
        (expected, ExprValue::Array(actual)) if actual.len() == 1 => {
            is_same(expected, &actual[0], compare_as)
        }
        (Value::Object(_), ExprValue::String(text)) => {
            serde_json::from_str::<Value>(text).is_ok_and(|actual| actual == *expected)
        }
        (Value::String(expected), actual) => match (actual.as_text(), as_number(expected)) {
            (Some(text), _) if text == *expected => true,
            (_, Some(number)) => actual.as_double().is_some_and(|actual| is_near(number, actual)),
            _ => false,
        },
        (Value::Number(number), actual) => {
            number.as_f64().zip(actual.as_double()).is_some_and(|(a, b)| is_near(a, b))
        }
        _ => false,
    }
}

fn as_number(text: &str) -> Option<f64> {
    henge_expr::number::parse_double(text)
}

fn is_near(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}
