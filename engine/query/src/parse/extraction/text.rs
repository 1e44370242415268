//! Functions of texts: parts of them, their case, what a pattern finds in them.

use super::{Reading, constant, quoted};
use crate::error::Result;
use crate::node::{Node, excerpt};
use crate::parse::ordering;
use crate::parse::search_match::search_match;

/// The most that a position or a length may be.
const MAX_POSITION: i64 = i32::MAX as i64;

/// `{"type":"regex"}`: a group of the first match, or what stands for a value without one: the value
/// itself unless something else is given.
pub(super) fn regex(node: &Node<'_>, read: Reading) -> Result<Reading> {
    let pattern = node.require("expr", "give a regular expression")?;
    let groups = ordering::regex(&pattern)?.group_count();
    let group: usize = match node.get("index") {
        Some(index) => index.within(0, i64::try_from(groups).unwrap_or(i64::MAX))?,
        None if groups == 0 => {
            let hint = "the pattern has no group: give 0, the whole match, or put ( ) into it";
            return Err(node.missing("index", hint));
        }
        None => 1,
    };
    let replacement = node.optional_scalar_text("replaceMissingValueWith")?;
    let missing = match node.boolean_or("replaceMissingValue", false)? {
        true => constant(replacement.as_deref()),
        false => read.text().to_owned(),
    };
    let (value, pattern) = (read.text(), quoted(pattern.text()?, '\''));
    let found = format!("regexp_extract({value}, {pattern}, {group})");
    let text = if missing == "null" {
        found
    } else if group == 0 {
        format!("nvl({found}, {missing})")
    } else {
        // A group may be null in a match: that is no missing value.
        format!("if(regexp_like({value}, {pattern}), {found}, {missing})")
    };
    Ok(read.with(text))
}

/// `{"type":"partial"}`: values in which the pattern is found, null for the others.
pub(super) fn partial(node: &Node<'_>, read: Reading) -> Result<Reading> {
    let pattern = node.require("expr", "give a regular expression")?;
    ordering::regex(&pattern)?;
    let (value, pattern) = (read.text(), quoted(pattern.text()?, '\''));
    let text = format!("if(regexp_like({value}, {pattern}), {value}, null)");
    Ok(read.with(text))
}

/// `{"type":"searchQuery"}`: values that a search would find, null for the others.
pub(super) fn search_query(node: &Node<'_>, read: Reading) -> Result<Reading> {
    let query = search_match(&node.require("query", "give what to look for")?)?;
    let value = read.text();
    let text = format!("if({}, {value}, null)", query.test_of(value));
    Ok(read.with(text))
}

/// `{"type":"substring"}`: so many characters from a position, which counts from 0.
pub(super) fn substring(node: &Node<'_>, read: Reading) -> Result<Reading> {
    let hint = "give the position of the first character, counted from 0";
    let start: i64 = node.require("index", hint)?.within(0, MAX_POSITION)?;
    let value = read.text();
    let text = match node.get("length") {
        Some(length) => {
            let length: i64 = length.within(1, MAX_POSITION)?;
            format!("substring({value}, {start}, {length})")
        }
        None => format!("substring({value}, {start})"),
    };
    Ok(read.with(text))
}

/// `{"type":"upper"}` and `{"type":"lower"}`.
pub(super) fn cased(node: &Node<'_>, read: Reading, function: &str) -> Result<Reading> {
    if let Some(locale) = node.get("locale") {
        let name = locale.text()?;
        let language = name.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        if ["tr", "az", "lt"].contains(&language.as_str()) {
            return Err(locale.unsupported(format!(
                "letters of \"{}\" have another case there than anywhere else; leave locale out",
                excerpt(name)
            )));
        }
    }
    Ok(read.within(function))
}

/// `{"type":"stringFormat"}`: the value in a template.
pub(super) fn string_format(node: &Node<'_>, read: Reading) -> Result<Reading> {
    let format = node.require("format", "give a template, for example \"[%s]\"")?;
    let (value, template) = (read.text(), quoted(&format.name()?, '\''));
    let as_it_is = format!("format({template}, {value})");
    let Some(nulls) = node.get("nullHandling") else { return Ok(read.with(as_it_is)) };
    let text = match nulls.text()?.to_ascii_lowercase().as_str() {
        "nullstring" => as_it_is,
        "emptystring" => format!("format({template}, nvl({value}, ''))"),
        "returnnull" => format!("if(isnull({value}), null, {as_it_is})"),
        other => {
            return Err(nulls.invalid(format!(
                "unknown way \"{}\"; use nullString, emptyString or returnNull",
                excerpt(other)
            )));
        }
    };
    Ok(read.with(text))
}
