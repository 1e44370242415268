//! What the operators compute. Comparisons and arithmetic with null are null.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::MAX_RESULT_BYTES;
use crate::ast::{BinaryOp, UnaryOp};
use crate::error::{ExprError, Result};
use crate::value::ExprValue;

/// Applies a prefix operator.
pub(crate) fn unary(op: UnaryOp, value: &ExprValue) -> ExprValue {
    match (op, value) {
        (_, ExprValue::Null) => ExprValue::Null,
        (UnaryOp::Not, value) => value.truth().map(|truth| !truth).into(),
        (UnaryOp::Negate, ExprValue::Long(value)) => value.checked_neg().into(),
        (UnaryOp::Negate, value) => value.as_double().map(|value| -value).into(),
    }
}

/// Applies an infix operator to two values. `And` and `Or` follow three-valued logic.
pub(crate) fn binary(op: BinaryOp, left: &ExprValue, right: &ExprValue) -> Result<ExprValue> {
    match op {
        BinaryOp::And => Ok(and(left.truth(), right.truth()).into()),
        BinaryOp::Or => Ok(or(left.truth(), right.truth()).into()),
        _ if left.is_null() || right.is_null() => Ok(ExprValue::Null),
        BinaryOp::Less => Ok(compared(left, right, Ordering::is_lt)),
        BinaryOp::LessOrEqual => Ok(compared(left, right, Ordering::is_le)),
        BinaryOp::Greater => Ok(compared(left, right, Ordering::is_gt)),
        BinaryOp::GreaterOrEqual => Ok(compared(left, right, Ordering::is_ge)),
        BinaryOp::Equal => Ok(compared(left, right, Ordering::is_eq)),
        BinaryOp::NotEqual => Ok(unary(UnaryOp::Not, &compared(left, right, Ordering::is_eq))),
        _ => arithmetic(op, left, right),
    }
}

fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

fn arithmetic(op: BinaryOp, left: &ExprValue, right: &ExprValue) -> Result<ExprValue> {
    match (left, right) {
        (ExprValue::Long(a), ExprValue::Long(b)) => Ok(long_arithmetic(op, *a, *b).into()),
        (ExprValue::String(a), ExprValue::String(b)) if op == BinaryOp::Add => {
            concat(&[a.as_ref(), b.as_ref()])
        }
        _ => match (left.as_double(), right.as_double()) {
            (Some(a), Some(b)) => Ok(ExprValue::Double(double_arithmetic(op, a, b))),
            _ => Ok(ExprValue::Null),
        },
    }
}

/// Joins texts, under the cap of a result.
pub(crate) fn concat(parts: &[&str]) -> Result<ExprValue> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    if length > MAX_RESULT_BYTES {
        return Err(ExprError::ResultTooLarge { function: "concat", limit: MAX_RESULT_BYTES });
    }
    Ok(ExprValue::String(Arc::from(parts.concat())))
}

/// Null on overflow and on division by zero.
fn long_arithmetic(op: BinaryOp, a: i64, b: i64) -> Option<i64> {
    match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b),
        BinaryOp::Divide => a.checked_div(b),
        BinaryOp::Remainder if b == -1 => Some(0),
        BinaryOp::Remainder => a.checked_rem(b),
        _ => a.checked_pow(u32::try_from(b).ok()?),
    }
}

fn double_arithmetic(op: BinaryOp, a: f64, b: f64) -> f64 {
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Subtract => a - b,
        BinaryOp::Multiply => a * b,
        BinaryOp::Divide => a / b,
        BinaryOp::Remainder => a % b,
        _ => a.powf(b),
    }
}

fn compared(left: &ExprValue, right: &ExprValue, accept: fn(Ordering) -> bool) -> ExprValue {
    match compare(left, right) {
        Comparison::Known(ordering) => ExprValue::of_bool(accept(ordering)),
        Comparison::Unordered => ExprValue::of_bool(false),
        Comparison::Unknown => ExprValue::Null,
    }
}

/// The outcome of a comparison.
pub(crate) enum Comparison {
    /// An order.
    Known(Ordering),
    /// NaN is involved: no comparison holds.
    Unordered,
    /// Text that is no number against a number.
    Unknown,
}

/// Two texts compare by bytes, anything with a number as numbers, arrays element by element (null
/// first).
pub(crate) fn compare(left: &ExprValue, right: &ExprValue) -> Comparison {
    match (left, right) {
        (ExprValue::Long(a), ExprValue::Long(b)) => Comparison::Known(a.cmp(b)),
        (ExprValue::String(a), ExprValue::String(b)) => Comparison::Known(a.cmp(b)),
        (ExprValue::Array(a), ExprValue::Array(b)) => compare_arrays(a, b),
        (ExprValue::Array(a), b) => compare_arrays(a, std::slice::from_ref(b)),
        (a, ExprValue::Array(b)) => compare_arrays(std::slice::from_ref(a), b),
        _ => match (left.as_double(), right.as_double()) {
            (Some(a), Some(b)) => {
                a.partial_cmp(&b).map_or(Comparison::Unordered, Comparison::Known)
            }
            _ => Comparison::Unknown,
        },
    }
}

fn compare_arrays(left: &[ExprValue], right: &[ExprValue]) -> Comparison {
    for (a, b) in left.iter().zip(right) {
        let ordering = match (a.is_null(), b.is_null()) {
            (false, false) => match compare(a, b) {
                Comparison::Known(ordering) => ordering,
                other => return other,
            },
            (a_null, b_null) => b_null.cmp(&a_null),
        };
        if ordering.is_ne() {
            return Comparison::Known(ordering);
        }
    }
    Comparison::Known(left.len().cmp(&right.len()))
}

/// Equality in which null equals null (`notdistinctfrom`).
pub(crate) fn not_distinct(left: &ExprValue, right: &ExprValue) -> bool {
    match (left.is_null(), right.is_null()) {
        (true, true) => true,
        (false, false) => matches!(compare(left, right), Comparison::Known(Ordering::Equal)),
        _ => false,
    }
}
