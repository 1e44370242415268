//! Functions of text. Positions and lengths count characters. Null in, null out.

use std::sync::Arc;

use super::{Function, LONG, STRING, argument, metered, plain};
use crate::MAX_RESULT_BYTES;
use crate::budget::Budget;
use crate::error::{ExprError, Result};
use crate::operators;
use crate::types::as_index;
use crate::value::ExprValue;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("concat", 0, usize::MAX, STRING, concat),
    plain("strlen", 1, 1, LONG, |a| {
        Ok(a[0].as_text().map(|text| text.chars().count() as i64).into())
    }),
    plain("lower", 1, 1, STRING, |a| Ok(a[0].as_text().map(|text| text.to_lowercase()).into())),
    plain("upper", 1, 1, STRING, |a| Ok(a[0].as_text().map(|text| text.to_uppercase()).into())),
    plain("reverse", 1, 1, STRING, |a| {
        Ok(a[0].as_text().map(|text| text.chars().rev().collect::<String>()).into())
    }),
    plain("substring", 2, 3, STRING, substring),
    plain("left", 2, 2, STRING, left),
    plain("right", 2, 2, STRING, right),
    plain("strpos", 2, 3, LONG, strpos),
    plain("contains_string", 2, 2, LONG, |a| Ok(contains(&a[0], &a[1], false))),
    plain("icontains_string", 2, 2, LONG, |a| Ok(contains(&a[0], &a[1], true))),
    plain("replace", 3, 3, STRING, replace),
    metered("repeat", 2, 2, STRING, repeat),
    metered("lpad", 2, 3, STRING, |a, budget| pad("lpad", a, true, budget)),
    metered("rpad", 2, 3, STRING, |a, budget| pad("rpad", a, false, budget)),
    plain("trim", 1, 2, STRING, |a| Ok(trim(a, true, true))),
    plain("ltrim", 1, 2, STRING, |a| Ok(trim(a, true, false))),
    plain("rtrim", 1, 2, STRING, |a| Ok(trim(a, false, true))),
    plain("btrim", 1, 2, STRING, |a| Ok(trim(a, true, true))),
    plain("parse_long", 1, 2, LONG, parse_long),
    plain("decode_base64_utf8", 1, 1, STRING, |a| {
        Ok(a[0].as_text().and_then(|text| decode_base64(&text)).into())
    }),
];

fn too_large(function: &'static str) -> ExprError {
    ExprError::ResultTooLarge { function, limit: MAX_RESULT_BYTES }
}

fn concat(arguments: &[ExprValue]) -> Result<ExprValue> {
    let texts: Option<Vec<_>> = arguments.iter().map(ExprValue::as_text).collect();
    match texts {
        Some(texts) => operators::concat(&texts.iter().map(AsRef::as_ref).collect::<Vec<&str>>()),
        None => Ok(ExprValue::Null),
    }
}

/// The byte at which a character starts; the length when the text is shorter.
fn byte_of(text: &str, character: usize) -> usize {
    if text.is_ascii() {
        return character.min(text.len());
    }
    text.char_indices().nth(character).map_or(text.len(), |(at, _)| at)
}

/// A count of characters: negative ones are zero.
fn count(value: i64) -> usize {
    usize::try_from(value.max(0)).unwrap_or(usize::MAX)
}

/// `substring(text, start[, length])`: zero-based; a negative length reads to the end.
fn substring(arguments: &[ExprValue]) -> Result<ExprValue> {
    let (Some(text), Some(start)) = (arguments[0].as_text(), as_index(&arguments[1])) else {
        return Ok(ExprValue::Null);
    };
    let rest = &text[byte_of(&text, count(start))..];
    if rest.is_empty() {
        // Druid has nothing to cut out beyond the end, not even the empty text.
        return Ok(ExprValue::Null);
    }
    let length = match arguments.get(2) {
        None => -1,
        Some(length) => match as_index(length) {
            Some(length) => length,
            None => return Ok(ExprValue::Null),
        },
    };
    let end = if length < 0 { rest.len() } else { byte_of(rest, count(length)) };
    Ok(rest[..end].into())
}

fn left(arguments: &[ExprValue]) -> Result<ExprValue> {
    Ok(match (arguments[0].as_text(), as_index(&arguments[1])) {
        (Some(text), Some(n)) if n >= 0 => text[..byte_of(&text, count(n))].into(),
        _ => ExprValue::Null,
    })
}

fn right(arguments: &[ExprValue]) -> Result<ExprValue> {
    Ok(match (arguments[0].as_text(), as_index(&arguments[1])) {
        (Some(text), Some(n)) if n >= 0 => {
            let skipped = text.chars().count().saturating_sub(count(n));
            text[byte_of(&text, skipped)..].into()
        }
        _ => ExprValue::Null,
    })
}

