//! `SET name = value;` before a statement.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use serde_json::{Map, Number, Value};

use super::lexer::{at, is_word};
use crate::error::{Result, SqlError};

/// The settings of the parts before a statement.
///
/// # Errors
/// When a part is not `SET name = value`.
pub(super) fn read(parts: &[Vec<TokenWithSpan>]) -> Result<Map<String, Value>> {
    parts.iter().map(|part| setting(part)).collect()
}

fn setting(part: &[TokenWithSpan]) -> Result<(String, Value)> {
    let wrong = |message: &str, token| Err(at(SqlError::invalid(message), token));
    if !is_word(part.first(), "SET") {
        return wrong(
            "only SET name = value may stand before the statement; send one statement at a time",
            part.first(),
        );
    }
    let Some(Token::Word(name)) = part.get(1).map(|token| &token.token) else {
        return wrong("SET is written SET name = value", part.get(1));
    };
    if part.get(2).map(|token| &token.token) != Some(&Token::Eq) {
        return wrong("SET is written SET name = value", part.get(2));
    }
    match value(&part[3..]) {
        Some(value) => Ok((name.value.clone(), value)),
        None => wrong("the value of SET is one text, number, TRUE, FALSE or NULL", part.get(3)),
    }
}

fn value(tokens: &[TokenWithSpan]) -> Option<Value> {
    let number = |text: &str, sign: &str| {
        let text = format!("{sign}{text}");
        let whole = text.parse::<i64>().ok().map(Number::from);
        whole.or_else(|| Number::from_f64(text.parse().ok()?)).map(Value::Number)
    };
    let token = |at: usize| tokens.get(at).map(|token| &token.token);
    match (token(0)?, token(1), token(2)) {
        (Token::SingleQuotedString(text) | Token::UnicodeStringLiteral(text), None, None) => {
            Some(Value::String(text.clone()))
        }
        (Token::Number(text, _), None, None) => number(text, ""),
        (Token::Minus, Some(Token::Number(text, _)), None) => number(text, "-"),
        (Token::Word(_), None, None) if is_word(tokens.first(), "TRUE") => Some(Value::Bool(true)),
        (Token::Word(_), None, None) if is_word(tokens.first(), "FALSE") => {
            Some(Value::Bool(false))
        }
        (Token::Word(_), None, None) if is_word(tokens.first(), "NULL") => Some(Value::Null),
        _ => None,
    }
}
