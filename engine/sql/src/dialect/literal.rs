//! `TIMESTAMP '…'` and `DATE '…'`: read in the session's zone. Whole numbers: those that BIGINT holds.

use datafusion::sql::sqlparser::ast::{DataType, Expr, TypedString, UnaryOperator, Value};
use datafusion::sql::sqlparser::tokenizer::Span;
use henge_types::parse_timestamp_ms;
use henge_types::zone::local_to_instant;

use super::{Surroundings, tree};
use crate::error::{Result, SqlError};

/// A literal with its type before it.
///
/// # Errors
/// When the text is no such time, or the type none that has literals.
pub(super) fn typed(literal: &TypedString, around: &Surroundings) -> Result<Expr> {
    let span = literal.value.span;
    let (Value::SingleQuotedString(text) | Value::UnicodeStringLiteral(text)) =
        &literal.value.value
    else {
        return Err(at(SqlError::invalid("a literal of a time is written in quotes"), span));
    };
    match literal.data_type {
        DataType::Timestamp(..) | DataType::Datetime(_) => match instant(text, around) {
            Some(ms) => Ok(tree::timestamp(ms)),
            None => Err(at(wrong("TIMESTAMP", text, "2000-01-31 23:59:59.999"), span)),
        },
        DataType::Date => match local_ms(text) {
            Some(_) => Ok(tree::cast(tree::text(text.trim()), DataType::Date)),
            None => Err(at(wrong("DATE", text, "2000-01-31"), span)),
        },
        _ => {
            let message = format!("literals of type {} are not known", literal.data_type);
            Err(at(SqlError::unsupported(message), span))
        }
    }
}

/// The instant that a text says in the session's zone, ms.
pub(super) fn instant(text: &str, around: &Surroundings) -> Option<i64> {
    let local = local_ms(text)?;
    let has_zone = text.trim_end().ends_with(['Z', 'z'])
        || text.split_once([' ', 'T']).is_some_and(|(_, time)| time.contains(['+', '-']));
    match &around.zone {
        Some(zone) if !has_zone => Some(local_to_instant(&zone.rules, local)),
        _ => Some(local),
    }
}

/// The time that a text says as if it was in UTC, ms.
fn local_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    let dashes = text.bytes().skip(1).filter(|byte| *byte == b'-').count();
    let text = match text.split_once(' ') {
        Some((date, time)) => format!("{date}T{}", time.trim()),
        None => text.to_owned(),
    };
    (dashes >= 2).then(|| parse_timestamp_ms(&text).ok()).flatten()
}

/// Refuses a whole number that BIGINT does not hold: it would be another one, or none.
///
/// # Errors
/// When it is beyond 64 bits.
pub(super) fn whole(digits: &str, span: Span) -> Result<()> {
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    let is_whole = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    if !is_whole || digits.parse::<i64>().is_ok() {
        return Ok(());
    }
    let digits: String = digits.chars().take(40).collect();
    let message = format!(
        "the whole number {digits} is beyond the 64 bits of BIGINT; write {digits}.0 for a DOUBLE"
    );
    Err(at(SqlError::invalid(message), span))
}

/// `-9223372036854775808` as one number: without its sign it is none that BIGINT holds.
pub(super) fn negative(expr: &mut Expr) {
    let Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } = expr else { return };
    let Expr::Value(value) = inner.as_mut() else { return };
    let Value::Number(digits, _) = &mut value.value else { return };
    if digits == "9223372036854775808" {
        digits.insert(0, '-');
        let number = super::tree::take(inner);
        *expr = number;
    }
}

fn wrong(name: &str, text: &str, example: &str) -> SqlError {
    let text: String = text.chars().take(40).collect();
    SqlError::invalid(format!("'{text}' is no {name}; write {name} '{example}'"))
}

/// An error where a value stands.
pub(super) fn at(error: SqlError, span: Span) -> SqlError {
    if span == Span::empty() { error } else { error.at(span.start.line, span.start.column) }
}
