//! Equality of answers: floats within 1e-9, sketches (fields named `h...`) within 3 %, scans up to
//! the rows that a limit may choose among.

use std::collections::BTreeMap;

use henge_query::{Query, ScanQuery};
use serde_json::Value;

/// Says how two answers differ.
pub(crate) fn same_answer(query: &Query, expected: &Value, actual: &Value) -> Result<(), String> {
    match query {
        Query::Scan(query) => same_scan(query, expected, actual),
        _ => same_json(expected, actual, ""),
    }
}

/// Says where two documents differ.
pub(crate) fn same_json(expected: &Value, actual: &Value, path: &str) -> Result<(), String> {
    let differs = || Err(format!("at {path}: expected {expected}, found {actual}"));
    match (expected, actual) {
        (Value::Array(e), Value::Array(a)) if e.len() == a.len() => {
            let mut pairs = e.iter().zip(a).enumerate();
            pairs.try_for_each(|(at, (e, a))| same_json(e, a, &format!("{path}/{at}")))
        }
        (Value::Object(e), Value::Object(a)) if e.len() == a.len() => {
            e.iter().try_for_each(|(key, value)| match a.get(key) {
                Some(found) => same_json(value, found, &format!("{path}/{key}")),
                None => differs(),
            })
        }
        (Value::Number(e), Value::Number(a)) => {
            if e == a {
                return Ok(());
            }
            if e.is_i64() && a.is_i64() && !is_sketch(path) {
                return differs();
            }
            let (e, a) = (e.as_f64().unwrap_or(f64::NAN), a.as_f64().unwrap_or(f64::NAN));
            let tolerance = tolerance(path);
            if (e - a).abs() <= tolerance * e.abs().max(a.abs()).max(1.0) {
                Ok(())
            } else {
                differs()
            }
        }
        _ if expected == actual => Ok(()),
        _ => differs(),
    }
}

/// Rows that are arrays do not name their fields; sketches of so few values err less than this.
fn tolerance(path: &str) -> f64 {
    if is_sketch(path) {
        0.03
    } else if path.rsplit('/').next().is_some_and(|field| field.parse::<usize>().is_ok()) {
        1e-6
    } else {
        1e-9
    }
}

fn is_sketch(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|field| field.starts_with('h'))
}

fn same_scan(query: &ScanQuery, expected: &Value, actual: &Value) -> Result<(), String> {
    let all = events(expected);
    let shown = events(actual);
    let offset = (query.offset as usize).min(all.len());
    let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
    let wanted = &all[offset..][..limit.min(all.len() - offset)];
    if shown.len() != wanted.len() {
        return Err(format!("{} rows shown, {} expected", shown.len(), wanted.len()));
    }
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    for event in &all {
        *left.entry(key(event)).or_default() += 1;
    }
    for event in &shown {
        match left.get_mut(&key(event)) {
            Some(count) if *count > 0 => *count -= 1,
            _ => return Err(format!("row {event} is shown too often or not among the rows")),
        }
    }
    let keys = |events: &[&Value]| events.iter().map(|e| order(query, e)).collect::<Vec<_>>();
    if keys(&shown) != keys(wanted) {
        return Err(format!("order {:?}, expected {:?}", keys(&shown), keys(wanted)));
    }
    for entry in actual.as_array().into_iter().flatten() {
        let rows = entry["events"].as_array().map_or(0, Vec::len);
        let names_segment = query.order_by.is_empty();
        if rows == 0
            || rows as u64 > query.batch_size
            || entry["segmentId"].is_string() != names_segment
        {
            return Err(format!("malformed entry {entry}"));
        }
    }
    Ok(())
}

/// A row as text. `serde_json` keeps the order of keys, so they are sorted here.
fn key(event: &Value) -> String {
    match event {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            format!("{sorted:?}")
        }
        other => other.to_string(),
    }
}

/// What a row is ordered by.
fn order(query: &ScanQuery, event: &Value) -> Vec<Value> {
    let keys = query.order_by.iter().map(|key| {
        let position = query.columns.iter().position(|column| *column == key.column);
        let value = match event {
            Value::Array(values) => position.and_then(|position| values.get(position)),
            other => other.get(&key.column),
        };
        value.cloned().unwrap_or_default()
    });
    keys.collect()
}

fn events(answer: &Value) -> Vec<&Value> {
    let entries = answer.as_array().into_iter().flatten();
    entries.flat_map(|entry| entry["events"].as_array().into_iter().flatten()).collect()
}
