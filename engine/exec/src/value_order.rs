//! The order of values of any type.

use std::cmp::Ordering as Cmp;

use henge_expr::ExprValue;
use henge_query::Ordering;
use henge_query::comparison::ordering::compare_nullable;
use henge_query::comparison::{compare_doubles, compare_long_double};

/// Null, then numbers by value, then text by its bytes.
pub(crate) fn compare_values(left: &ExprValue, right: &ExprValue) -> Cmp {
    compare_values_by(Ordering::Lexicographic, left, right)
}

/// Null, then numbers by value, then text as `ordering` says.
pub(crate) fn compare_values_by(ordering: Ordering, left: &ExprValue, right: &ExprValue) -> Cmp {
    fn class(value: &ExprValue) -> u8 {
        match value {
            ExprValue::Null => 0,
            ExprValue::Long(_) | ExprValue::Double(_) => 1,
            ExprValue::String(_) | ExprValue::Array(_) => 2,
        }
    }
    match (left, right) {
        (ExprValue::Long(a), ExprValue::Long(b)) => a.cmp(b),
        (ExprValue::Long(a), ExprValue::Double(b)) => compare_long_double(*a, *b),
        (ExprValue::Double(a), ExprValue::Long(b)) => compare_long_double(*b, *a).reverse(),
        (ExprValue::Double(a), ExprValue::Double(b)) => compare_doubles(*a, *b),
        _ if class(left) != class(right) => class(left).cmp(&class(right)),
        _ => compare_nullable(ordering, left.as_text().as_deref(), right.as_text().as_deref()),
    }
}
