//! What a plan computes of each row, or of each group, taken into a draft.

use datafusion::common::DFSchemaRef;
use datafusion::logical_expr::{Expr, ExprSchemable};

use super::Lowering;
use super::draft::Draft;
use super::scope::{Output, RowScope};
use crate::functions::expression::Refusal;
use crate::functions::types;

impl Draft {
    /// Gives what the expressions compute instead of what it gives.
    ///
    /// # Errors
    /// When an expression has no native form. The draft is as before then.
    pub(super) fn project(
        &mut self,
        expressions: &[Expr],
        schema: &DFSchemaRef,
        lowering: &Lowering<'_>,
    ) -> Result<(), Refusal> {
        let scope = self.scope(lowering);
        let outputs = expressions.iter().map(|expr| computed(expr, &scope));
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        let adds_columns = outputs.iter().any(|output| output.column.is_none());
        if adds_columns && self.groups.is_none() && self.base.names_taken {
            return Err(Refusal::new("a column is called like a virtual column: v0, v1, …"));
        }
        self.put(outputs, schema.clone())
    }
}

fn computed(expr: &Expr, scope: &RowScope<'_>) -> Result<Output, Refusal> {
    let output = scope.computed(expr)?;
    if output.is_missing() {
        return Err(Refusal::new("a column that native queries do not give"));
    }
    if output.column.is_none() {
        let (_, field) =
            expr.to_field(scope.schema).map_err(|error| Refusal::new(error.strip_backtrace()))?;
        if types::is_array(field.data_type()) {
            return Err(Refusal::new("native queries compute no arrays"));
        }
        if field.metadata().contains_key(types::DRUID_TYPE) {
            return Err(Refusal::new("native queries compute no objects"));
        }
    }
    Ok(output)
}
