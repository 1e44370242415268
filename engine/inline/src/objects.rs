//! Stored objects that come as text: sketches as base64, pairs of a time and a value as JSON.

use std::sync::Arc;

use henge_exec::{ExecError, Result};
use henge_expr::ExprValue;
use henge_segment::metric::{PairValue, pair_to_bytes};
use henge_sketch::from_base64;
use henge_types::{ValueType, pair_value_type};
use henge_vector::value_of;
use serde_json::Value;

use crate::values::{Objects, Values};

/// The objects of a type that texts say. `name` is the column's.
pub(crate) fn objects_of(name: &str, type_name: &str, texts: Vec<ExprValue>) -> Result<Values> {
    let image = |text: ExprValue| match text {
        ExprValue::String(text) => read(type_name, &text).map(Some).map_err(|reason| {
            ExecError::Invalid(format!("column '{name}' holds no {type_name}: {reason}"))
        }),
        _ => Ok(None),
    };
    let values = texts.into_iter().map(image).collect::<Result<_>>()?;
    Ok(Values::Objects(Objects { type_name: type_name.to_owned(), values }))
}

fn read(type_name: &str, text: &str) -> std::result::Result<Arc<[u8]>, String> {
    let Some(value_type) = pair_value_type(type_name) else {
        return from_base64(text).map(Into::into).map_err(|error| error.to_string());
    };
    let pair: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Some(time_ms) = pair["lhs"].as_i64() else {
        return Err("a pair has a time as lhs".to_owned());
    };
    let value = value_of(&pair["rhs"]);
    Ok(match value_type {
        ValueType::Long => bytes(time_ms, value.as_long().as_ref()),
        ValueType::Float => {
            bytes(time_ms, value.as_double().map(henge_types::narrow::to_float).as_ref())
        }
        ValueType::Double => bytes(time_ms, value.as_double().as_ref()),
        ValueType::String => {
            bytes::<Arc<str>>(time_ms, value.as_text().as_deref().map(Arc::from).as_ref())
        }
    })
}

fn bytes<V: PairValue>(time_ms: i64, value: Option<&V>) -> Arc<[u8]> {
    pair_to_bytes(time_ms, value).into()
}
