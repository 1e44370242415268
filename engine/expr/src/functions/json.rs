//! JSON documents: reading values out of them, making and joining them.

use serde_json::Value;

use super::{Arrays, Build, Function, Returns, STRING, STRING_ARRAY, of_first, plain, scalar};
use crate::budget::Budget;
use crate::error::{ExprError, Result};
use crate::json::{self, JsonPath};
use crate::node::Callable;
use crate::types::{ExprType, array_result, cast};
use crate::value::ExprValue;

pub(super) const FUNCTIONS: &[Function] = &[
    of_first("json_value", 2, 3, Returns::Named(2), prepare_value).over(Arrays::First),
    of_first("json_query", 2, 2, STRING, |l| prepare("json_query", l, json::held))
        .over(Arrays::First),
    of_first("json_query_array", 2, 2, STRING_ARRAY, |l| prepare("json_query_array", l, elements))
        .over(Arrays::First),
    of_first("json_keys", 2, 2, STRING_ARRAY, |l| prepare("json_keys", l, keys))
        .over(Arrays::First),
    plain("json_paths", 1, 1, STRING_ARRAY, paths).over(Arrays::First),
    scalar("json_object", 0, usize::MAX, STRING, Build::OfJson(object)).over(Arrays::All),
    scalar("json_merge", 1, usize::MAX, STRING, Build::OfJson(merge)).over(Arrays::All),
    plain("parse_json", 1, 1, STRING, parse),
    plain("try_parse_json", 1, 1, STRING, |a| Ok(parse(a).unwrap_or_default())),
    scalar("to_json_string", 1, 1, STRING, Build::OfJson(to_text)).over(Arrays::All),
];

/// A function of what lies at a path, which is compiled once when it is constant.
fn prepare(
    function: &'static str,
    literals: &[Option<&ExprValue>],
    run: fn(&Value) -> ExprValue,
) -> Result<Callable> {
    if let Some(path) = literals[1] {
        let path = path_of(function, path)?;
        return Ok(Box::new(move |arguments, _| Ok(found(&arguments[0], path.as_ref(), run))));
    }
    Ok(Box::new(move |arguments, _| {
        let path = path_of(function, &arguments[1])?;
        Ok(found(&arguments[0], path.as_ref(), run))
    }))
}

fn path_of(function: &'static str, path: &ExprValue) -> Result<Option<JsonPath>> {
    let path = path.as_text().map(|text| JsonPath::parse(&text)).transpose();
    path.map_err(|message| ExprError::argument(function, message))
}

fn found(
    document: &ExprValue,
    path: Option<&JsonPath>,
    run: impl Fn(&Value) -> ExprValue,
) -> ExprValue {
    let Some(path) = path.filter(|_| !document.is_null()) else { return ExprValue::Null };
    path.find(&json::document(document)).map_or(ExprValue::Null, run)
}

/// `json_value(document, path[, type])`: a scalar or an array of scalars, null for anything else.
fn prepare_value(literals: &[Option<&ExprValue>]) -> Result<Callable> {
    let target = match literals.get(2) {
        None => None,
        Some(Some(ExprValue::String(name))) => match ExprType::parse(name) {
            Some(target) => Some(target),
            None => {
                return Err(ExprError::argument("json_value", format!("unknown type '{name}'")));
            }
        },
        Some(_) => {
            return Err(ExprError::argument("json_value", "the type must be a constant string"));
        }
    };
    let read = move |document: &Value| value_as(document, target);
    if let Some(path) = literals[1] {
        let path = path_of("json_value", path)?;
        return Ok(Box::new(move |arguments, _| Ok(found(&arguments[0], path.as_ref(), read))));
    }
    Ok(Box::new(move |arguments, _| {
        let path = path_of("json_value", &arguments[1])?;
        Ok(found(&arguments[0], path.as_ref(), read))
    }))
}

