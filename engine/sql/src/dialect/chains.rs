//! `a OR b OR c OR …` as a flat tree: the parser makes one that is as deep as the chain is long.

use std::collections::VecDeque;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};

use super::tree;

/// Terms from which on a chain is worth the trouble.
const LONG: usize = 16;

/// Balances a chain of AND or of OR whose uppermost operator this is. The order of the terms stays.
pub(super) fn balance(expr: &mut Expr) {
    let Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } = expr else {
        return;
    };
    let op = op.clone();
    if length(expr, &op) < LONG {
        return;
    }
    let mut terms = VecDeque::new();
    let mut rest = tree::take(expr);
    loop {
        match rest {
            Expr::BinaryOp { left, op: found, right } if found == op => {
                terms.push_front(*right);
                rest = *left;
            }
            first => {
                terms.push_front(first);
                break;
            }
        }
    }
    *expr = joined(terms, &op);
}

fn length(mut expr: &Expr, op: &BinaryOperator) -> usize {
    let mut length = 1;
    while let Expr::BinaryOp { left, op: found, .. } = expr
        && found == op
    {
        length += 1;
        expr = left;
    }
    length
}

/// The terms in a tree as flat as can be.
pub(super) fn joined(mut terms: VecDeque<Expr>, op: &BinaryOperator) -> Expr {
    while terms.len() > 1 {
        let mut pairs = VecDeque::with_capacity(terms.len().div_ceil(2));
        while let Some(left) = terms.pop_front() {
            pairs.push_back(match terms.pop_front() {
                // In parentheses it is not a chain that would be balanced again.
                Some(right) => Expr::BinaryOp {
                    left: Box::new(left),
                    op: op.clone(),
                    right: Box::new(Expr::Nested(Box::new(right))),
                },
                None => left,
            });
        }
        terms = pairs;
    }
    terms.pop_front().unwrap_or_else(tree::null)
}
