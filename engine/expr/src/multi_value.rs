//! Multi-value columns: where one stands for a scalar, the expression is evaluated for each of its
//! values (for each combination, when there are several such columns).

use std::collections::BTreeSet;

use crate::MAX_RESULT_BYTES;
use crate::ast::Ast;
use crate::error::{ExprError, Result};
use crate::expr::Expr;
use crate::functions::{self, apply::Apply};
use crate::types::unify_array;
use crate::value::ExprValue;

/// Collects the columns that stand where a scalar is expected.
pub(crate) fn scalar_uses(ast: &Ast, out: &mut BTreeSet<String>) {
    match ast {
        Ast::Literal(_) => {}
        Ast::Identifier(name) => {
            out.insert(name.clone());
        }
        Ast::Unary(_, operand) => scalar_uses(operand, out),
        Ast::Chain { first, rest } => {
            scalar_uses(first, out);
            rest.iter().for_each(|(_, operand)| scalar_uses(operand, out));
        }
        Ast::Call { name, arguments } => {
            let takes_arrays = functions::takes_arrays(name) || Apply::find(name).is_some();
            for argument in arguments {
                let whole = takes_arrays && matches!(argument, Ast::Identifier(_));
                if !whole {
                    scalar_uses(argument, out);
                }
            }
        }
        Ast::Lambda { parameters, body } => {
            let mut inner = BTreeSet::new();
            scalar_uses(body, &mut inner);
            out.extend(inner.into_iter().filter(|name| !parameters.contains(name)));
        }
    }
}

/// Evaluates for each combination of the values of the columns at `mapped`.
pub(crate) fn eval(expr: &Expr, mapped: &[usize], slots: &[ExprValue]) -> Result<ExprValue> {
    let lists: Vec<(usize, &[ExprValue])> = mapped
        .iter()
        .filter_map(|&slot| match slots.get(slot) {
            Some(ExprValue::Array(items)) => Some((slot, items.as_ref())),
            _ => None,
        })
        .collect();
    if lists.is_empty() {
        return expr.eval_slots(slots);
    }
    let product = lists.iter().try_fold(1_usize, |n, (_, items)| n.checked_mul(items.len()));
    let Some(product) = product.filter(|n| *n <= MAX_RESULT_BYTES / 16) else {
        let function = "a multi-value column";
        return Err(ExprError::ResultTooLarge { function, limit: MAX_RESULT_BYTES });
    };
    let mut scalars = slots.to_vec();
    let mut results = Vec::with_capacity(product);
    for combination in 0..product {
        let mut rest = combination;
        for (slot, items) in lists.iter().rev() {
            scalars[*slot] = items[rest % items.len()].clone();
            rest /= items.len();
        }
        results.push(expr.eval_slots(&scalars)?);
    }
    Ok(unify_array(results))
}
