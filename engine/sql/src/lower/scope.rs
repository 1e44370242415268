//! [`RowScope`]: the rows that an expression reads, as native text.

use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::Expr;
use serde_json::Value;

use super::{Lowering, filter};
use crate::functions::expression::{self, Refusal, Scope};

/// One column of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    /// What computes it, in the native language.
    pub(super) text: String,
    /// The native column that it is, when nothing is computed.
    pub(super) column: Option<String>,
}

impl Output {
    /// A native column.
    pub(super) fn column(name: &str) -> Self {
        Self { text: expression::identifier(name), column: Some(name.to_owned()) }
    }

    /// What an expression gives.
    pub(super) fn computed(text: String) -> Self {
        Self { text, column: None }
    }

    /// What no native query gives, as long as nobody reads it.
    pub(super) fn missing() -> Self {
        Self { text: String::new(), column: None }
    }

    pub(super) fn is_missing(&self) -> bool {
        self.text.is_empty()
    }
}

/// Columns by the names that a plan gives them.
pub(super) struct RowScope<'d> {
    /// One for each field of the schema.
    pub(super) outputs: &'d [Output],
    /// The names and types of the columns.
    pub(super) schema: &'d DFSchema,
    /// The statement's settings.
    pub(super) lowering: &'d Lowering<'d>,
}

impl<'d> RowScope<'d> {
    /// What a column is.
    ///
    /// # Errors
    /// When it is none of these rows.
    pub(super) fn output(&self, column: &Column) -> Result<&'d Output, Refusal> {
        let place = self.schema.maybe_index_of_column(column);
        let output = place.and_then(|place| self.outputs.get(place));
        output
            .filter(|output| !output.is_missing())
            .ok_or_else(|| Refusal::new(format!("{column} has no native form")))
    }

    /// The native column that an expression is, when it is nothing else.
    pub(super) fn native_column(&self, expr: &Expr) -> Option<&'d str> {
        match expr {
            Expr::Alias(alias) => self.native_column(&alias.expr),
            Expr::Column(column) => self.output(column).ok()?.column.as_deref(),
            _ => None,
        }
    }

    /// What an expression over the rows gives.
    ///
    /// # Errors
    /// When it has no native form.
    pub(super) fn computed(&self, expr: &Expr) -> Result<Output, Refusal> {
        match expr {
            Expr::Alias(alias) => self.computed(&alias.expr),
            Expr::Column(column) => self.output(column).cloned(),
            _ => expression::text(expr, self).map(Output::computed),
        }
    }
}

impl Scope for RowScope<'_> {
    fn column(&self, column: &Column) -> Result<String, Refusal> {
        let output = self.output(column)?;
        Ok(match output.column {
            Some(_) => output.text.clone(),
            None => format!("({})", output.text),
        })
    }

    fn schema(&self) -> &DFSchema {
        self.schema
    }

    fn time_zone(&self) -> &str {
        self.lowering.time_zone()
    }

    fn setting(&self, name: &str) -> Option<&Value> {
        self.lowering.setting(name)
    }

    fn filter(&self, condition: &Expr) -> Result<Value, Refusal> {
        filter::native(condition, self)
    }
}
