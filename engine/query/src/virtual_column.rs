//! Virtual columns: computed per row from other columns.

use henge_expr::Expr;
use henge_types::ValueType;

/// `{"type":"expression"}`.
#[derive(Debug, Clone)]
pub struct VirtualColumn {
    /// The name other parts of the query use. It shadows a stored column of the same name.
    pub name: String,
    /// The parsed expression.
    pub expression: Expr,
    /// The declared type; `None` lets the value's own type stand.
    pub output_type: Option<ValueType>,
}
