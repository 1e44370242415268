//! Names of string orderings, and regular expressions.

use henge_expr::JavaRegex;

use crate::error::Result;
use crate::filter::Ordering;
use crate::limits::{MAX_REGEX_COMPILED_BYTES, MAX_REGEX_PATTERN_BYTES};
use crate::node::{Node, excerpt};

const NAMES: &[&str] = &["lexicographic", "alphanumeric", "numeric", "strlen", "version"];

/// An ordering: a name in any case, or an object whose `type` is the name.
pub(super) fn ordering(node: &Node<'_>) -> Result<Ordering> {
    let name = if node.value().is_object() { node.type_name(NAMES)? } else { node.text()? };
    match name.to_ascii_lowercase().as_str() {
        "lexicographic" => Ok(Ordering::Lexicographic),
        "alphanumeric" => Ok(Ordering::Alphanumeric),
        "numeric" => Ok(Ordering::Numeric),
        "strlen" => Ok(Ordering::Strlen),
        "version" => Ok(Ordering::Version),
        _ => Err(node.invalid(format!(
            "unknown ordering \"{}\"; known: {}",
            excerpt(name),
            NAMES.join(", ")
        ))),
    }
}

/// The ordering of result columns: also knows `natural`, the column's own order. Numbers compare as
/// numbers under every ordering, so for the rest it is the lexicographic one.
pub(super) fn result_ordering(node: &Node<'_>) -> Result<Ordering> {
    if node.value().as_str().is_some_and(|name| name.eq_ignore_ascii_case("natural")) {
        return Ok(Ordering::Lexicographic);
    }
    ordering(node)
}

/// Compiles a regular expression of Java's under a cap on its size. Matching is linear in the text.
pub(super) fn regex(node: &Node<'_>) -> Result<JavaRegex> {
    node.spend_regex()?;
    let pattern = node.text()?;
    if pattern.len() > MAX_REGEX_PATTERN_BYTES {
        return Err(node.invalid(format!(
            "pattern of {} bytes; at most {MAX_REGEX_PATTERN_BYTES} are allowed",
            pattern.len()
        )));
    }
    JavaRegex::new(pattern, MAX_REGEX_COMPILED_BYTES).map_err(|error| {
        node.invalid(format!("bad regular expression '{}': {error}", excerpt(pattern)))
    })
}
