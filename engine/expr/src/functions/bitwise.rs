//! Functions of the bits of integers. Doubles are truncated first.

use super::{DOUBLE, Function, LONG, plain};
use crate::value::ExprValue;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("bitwiseand", 2, 2, LONG, |a| Ok(pair(a, |x, y| x & y))),
    plain("bitwiseor", 2, 2, LONG, |a| Ok(pair(a, |x, y| x | y))),
    plain("bitwisexor", 2, 2, LONG, |a| Ok(pair(a, |x, y| x ^ y))),
    plain("bitwiseshiftleft", 2, 2, LONG, |a| Ok(pair(a, |x, y| x.wrapping_shl(y as u32)))),
    plain("bitwiseshiftright", 2, 2, LONG, |a| Ok(pair(a, |x, y| x.wrapping_shr(y as u32)))),
    plain("bitwisecomplement", 1, 1, LONG, |a| {
        Ok(is_number(&a[0]).then(|| a[0].as_long()).flatten().map(|x| !x).into())
    }),
    plain("bitwiseconvertdoubletolongbits", 1, 1, LONG, |a| {
        let value = is_number(&a[0]).then(|| a[0].as_double()).flatten();
        Ok(value.map(|x| x.to_bits().cast_signed()).into())
    }),
    plain("bitwiseconvertlongbitstodouble", 1, 1, DOUBLE, |a| {
        Ok(match &a[0] {
            ExprValue::Long(bits) => f64::from_bits(bits.cast_unsigned()).into(),
            ExprValue::Double(value) => (*value).into(),
            _ => ExprValue::Null,
        })
    }),
];

fn is_number(value: &ExprValue) -> bool {
    matches!(value, ExprValue::Long(_) | ExprValue::Double(_))
}

/// Null unless one side is a number and the other can be read as one.
fn pair(arguments: &[ExprValue], function: fn(i64, i64) -> i64) -> ExprValue {
    if !arguments.iter().any(is_number) {
        return ExprValue::Null;
    }
    match (arguments[0].as_long(), arguments[1].as_long()) {
        (Some(x), Some(y)) => function(x, y).into(),
        _ => ExprValue::Null,
    }
}