fn value_as(document: &Value, target: Option<ExprType>) -> ExprValue {
    let is_container = |value: &Value| value.is_object() || value.is_array();
    let is_flat = match document {
        Value::Array(items) => !items.iter().any(is_container),
        other => !other.is_object(),
    };
    match target {
        _ if !is_flat => ExprValue::Null,
        None => json::value(document),
        Some(target) if !target.is_array() && document.is_array() => match document.as_array() {
            // An array of one is that one, as where arrays are cast.
            Some(items) if items.len() == 1 => value_as(&items[0], Some(target)),
            _ => ExprValue::Null,
        },
        Some(target) if target.element() == ExprType::String => {
            cast(&json::texts(document), target)
        }
        Some(target) => cast(&json::value(document), target),
    }
}

/// The elements of an array, a value by itself as the only one; documents among them are texts.
fn elements(document: &Value) -> ExprValue {
    match document {
        Value::Null => ExprValue::Null,
        Value::Array(items) => match json::value(document) {
            array @ ExprValue::Array(_) => array,
            _ => items
                .iter()
                .map(json::value)
                .map(|item| cast(&item, ExprType::String))
                .collect::<Vec<_>>()
                .into(),
        },
        other => vec![json::value(other)].into(),
    }
}

/// The names of an object.
fn keys(document: &Value) -> ExprValue {
    match document {
        Value::Object(fields) => {
            fields.keys().map(|name| ExprValue::from(name.as_str())).collect::<Vec<_>>().into()
        }
        _ => ExprValue::Null,
    }
}

fn paths(arguments: &[ExprValue]) -> Result<ExprValue> {
    if arguments[0].is_null() {
        return Ok(ExprValue::Null);
    }
    let paths = json::leaf_paths(&json::document(&arguments[0]));
    array_result("json_paths", paths.into_iter().map(ExprValue::from).collect())
}

fn document(value: &ExprValue, is_json: bool) -> Value {
    if is_json { json::document(value) } else { json::plain(value) }
}

fn object(arguments: &[ExprValue], is_json: &[bool], budget: &Budget) -> Result<ExprValue> {
    if arguments.len() % 2 == 1 {
        return Err(ExprError::argument("json_object", "give names and values in turn"));
    }
    let mut fields = Vec::with_capacity(arguments.len() / 2);
    for (pair, is_json) in arguments.chunks_exact(2).zip(is_json.chunks_exact(2)) {
        let Some(name) = pair[0].as_text() else {
            return Err(ExprError::argument("json_object", "a name must not be null"));
        };
        fields.push((name.into_owned(), document(&pair[1], is_json[1])));
    }
    written(&json::object(fields.into_iter()), budget)
}

fn merge(arguments: &[ExprValue], _: &[bool], budget: &Budget) -> Result<ExprValue> {
    let mut documents = arguments.iter().map(|argument| match argument {
        ExprValue::String(text) => read("json_merge", text),
        other => Ok(json::plain(other)),
    });
    let Some(first) = documents.next() else { return Ok(ExprValue::Null) };
    let mut merged = first?;
    if merged.is_null() {
        return Ok(ExprValue::Null);
    }
    for document in documents {
        merged = json::merge(merged, document?);
    }
    written(&merged, budget)
}

fn written(document: &Value, budget: &Budget) -> Result<ExprValue> {
    let value = json::held(document);
    budget.made(&value)?;
    Ok(value)
}

fn read(function: &'static str, text: &str) -> Result<Value> {
    serde_json::from_str(text)
        .map_err(|error| ExprError::argument(function, format!("no JSON: {error}")))
}

fn parse(arguments: &[ExprValue]) -> Result<ExprValue> {
    match &arguments[0] {
        ExprValue::String(text) => read("parse_json", text).map(|document| json::held(&document)),
        other => Ok(other.clone()),
    }
}

fn to_text(arguments: &[ExprValue], is_json: &[bool], budget: &Budget) -> Result<ExprValue> {
    if arguments[0].is_null() {
        return Ok(ExprValue::Null);
    }
    let value = ExprValue::from(document(&arguments[0], is_json[0]).to_string());
    budget.made(&value)?;
    Ok(value)
}
