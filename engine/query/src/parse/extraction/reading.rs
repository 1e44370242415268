//! [`Reading`]: an expression over a column that is being put together.

use std::sync::Arc;

use henge_expr::{Expr, Lookup, Lookups};
use henge_types::{TIME_COLUMN, ValueType};

use crate::error::Result;
use crate::node::Node;
use crate::virtual_column::VirtualColumn;

/// Bytes that the text of an expression may have: functions that mention their input more than once
/// double it with each one that is applied to another.
const MAX_TEXT_BYTES: usize = 256 * 1024;

/// What is read of a column, as the text of an expression.
#[derive(Debug, Clone)]
pub(in crate::parse) struct Reading {
    text: String,
    /// What the text looks values up in.
    lookups: Vec<Arc<Lookup>>,
    /// The column, as long as nothing is done to its values.
    column: Option<String>,
}

impl Reading {
    /// A column's values as they are.
    pub(in crate::parse) fn of_column(column: &str) -> Self {
        let text = quoted(column, '"');
        Self { text, lookups: Vec::new(), column: Some(column.to_owned()) }
    }

    /// The text of the expression: a column's name in quotes, or a call of a function. It can be an
    /// argument as it is, and an operand in parentheses.
    pub(in crate::parse) fn text(&self) -> &str {
        &self.text
    }

    /// An expression that has this one's text in it.
    pub(in crate::parse) fn with(self, text: String) -> Self {
        Self { text, column: None, ..self }
    }

    /// A function of it and of nothing else.
    pub(in crate::parse) fn within(self, function: &str) -> Self {
        let text = format!("{function}({})", self.text);
        self.with(text)
    }

    /// An expression that has the texts of several in it.
    pub(in crate::parse) fn of_several(reads: Vec<Self>, text: String) -> Self {
        let lookups = reads.into_iter().flat_map(|read| read.lookups).collect();
        Self { text, lookups, column: None }
    }

    /// As [`Reading::with`], of a text that names a lookup.
    pub(super) fn looked_up(mut self, lookup: Arc<Lookup>, text: String) -> Self {
        self.lookups.push(lookup);
        self.with(text)
    }

    /// True when it is the time of rows, which is a number for certain.
    pub(super) fn is_time(&self) -> bool {
        self.column.as_deref() == Some(TIME_COLUMN)
    }

    /// Refuses one that has grown too long; the node is what made it so.
    pub(in crate::parse) fn checked(self, node: &Node<'_>) -> Result<Self> {
        if self.text.len() <= MAX_TEXT_BYTES {
            return Ok(self);
        }
        Err(node.invalid(format!(
            "becomes an expression of more than {MAX_TEXT_BYTES} bytes; use fewer extraction functions \
             in one another, or shorter patterns"
        )))
    }

    /// The expression.
    pub(in crate::parse) fn expression(&self, node: &Node<'_>) -> Result<Expr> {
        Expr::parse_with(&self.text, self).map_err(|error| node.invalid(error.to_string()))
    }

    /// A column of the query that has it: the column itself, or a virtual column that is added.
    pub(in crate::parse) fn into_column(self, node: &Node<'_>) -> Result<String> {
        if let Some(column) = &self.column {
            return Ok(column.clone());
        }
        let expression = self.expression(node)?;
        let output_type = Some(ValueType::String);
        Ok(node.derive(VirtualColumn { name: self.text, expression, output_type }))
    }
}

impl Lookups for Reading {
    fn find(&self, name: &str) -> Option<Arc<Lookup>> {
        self.lookups.iter().find(|lookup| lookup.name == name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.lookups.iter().map(|lookup| lookup.name.clone()).collect()
    }
}

/// A text of an expression: a constant in single quotes, or a name in double ones.
pub(in crate::parse) fn quoted(text: &str, quote: char) -> String {
    let mut quoted = String::from(quote);
    for character in text.chars() {
        if character == quote || character == '\\' {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push(quote);
    quoted
}

/// A constant text of an expression; `None` is null.
pub(in crate::parse) fn constant(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), |text| quoted(text, '\''))
}
