//! `lookup_in`: a text's value in a table that is a constant of the expression.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Function, STRING, of_first};
use crate::error::{ExprError, Result};
use crate::node::Callable;
use crate::value::ExprValue;

pub(super) const FUNCTIONS: &[Function] = &[of_first("lookup_in", 2, 3, STRING, prepare)];

/// `lookup_in(text, '{"key": "value", ..}'[, missing])`: what is not in the table is `missing`, null unless
/// it is given.
fn prepare(literals: &[Option<&ExprValue>]) -> Result<Callable> {
    let table = match literals[1] {
        Some(ExprValue::String(text)) => table(text)?,
        _ => return Err(ExprError::argument("lookup_in", "the table must be a constant string")),
    };
    let missing = match literals.get(2) {
        None => Some(ExprValue::Null),
        Some(constant) => constant.cloned(),
    };
    Ok(Box::new(move |arguments, _| {
        let found = arguments[0].as_text().and_then(|text| table.get(text.as_ref()));
        Ok(match (found, &missing) {
            (Some(value), _) => value.clone(),
            (None, Some(missing)) => missing.clone(),
            (None, None) => arguments[2].clone(),
        })
    }))
}

fn table(text: &str) -> Result<HashMap<Arc<str>, ExprValue>> {
    let entries: Map<String, Value> = serde_json::from_str(text).map_err(|_| {
        ExprError::argument("lookup_in", "the table must be a JSON object of strings")
    })?;
    let entries = entries.into_iter().map(|(key, value)| match value {
        Value::String(value) => Ok((Arc::from(key), ExprValue::from(value))),
        Value::Null => Ok((Arc::from(key), ExprValue::Null)),
        _ => {
            Err(ExprError::argument("lookup_in", format!("the value of '{key}' must be a string")))
        }
    });
    entries.collect()
}
