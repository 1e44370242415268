//! Some of a dimension's values: those of a list, those that a pattern describes, those that begin alike.

use henge_expr::Expr;

use super::bounded_list;
use super::extraction::{Reading, constant, quoted};
use super::ordering::regex;
use crate::error::Result;
use crate::filter::Filter;
use crate::node::Node;

/// Which values are kept. The others are no values of a row any more.
pub(super) struct Kept {
    /// The test of one value, which is called [`VALUE`], as the text of an expression.
    test: String,
    /// True when null is kept.
    null: bool,
}

/// What tests call a value.
const VALUE: &str = "value";

impl Kept {
    /// Those of `values`, or all others where `flag` says so.
    pub(super) fn of_list(node: &Node<'_>, flag: &str) -> Result<Self> {
        node.require("values", "give a list of values")?;
        let values = bounded_list(node, "values", |item| match item.value().is_null() {
            true => Ok(None),
            false => item.scalar_text().map(Some),
        })?;
        let kept = node.boolean_or(flag, true)?;
        let null = values.contains(&None) == kept;
        let values: Vec<String> = values.iter().map(|value| constant(value.as_deref())).collect();
        // An empty list has no type of its own.
        let list = match values.as_slice() {
            [] => "<STRING>[]".to_owned(),
            values => format!("[{}]", values.join(", ")),
        };
        let test = format!("scalar_in_array({VALUE}, {list})");
        Ok(Self { test: if kept { test } else { format!("nottrue({test})") }, null })
    }

    /// Those that are what `pattern` describes, from their beginning to their end.
    pub(super) fn matching(node: &Node<'_>) -> Result<Self> {
        let pattern = node.require("pattern", "give a regular expression")?;
        regex(&pattern)?;
        let whole = quoted(&format!("\\A(?:{})\\z", pattern.text()?), '\'');
        Ok(Self { test: format!("regexp_like({VALUE}, {whole})"), null: false })
    }

    /// Those that begin with `prefix`.
    pub(super) fn beginning(node: &Node<'_>) -> Result<Self> {
        let prefix = node.require("prefix", "give what values begin with")?.text()?;
        let length = prefix.chars().count();
        let test = format!("left({VALUE}, {length}) == {}", quoted(prefix, '\''));
        Ok(Self { test, null: false })
    }

    /// The values of what is read that are kept.
    pub(super) fn of(&self, read: Reading) -> Reading {
        let text = format!("filter(({VALUE}) -> {}, {})", self.test, read.text());
        read.with(text)
    }

    /// Rows that keep a value.
    pub(super) fn rows(&self, node: &Node<'_>, read: &Reading) -> Result<Filter> {
        let holds = |text: String| -> Result<Filter> {
            let expression: Expr = read.clone().with(text).expression(node)?;
            Ok(Filter::Expression { expression })
        };
        let kept = holds(format!("any(({VALUE}) -> {}, {})", self.test, read.text()))?;
        if !self.null {
            return Ok(kept);
        }
        Ok(Filter::Or(vec![kept, holds(format!("isnull({})", read.text()))?]))
    }
}
