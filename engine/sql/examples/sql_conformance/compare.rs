//! Whether rows are those that a case expects, as the conformance folder's own runner judges them.

use serde_json::Value;

/// Compares in order, or without where the case has none.
pub(crate) fn rows(case: &Value, actual: &[Vec<Value>]) -> Result<(), String> {
    let actual: Vec<Value> = actual.iter().cloned().map(Value::from).collect();
    let expected = case["expected"].as_array().cloned().unwrap_or_default();
    let tolerance = case["tolerance"].as_f64();
    if case["compare"] != "ordered" {
        return unordered(&expected, &actual, tolerance);
    }
    let ordered = ordered(&expected, &actual, tolerance);
    let by: Vec<usize> = case["order_by"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|at| Some(at.as_u64()? as usize))
        .collect();
    if ordered.is_err() && !by.is_empty() && expected.len() == actual.len() {
        let tie = |(e, a): (&Value, &Value)| by.iter().all(|at| same(&e[*at], &a[*at], tolerance));
        if expected.iter().zip(&actual).all(tie) {
            return unordered(&expected, &actual, tolerance);
        }
    }
    ordered
}

fn counted(expected: &[Value], actual: &[Value]) -> Result<(), String> {
    if expected.len() == actual.len() {
        return Ok(());
    }
    let first = |rows: &[Value]| rows.first().map_or_else(String::new, ToString::to_string);
    Err(format!(
        "{} rows, expected {}: {} for {}",
        actual.len(),
        expected.len(),
        first(actual),
        first(expected)
    ))
}

fn ordered(expected: &[Value], actual: &[Value], tolerance: Option<f64>) -> Result<(), String> {
    counted(expected, actual)?;
    for (at, (e, a)) in expected.iter().zip(actual).enumerate() {
        if !same(e, a, tolerance) {
            return Err(format!("row {at}: expected {e} got {a}"));
        }
    }
    Ok(())
}

fn unordered(expected: &[Value], actual: &[Value], tolerance: Option<f64>) -> Result<(), String> {
    counted(expected, actual)?;
    let mut left: Vec<&Value> = actual.iter().collect();
    for e in expected {
        match left.iter().position(|a| same(e, a, tolerance)) {
            Some(at) => {
                left.remove(at);
            }
            None => {
                let other = left.first().map_or_else(String::new, ToString::to_string);
                return Err(format!("missing row {e}; unmatched {other}"));
            }
        }
    }
    Ok(())
}

fn same(e: &Value, a: &Value, tolerance: Option<f64>) -> bool {
    match (e, a) {
        (Value::Null, _) | (_, Value::Null) => e == a,
        (Value::Bool(x), Value::Bool(y)) => x == y,
        (Value::Bool(is), other) | (other, Value::Bool(is)) => {
            let text = other.as_str().map_or_else(|| other.to_string(), str::to_lowercase);
            text == is.to_string() || text == u8::from(*is).to_string()
        }
        _ => match (number(e), number(a)) {
            (Some(x), Some(y)) => same_numbers(e, a, x, y, tolerance),
            _ => same_others(e, a, tolerance),
        },
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn same_numbers(e: &Value, a: &Value, x: f64, y: f64, tolerance: Option<f64>) -> bool {
    if x.is_nan() || y.is_nan() {
        return x.is_nan() && y.is_nan();
    }
    if x == y {
        return true;
    }
    let near = (x - y).abs() <= tolerance.unwrap_or(1e-9) * x.abs().max(y.abs()).max(1.0);
    x.is_finite() && y.is_finite() && (e.is_f64() || a.is_f64()) && near
}

fn same_others(e: &Value, a: &Value, tolerance: Option<f64>) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (e, a) {
        (Value::String(x), Value::String(y)) => {
            x == y
                || same_instant(x, y)
                || is_blob(x) && !y.is_empty()
                || is_structure(x)
                    && is_structure(y)
                    && parsed(x).zip(parsed(y)).is_some_and(|(x, y)| same(&x, &y, tolerance))
        }
        (Value::String(x), _) if is_blob(x) => true,
        (Value::String(x), Value::Array(_) | Value::Object(_)) if is_structure(x) => {
            parsed(x).is_some_and(|x| same(&x, a, tolerance))
        }
        (Value::Array(_) | Value::Object(_), Value::String(y)) if is_structure(y) => {
            parsed(y).is_some_and(|y| same(e, &y, tolerance))
        }
        (Value::Number(ms), Value::String(text)) | (Value::String(text), Value::Number(ms)) => {
            instants(text).is_some_and(|(instant, wall)| {
                ms.as_i64() == Some(instant) || ms.as_i64() == Some(wall)
            })
        }
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y, tolerance))
        }
        (Value::Object(x), Value::Object(y)) => {
            let names = x.keys().chain(y.keys());
            let of = |map: &serde_json::Map<String, Value>, name| {
                map.get(name).cloned().unwrap_or_default()
            };
            names.into_iter().all(|name| same(&of(x, name), &of(y, name), tolerance))
        }
        (Value::Array(x), _) if x.len() == 1 => same(&x[0], a, tolerance),
        (_, Value::Array(y)) if y.len() == 1 => same(e, &y[0], tolerance),
        _ => e == a,
    }
}

fn is_structure(text: &str) -> bool {
    text.starts_with(['[', '{'])
}

fn is_blob(text: &str) -> bool {
    text.trim_start_matches('"').starts_with("AQAAA")
}

fn same_instant(x: &str, y: &str) -> bool {
    instants(x).zip(instants(y)).is_some_and(|(x, y)| x.0 == y.0)
}

/// The instant of a text, and the same with its offset ignored.
fn instants(text: &str) -> Option<(i64, i64)> {
    if text.len() < 17 || text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    let instant = henge_types::parse_timestamp_ms(text).ok()?;
    let end = text.get(11..)?.find(['Z', '+', '-']).map_or(text.len(), |at| at + 11);
    let wall = henge_types::parse_timestamp_ms(&format!("{}Z", &text[..end])).ok()?;
    Some((instant, wall))
}
