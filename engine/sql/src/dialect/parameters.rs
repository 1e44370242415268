//! Parameters: each `?` becomes a literal of its type. No text of a statement is made of values.

use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, DataType, ExactNumberInfo, Expr, Value, ValueWithSpan,
};
use serde_json::Value as Json;

use super::{Surroundings, literal, tree};
use crate::error::{Result, SqlError};
use crate::session::Parameter;

/// What stands for a value of the tree: a parameter's value for its mark, text for `U&'…'`.
///
/// # Errors
/// When the parameter has no value or one that is not of its type.
pub(super) fn value(value: &ValueWithSpan, around: &Surroundings) -> Result<Option<Expr>> {
    match &value.value {
        Value::UnicodeStringLiteral(text) => Ok(Some(tree::text(text))),
        Value::Number(digits, _) => literal::whole(digits, value.span).map(|()| None),
        Value::Placeholder(mark) => {
            let Some(parameters) = &around.parameters else { return Ok(None) };
            let number = mark.trim_start_matches('$').parse::<usize>().unwrap_or(0);
            let parameter = number.checked_sub(1).and_then(|at| parameters.get(at));
            let Some(parameter) = parameter else {
                let message =
                    format!("parameter {number} has no value: {} were given", parameters.len());
                return Err(literal::at(SqlError::invalid(message), value.span));
            };
            let made = of(parameter, around).ok_or_else(|| {
                let message = format!(
                    "parameter {number} is {}, which is no {}",
                    excerpt(&parameter.value),
                    parameter.sql_type
                );
                literal::at(SqlError::invalid(message), value.span)
            });
            made.map(Some)
        }
        _ => Ok(None),
    }
}

fn excerpt(value: &Json) -> String {
    value.to_string().chars().take(40).collect()
}

/// The value as a literal; `None` when it is not of its type.
fn of(parameter: &Parameter, around: &Surroundings) -> Option<Expr> {
    let sql_type = parameter.sql_type.to_ascii_uppercase();
    let data_type = match sql_type.as_str() {
        "VARCHAR" | "CHAR" | "STRING" => DataType::Varchar(None),
        "BIGINT" | "INTEGER" | "INT" | "SMALLINT" | "TINYINT" | "LONG" => DataType::BigInt(None),
        "DOUBLE" | "DECIMAL" | "REAL" | "NUMERIC" => DataType::Double(ExactNumberInfo::None),
        "FLOAT" => DataType::Float(ExactNumberInfo::None),
        "BOOLEAN" => DataType::Boolean,
        "TIMESTAMP" => tree::timestamp_type(),
        "DATE" => DataType::Date,
        "ARRAY" => return array(&parameter.value),
        _ => return None,
    };
    if parameter.value.is_null() {
        return Some(tree::cast(tree::null(), data_type));
    }
    match &data_type {
        DataType::Varchar(_) => Some(tree::text(text(&parameter.value)?)),
        DataType::BigInt(_) => whole(&parameter.value).map(tree::number),
        DataType::Boolean => boolean(&parameter.value).map(|is| Expr::value(Value::Boolean(is))),
        DataType::Timestamp(..) => time(&parameter.value, around).map(tree::timestamp),
        DataType::Date => {
            let ms = time(&parameter.value, around)?;
            let day = henge_types::format_timestamp(ms)
                .chars()
                .take_while(|c| *c != 'T')
                .collect::<String>();
            Some(tree::cast(tree::text(day), data_type))
        }
        _ => Some(tree::cast(decimal(&parameter.value)?, data_type)),
    }
}

fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(is) => Some(is.to_string()),
        _ => None,
    }
}

fn whole(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn boolean(value: &Json) -> Option<bool> {
    value.as_bool().or_else(|| match value.as_str()?.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    })
}

fn decimal(value: &Json) -> Option<Expr> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    let text = value.as_number().map_or_else(|| number.to_string(), ToString::to_string);
    // A whole number would be read as BIGINT, which the cast makes DOUBLE again.
    if number.is_finite() {
        Some(Expr::value(Value::Number(text, false)))
    } else {
        Some(tree::text(text))
    }
}

fn time(value: &Json, around: &Surroundings) -> Option<i64> {
    value.as_i64().or_else(|| literal::instant(value.as_str()?, around))
}

fn array(value: &Json) -> Option<Expr> {
    let Json::Array(elements) = value else {
        let element = Box::new(DataType::Varchar(None));
        let data_type = DataType::Array(ArrayElemTypeDef::SquareBracket(element, None));
        return value.is_null().then(|| tree::cast(tree::null(), data_type));
    };
    let element = |element: &Json| match element {
        Json::Null => Some(tree::null()),
        Json::Bool(is) => Some(Expr::value(Value::Boolean(*is))),
        Json::Number(number) => Some(Expr::value(Value::Number(number.to_string(), false))),
        Json::String(text) => Some(tree::text(text)),
        Json::Array(_) => array(element),
        Json::Object(_) => None,
    };
    let elem = elements.iter().map(element).collect::<Option<Vec<_>>>()?;
    Some(Expr::Array(Array { elem, named: true }))
}