/// `strpos(text, wanted[, from])`: zero-based position, -1 when absent.
fn strpos(arguments: &[ExprValue]) -> Result<ExprValue> {
    let (Some(text), Some(wanted)) = (arguments[0].as_text(), arguments[1].as_text()) else {
        return Ok(ExprValue::Null);
    };
    let from = byte_of(&text, count(as_index(argument(arguments, 2)).unwrap_or(0)));
    let found = text[from..].find(wanted.as_ref());
    Ok(found.map_or(-1, |at| text[..from + at].chars().count() as i64).into())
}

fn contains(text: &ExprValue, wanted: &ExprValue, ignore_case: bool) -> ExprValue {
    match (text.as_text(), wanted.as_text()) {
        (Some(text), Some(wanted)) if ignore_case => {
            text.to_lowercase().contains(&wanted.to_lowercase()).into()
        }
        (Some(text), Some(wanted)) => text.contains(wanted.as_ref()).into(),
        _ => ExprValue::Null,
    }
}

fn replace(arguments: &[ExprValue]) -> Result<ExprValue> {
    let (Some(text), Some(wanted), Some(by)) =
        (arguments[0].as_text(), arguments[1].as_text(), arguments[2].as_text())
    else {
        return Ok(ExprValue::Null);
    };
    let found = text.matches(wanted.as_ref()).count();
    if text.len().saturating_add(found.saturating_mul(by.len())) > MAX_RESULT_BYTES {
        return Err(too_large("replace"));
    }
    Ok(text.replace(wanted.as_ref(), &by).into())
}

fn repeat(arguments: &[ExprValue], budget: &Budget) -> Result<ExprValue> {
    match (arguments[0].as_text(), as_index(&arguments[1])) {
        (Some(text), Some(times)) if times > 0 => {
            if text.len().saturating_mul(count(times)) > MAX_RESULT_BYTES {
                return Err(too_large("repeat"));
            }
            budget.reserve((text.len() * count(times)) as u64)?;
            Ok(text.repeat(count(times)).into())
        }
        _ => Ok(ExprValue::Null),
    }
}

/// Pads with a repeated text (a space when left out) or cuts, to a number of characters.
fn pad(
    function: &'static str,
    arguments: &[ExprValue],
    at_start: bool,
    budget: &Budget,
) -> Result<ExprValue> {
    let space = ExprValue::from(" ");
    let (Some(text), Some(length), Some(padding)) = (
        arguments[0].as_text(),
        as_index(&arguments[1]),
        arguments.get(2).unwrap_or(&space).as_text(),
    ) else {
        return Ok(ExprValue::Null);
    };
    let length = count(length);
    let present = text.chars().count();
    if present >= length || padding.is_empty() {
        return Ok(text[..byte_of(&text, length)].into());
    }
    if length > MAX_RESULT_BYTES {
        return Err(too_large(function));
    }
    budget.reserve(length as u64)?;
    let filler: String = padding.chars().cycle().take(length - present).collect();
    if filler.len() + text.len() > MAX_RESULT_BYTES {
        return Err(too_large(function));
    }
    operators::concat(&if at_start { [filler.as_str(), &text] } else { [&text, filler.as_str()] })
}

/// Strips spaces, or any of the characters of a second argument.
fn trim(arguments: &[ExprValue], start: bool, end: bool) -> ExprValue {
    let space = ExprValue::from(" ");
    let (Some(text), Some(set)) =
        (arguments[0].as_text(), arguments.get(1).unwrap_or(&space).as_text())
    else {
        return ExprValue::Null;
    };
    let mut kept: &str = &text;
    if start {
        kept = kept.trim_start_matches(|c| set.contains(c));
    }
    if end {
        kept = kept.trim_end_matches(|c| set.contains(c));
    }
    ExprValue::String(Arc::from(kept))
}

/// `parse_long(text[, radix])`: null when the text is no integer of that radix.
fn parse_long(arguments: &[ExprValue]) -> Result<ExprValue> {
    let radix = match arguments.get(1) {
        None => 10,
        Some(radix) => match as_index(radix).and_then(|r| u32::try_from(r).ok()) {
            Some(radix) if (2..=36).contains(&radix) => radix,
            _ => return Err(ExprError::argument("parse_long", "the radix must be 2 to 36")),
        },
    };
    let Some(text) = arguments[0].as_text() else { return Ok(ExprValue::Null) };
    let digits = match radix {
        16 => text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(&text),
        _ => &text,
    };
    Ok(i64::from_str_radix(digits, radix).ok().into())
}

/// Decodes standard base64 (padding optional) that holds UTF-8.
fn decode_base64(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut buffer = 0_u32;
    let mut bits = 0;
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        buffer = buffer << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((buffer >> bits) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    String::from_utf8(out).ok()
}
