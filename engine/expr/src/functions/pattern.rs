//! Regular expressions, on a linear-time engine with a cap on the compiled size. Java's look-around
//! and back-references are not part of it.

use std::sync::{Arc, Mutex};

use regex::{Captures, Regex, RegexBuilder};

use super::{COMPILE_STEPS, Function, LONG, STRING, argument, prepared};
use crate::MAX_RESULT_BYTES;
use crate::error::{ExprError, Result};
use crate::node::Callable;
use crate::types::as_index;
use crate::value::ExprValue;

pub(super) const FUNCTIONS: &[Function] = &[
    prepared("regexp_extract", 2, 3, STRING, |l| prepare("regexp_extract", l, extract)),
    prepared("regexp_like", 2, 2, LONG, |l| prepare("regexp_like", l, is_match)),
    prepared("regexp_replace", 3, 3, STRING, |l| prepare("regexp_replace", l, replace)),
];

/// Bytes a compiled pattern may take.
const MAX_COMPILED_BYTES: usize = 2 * 1024 * 1024;

/// What is done with the compiled pattern and the arguments (text, pattern, third).
type Action = fn(&Regex, &str, &ExprValue) -> Result<ExprValue>;

fn compile(function: &'static str, pattern: &str) -> Result<Regex> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|error| {
            let reason = error.to_string();
            let last = reason.lines().last().unwrap_or_default().trim();
            let message = format!("the pattern does not compile: {last}");
            ExprError::argument(function, message)
        })
}

/// Compiles a constant pattern once; of varying ones the last is kept.
fn prepare(
    function: &'static str,
    literals: &[Option<&ExprValue>],
    action: Action,
) -> Result<Callable> {
    if let Some(pattern) = literals[1] {
        let Some(pattern) = pattern.as_text() else {
            return Ok(Box::new(|_, _| Ok(ExprValue::Null)));
        };
        let regex = compile(function, &pattern)?;
        return Ok(Box::new(move |arguments, _| apply(&regex, arguments, action)));
    }
    let last: Mutex<Option<(Arc<str>, Regex)>> = Mutex::new(None);
    Ok(Box::new(move |arguments, budget| {
        let Some(pattern) = arguments[1].to_shared_text() else { return Ok(ExprValue::Null) };
        let known = match last.lock() {
            Ok(last) => last.clone().filter(|(text, _)| *text == pattern),
            Err(_) => None,
        };
        let regex = match known {
            Some((_, regex)) => regex,
            None => {
                budget.step(COMPILE_STEPS)?;
                let regex = compile(function, &pattern)?;
                if let Ok(mut last) = last.lock() {
                    *last = Some((pattern, regex.clone()));
                }
                regex
            }
        };
        apply(&regex, arguments, action)
    }))
}

fn apply(regex: &Regex, arguments: &[ExprValue], action: Action) -> Result<ExprValue> {
    match arguments[0].as_text() {
        Some(text) => action(regex, &text, argument(arguments, 2)),
        None => Ok(ExprValue::Null),
    }
}

fn is_match(regex: &Regex, text: &str, _: &ExprValue) -> Result<ExprValue> {
    Ok(regex.is_match(text).into())
}

/// The group of the first match: 0, the whole match, when not given.
fn extract(regex: &Regex, text: &str, group: &ExprValue) -> Result<ExprValue> {
    let group = match group {
        ExprValue::Null => 0,
        value => match as_index(value).and_then(|index| usize::try_from(index).ok()) {
            Some(index) if index < regex.captures_len() => index,
            _ => {
                let message = format!("the pattern has {} groups only", regex.captures_len() - 1);
                return Err(ExprError::argument("regexp_extract", message));
            }
        },
    };
    if group == 0 {
        return Ok(regex.find(text).map(|found| found.as_str()).into());
    }
    let found = regex.captures(text).and_then(|captures| captures.get(group));
    Ok(found.map(|found| found.as_str()).into())
}

/// A piece of a replacement written Java's way.
enum Piece {
    Text(String),
    Group(usize),
}

fn replace(regex: &Regex, text: &str, replacement: &ExprValue) -> Result<ExprValue> {
    let Some(replacement) = replacement.as_text() else { return Ok(ExprValue::Null) };
    let pieces = pieces(&replacement, regex.captures_len())?;
    let mut grown = text.len();
    for captures in regex.captures_iter(text) {
        grown = grown.saturating_add(pieces.iter().map(|p| length(p, &captures)).sum());
        if grown > MAX_RESULT_BYTES {
            let function = "regexp_replace";
            return Err(ExprError::ResultTooLarge { function, limit: MAX_RESULT_BYTES });
        }
    }
    let replaced = regex.replace_all(text, |captures: &Captures<'_>| {
        let mut out = String::new();
        for piece in &pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Group(group) => {
                    out.push_str(captures.get(*group).map_or("", |m| m.as_str()));
                }
            }
        }
        out
    });
    Ok(replaced.into_owned().into())
}

fn length(piece: &Piece, captures: &Captures<'_>) -> usize {
    match piece {
        Piece::Text(text) => text.len(),
        Piece::Group(group) => captures.get(*group).map_or(0, |found| found.len()),
    }
}

/// `$1` is a group (further digits belong to it while such a group exists), `\x` is x.
fn pieces(replacement: &str, groups: usize) -> Result<Vec<Piece>> {
    let bad = |message: &str| ExprError::argument("regexp_replace", message);
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut chars = replacement.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                text.push(chars.next().ok_or_else(|| bad("the replacement ends in a backslash"))?);
            }
            '$' => {
                let mut group = chars
                    .next()
                    .and_then(|c| c.to_digit(10))
                    .map(|digit| digit as usize)
                    .filter(|group| *group < groups)
                    .ok_or_else(|| {
                        bad("'$' needs the number of a group: write a plain one as '\\\\$'")
                    })?;
                while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                    let longer = group * 10 + digit as usize;
                    if longer >= groups {
                        break;
                    }
                    group = longer;
                    chars.next();
                }
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(Piece::Group(group));
            }
            other => text.push(other),
        }
    }
    pieces.push(Piece::Text(text));
    Ok(pieces)
}
