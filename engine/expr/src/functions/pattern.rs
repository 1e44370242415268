//! Functions of regular expressions, in Java's dialect ([`crate::java_regex`]).

use std::sync::{Arc, Mutex};

use super::{COMPILE_STEPS, Function, LONG, STRING, argument, of_first};
use crate::MAX_RESULT_BYTES;
use crate::error::{ExprError, Result};
use crate::java_regex::{Decided, Head, JavaRegex, Match};
use crate::node::Callable;
use crate::types::as_index;
use crate::value::ExprValue;
use recent::Recent;

mod recent;

pub(super) const FUNCTIONS: &[Function] = &[
    of_first("regexp_extract", 2, 3, STRING, |l| prepare("regexp_extract", l, EXTRACT)),
    of_first("regexp_like", 2, 2, LONG, |l| prepare("regexp_like", l, LIKE)),
    of_first("regexp_replace", 3, 3, STRING, |l| prepare("regexp_replace", l, REPLACE)),
];

/// Bytes a compiled pattern may take.
const MAX_COMPILED_BYTES: usize = 2 * 1024 * 1024;

/// What is done with a compiled pattern.
#[derive(Clone, Copy)]
struct Action {
    /// The result for a text and the third argument.
    apply: fn(&JavaRegex, &str, &ExprValue) -> Result<ExprValue>,
    /// True when texts have the same result whose beginnings decide the same, the third argument being
    /// the same.
    is_of_head: fn(&Head, Decided, &ExprValue) -> bool,
}

const LIKE: Action = Action { apply: is_match, is_of_head: |_, _, _| true };
const EXTRACT: Action = Action {
    apply: extract,
    is_of_head: |head, _, group| {
        !head.takes_rest() || as_index(group).is_some_and(|group| group > 0)
    },
};
const REPLACE: Action = Action {
    apply: replace,
    is_of_head: |head, decided, replacement| {
        let whole = replacement.as_text().is_none_or(|text| text.contains("$0"));
        head.takes_rest() && decided.matched && !whole
    },
};

fn compile(function: &'static str, pattern: &str) -> Result<JavaRegex> {
    JavaRegex::new(pattern, MAX_COMPILED_BYTES).map_err(|error| {
        ExprError::argument(function, format!("the pattern does not compile: {error}"))
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
        let Some(third) = literals.get(2).copied().unwrap_or(Some(&ExprValue::Null)).cloned()
        else {
            return Ok(Box::new(move |arguments, _| {
                apply(&regex, &arguments[0], argument(arguments, 2), action)
            }));
        };
        let recent = Recent::of(&pattern, action, &third);
        return Ok(Box::new(move |arguments, _| match (&recent, &arguments[0]) {
            (Some(recent), ExprValue::String(text)) => recent.apply(&regex, text),
            (_, value) => apply(&regex, value, &third, action),
        }));
    }
    let last: Mutex<Option<(Arc<str>, JavaRegex)>> = Mutex::new(None);
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
        apply(&regex, &arguments[0], argument(arguments, 2), action)
    }))
}

fn apply(
    regex: &JavaRegex,
    value: &ExprValue,
    third: &ExprValue,
    action: Action,
) -> Result<ExprValue> {
    match value.as_text() {
        Some(text) => (action.apply)(regex, &text, third),
        None => Ok(ExprValue::Null),
    }
}

fn is_match(regex: &JavaRegex, text: &str, _: &ExprValue) -> Result<ExprValue> {
    Ok(regex.is_match(text).into())
}

/// The group of the first match: 0, the whole match, when not given.
fn extract(regex: &JavaRegex, text: &str, group: &ExprValue) -> Result<ExprValue> {
    let group = match group {
        ExprValue::Null => 0,
        value => match as_index(value).and_then(|index| usize::try_from(index).ok()) {
            Some(index) if index <= regex.group_count() => index,
            _ => {
                let message = format!("the pattern has {} groups only", regex.group_count());
                return Err(ExprError::argument("regexp_extract", message));
            }
        },
    };
    Ok(regex.find_at(text, 0).and_then(|found| found.group(group, text)).into())
}

/// A piece of a replacement written Java's way.
enum Piece {
    Text(String),
    Group(usize),
}

fn replace(regex: &JavaRegex, text: &str, replacement: &ExprValue) -> Result<ExprValue> {
    let Some(replacement) = replacement.as_text() else { return Ok(ExprValue::Null) };
    let pieces = pieces(&replacement, regex)?;
    let mut out = String::with_capacity(text.len());
    let mut last = 0;
    for found in regex.matches(text) {
        let (start, end) = found.span();
        out.push_str(&text[last..start]);
        last = end;
        pieces.iter().for_each(|piece| out.push_str(piece.text(&found, text)));
        if out.len() > MAX_RESULT_BYTES {
            let function = "regexp_replace";
            return Err(ExprError::ResultTooLarge { function, limit: MAX_RESULT_BYTES });
        }
    }
    out.push_str(&text[last..]);
    if out.len() > MAX_RESULT_BYTES {
        let function = "regexp_replace";
        return Err(ExprError::ResultTooLarge { function, limit: MAX_RESULT_BYTES });
    }
    Ok(out.into())
}

impl Piece {
    fn text<'t>(&'t self, found: &Match<'_, 't>, text: &'t str) -> &'t str {
        match self {
            Self::Text(text) => text,
            Self::Group(group) => found.group(*group, text).unwrap_or_default(),
        }
    }
}

/// `$1` is a group (further digits belong to it while such a group exists), `${name}` a named one,
/// `\x` is x.
fn pieces(replacement: &str, regex: &JavaRegex) -> Result<Vec<Piece>> {
    let bad = |message: &str| ExprError::argument("regexp_replace", message);
    let groups = regex.group_count() + 1;
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut chars = replacement.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                text.push(chars.next().ok_or_else(|| bad("the replacement ends in a backslash"))?);
            }
            '$' if chars.peek() == Some(&'{') => {
                chars.next();
                let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                let group = regex
                    .group_named(&name)
                    .ok_or_else(|| bad(&format!("the pattern has no group named '{name}'")))?;
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(Piece::Group(group));
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
