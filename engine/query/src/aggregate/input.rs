//! What aggregators read.

use henge_expr::Expr;

use crate::error::Result;
use crate::node::Node;
use crate::parse::expression;

/// What a numeric aggregator reads.
#[derive(Debug, Clone)]
pub enum AggregatorInput {
    /// A stored or virtual column.
    Field(String),
    /// An expression over columns.
    Expression(Expr),
}

impl AggregatorInput {
    /// Reads `fieldName` or `expression`.
    pub(super) fn parse(node: &Node<'_>) -> Result<Self> {
        match (node.get("fieldName"), node.get("expression")) {
            (Some(field), None) => field.name().map(Self::Field),
            (None, Some(text)) => expression(&text).map(Self::Expression),
            (Some(_), Some(text)) => Err(text.invalid("give fieldName or expression, not both")),
            (None, None) => Err(node.missing(
                "fieldName",
                "give the column to aggregate, for example \"fieldName\": \"added\", or an \
                 expression",
            )),
        }
    }

    /// The name of the field and its text.
    pub(super) fn field(&self) -> (&'static str, &str) {
        match self {
            Self::Field(name) => ("fieldName", name),
            Self::Expression(expression) => ("expression", expression.text()),
        }
    }

    /// Visits the names of the columns that are read.
    pub(super) fn for_each_column(&self, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::Field(name) => visit(name),
            Self::Expression(expression) => {
                expression.identifiers().iter().for_each(|name| visit(name));
            }
        }
    }

    /// The expression, if it is one.
    pub(super) fn expression(&self) -> Option<&Expr> {
        match self {
            Self::Field(_) => None,
            Self::Expression(expression) => Some(expression),
        }
    }
}

/// The column an aggregator reads.
pub(crate) fn field_name(node: &Node<'_>) -> Result<String> {
    node.require("fieldName", "give the column to aggregate, for example \"fieldName\": \"user\"")?
        .name()
}
