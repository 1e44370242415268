//! Conditions on functions that give several values of a row: they hold when they hold for one of them, which no
//! filter says by itself.

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};
use serde_json::{Value, json};

use super::scope::RowScope;
use crate::functions::expression::{self, Refusal, Scope};
use crate::native::MULTI_VALUE;

/// What one of the values is called.
const ONE: &str = "__each";

/// The filter of a comparison of such a function with constants; `None` for what is none.
///
/// # Errors
/// When the condition has no native form.
pub(super) fn native(condition: &Expr, scope: &RowScope<'_>) -> Result<Option<Value>, Refusal> {
    let (condition, is_negated) = positive(condition);
    let Some(values) = compared(&condition).filter(|values| is_several(values, scope)) else {
        return Ok(None);
    };
    let values = values.clone();
    let array = expression::text(&values, scope)?;
    let one = condition.transform_down(|part| match part == values {
        true => Ok(Transformed::yes(Expr::Column(Column::new_unqualified(ONE)))),
        false => Ok(Transformed::no(part)),
    });
    let one = one.map_err(|error| Refusal::new(error.strip_backtrace()))?.data;
    let fields = vec![Field::new(ONE, DataType::Utf8, true)].into();
    let schema = DFSchema::from_unqualified_fields(fields, Default::default())
        .map_err(|error| Refusal::new(error.strip_backtrace()))?;
    let test = expression::text(&one, &OneValue { rows: scope, schema })?;
    let any =
        json!({"type": "expression", "expression": format!("any(({ONE}) -> {test}, {array})")});
    Ok(Some(if is_negated { json!({"type": "not", "field": any}) } else { any }))
}

/// A condition without its NOT, and whether it had one.
fn positive(condition: &Expr) -> (Expr, bool) {
    let mut positive = condition.clone();
    let negated = match &mut positive {
        Expr::Like(like) => std::mem::take(&mut like.negated),
        Expr::InList(list) => std::mem::take(&mut list.negated),
        Expr::Between(between) => std::mem::take(&mut between.negated),
        Expr::BinaryExpr(binary) if binary.op == Operator::NotEq => {
            binary.op = Operator::Eq;
            true
        }
        _ => false,
    };
    (positive, negated)
}

/// What is compared with constants.
fn compared(condition: &Expr) -> Option<&Expr> {
    let is_constant = |expr: &Expr| matches!(expr, Expr::Literal(..));
    match condition {
        Expr::Like(like) => is_constant(&like.pattern).then_some(like.expr.as_ref()),
        Expr::InList(list) => list.list.iter().all(is_constant).then_some(list.expr.as_ref()),
        Expr::Between(between) => {
            let are_constant = is_constant(&between.low) && is_constant(&between.high);
            are_constant.then_some(between.expr.as_ref())
        }
        Expr::BinaryExpr(binary) if is_comparison(binary.op) => {
            match (is_constant(&binary.left), is_constant(&binary.right)) {
                (false, true) => Some(&binary.left),
                (true, false) => Some(&binary.right),
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq};
    matches!(op, Eq | Lt | LtEq | Gt | GtEq)
}

/// True for functions that make a list of values; others are evaluated value by value anyway.
fn is_several(values: &Expr, scope: &RowScope<'_>) -> bool {
    let makes_list = match values {
        Expr::ScalarFunction(call) => {
            call.func.name().starts_with("mv_") || call.func.name().ends_with("_to_mv")
        }
        _ => false,
    };
    let field = values.to_field(scope.schema);
    makes_list && field.is_ok_and(|(_, field)| field.metadata().contains_key(MULTI_VALUE))
}

/// One of the values.
struct OneValue<'r> {
    rows: &'r RowScope<'r>,
    schema: DFSchema,
}

impl Scope for OneValue<'_> {
    fn column(&self, _: &Column) -> Result<String, Refusal> {
        Ok(ONE.to_owned())
    }

    fn schema(&self) -> &DFSchema {
        &self.schema
    }

    fn time_zone(&self) -> &str {
        self.rows.time_zone()
    }

    fn setting(&self, name: &str) -> Option<&Value> {
        self.rows.setting(name)
    }

    fn filter(&self, condition: &Expr) -> Result<Value, Refusal> {
        expression::filter(condition, self)
    }
}
