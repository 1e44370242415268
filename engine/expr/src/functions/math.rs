//! Mathematics. Functions of text are null, as in Druid; integer overflow is null.

use super::{DOUBLE, Function, LONG, Returns, argument, plain};
use crate::error::Result;
use crate::number::double_to_long;
use crate::types::{ExprType, as_index, cast, type_of};
use crate::value::ExprValue;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("abs", 1, 1, Returns::Number, |a| {
        Ok(match &a[0] {
            ExprValue::Long(value) => value.checked_abs().into(),
            other => unary(other, f64::abs),
        })
    }),
    plain("acos", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::acos))),
    plain("asin", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::asin))),
    plain("atan", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::atan))),
    plain("cbrt", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::cbrt))),
    plain("ceil", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::ceil))),
    plain("cos", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::cos))),
    plain("cosh", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::cosh))),
    plain("cot", 1, 1, DOUBLE, |a| Ok(unary(&a[0], |x| x.cos() / x.sin()))),
    plain("exp", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::exp))),
    plain("expm1", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::exp_m1))),
    plain("floor", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::floor))),
    plain("log", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::ln))),
    plain("log10", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::log10))),
    plain("log1p", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::ln_1p))),
    plain("nextup", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::next_up))),
    plain("rint", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::round_ties_even))),
    plain("signum", 1, 1, DOUBLE, |a| Ok(unary(&a[0], |x| if x == 0.0 { x } else { x.signum() }))),
    plain("sin", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::sin))),
    plain("sinh", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::sinh))),
    plain("sqrt", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::sqrt))),
    plain("tan", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::tan))),
    plain("tanh", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::tanh))),
    plain("todegrees", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::to_degrees))),
    plain("toradians", 1, 1, DOUBLE, |a| Ok(unary(&a[0], f64::to_radians))),
    plain("ulp", 1, 1, DOUBLE, |a| Ok(unary(&a[0], |x| x.abs().next_up() - x.abs()))),
    plain("getexponent", 1, 1, LONG, |a| {
        Ok(number(&a[0]).and_then(|x| x.as_double()).map(exponent).into())
    }),
    plain("pi", 0, 0, DOUBLE, |_| Ok(std::f64::consts::PI.into())),
    plain("atan2", 2, 2, DOUBLE, |a| Ok(doubles(a, f64::atan2))),
    plain("copysign", 2, 2, DOUBLE, |a| Ok(doubles(a, f64::copysign))),
    plain("hypot", 2, 2, DOUBLE, |a| Ok(doubles(a, f64::hypot))),
    plain("nextafter", 2, 2, DOUBLE, |a| {
        Ok(doubles(a, |x, y| {
            if y > x {
                x.next_up()
            } else if y < x {
                x.next_down()
            } else {
                y
            }
        }))
    }),
    plain("pow", 2, 2, DOUBLE, |a| Ok(doubles(a, f64::powf))),
    plain("remainder", 2, 2, DOUBLE, |a| Ok(doubles(a, |x, y| x - (x / y).round_ties_even() * y))),
    plain("scalb", 2, 2, DOUBLE, |a| Ok(doubles(a, |x, y| x * y.trunc().exp2()))),
    plain("div", 2, 2, LONG, |a| {
        Ok(numbers(a, i64::checked_div, |x, y| double_to_long(x / y).into()))
    }),
    plain("mod", 2, 2, Returns::Number, |a| {
        let rem = |x: i64, y: i64| if y == -1 { Some(0) } else { x.checked_rem(y) };
        Ok(numbers(a, rem, |x, y| (x % y).into()))
    }),
    plain("max", 2, 2, Returns::Number, |a| {
        Ok(numbers(a, |x, y| Some(x.max(y)), |x, y| x.max(y).into()))
    }),
    plain("min", 2, 2, Returns::Number, |a| {
        Ok(numbers(a, |x, y| Some(x.min(y)), |x, y| x.min(y).into()))
    }),
    plain("safe_divide", 2, 2, Returns::Number, |a| {
        Ok(numbers(a, i64::checked_div, |x, y| match (x, y) {
            (x, y) if y != 0.0 && !y.is_nan() => (x / y).into(),
            (0.0, _) => 0.0.into(),
            _ => ExprValue::Null,
        }))
    }),
    plain("round", 1, 2, Returns::First, round),
    plain("greatest", 0, usize::MAX, Returns::Widest, |a| Ok(extreme(a, true))),
    plain("least", 0, usize::MAX, Returns::Widest, |a| Ok(extreme(a, false))),
];

/// The value when it is a number.
fn number(value: &ExprValue) -> Option<&ExprValue> {
    matches!(value, ExprValue::Long(_) | ExprValue::Double(_)).then_some(value)
}

fn unary(value: &ExprValue, function: fn(f64) -> f64) -> ExprValue {
    number(value).and_then(ExprValue::as_double).map(function).into()
}

/// Both arguments as doubles, null when neither is a number.
fn pair(arguments: &[ExprValue]) -> Option<(f64, f64)> {
    number(&arguments[0]).or_else(|| number(&arguments[1]))?;
    Some((arguments[0].as_double()?, arguments[1].as_double()?))
}

fn doubles(arguments: &[ExprValue], function: fn(f64, f64) -> f64) -> ExprValue {
    pair(arguments).map(|(x, y)| function(x, y)).into()
}

/// Two integers give an integer, everything else goes through doubles.
fn numbers(
    arguments: &[ExprValue],
    of_longs: fn(i64, i64) -> Option<i64>,
    of_doubles: fn(f64, f64) -> ExprValue,
) -> ExprValue {
    match (&arguments[0], &arguments[1]) {
        (ExprValue::Long(x), ExprValue::Long(y)) => of_longs(*x, *y).into(),
        _ => pair(arguments).map_or(ExprValue::Null, |(x, y)| of_doubles(x, y)),
    }
}

/// The unbiased exponent, as Java's `Math.getExponent`.
fn exponent(value: f64) -> i64 {
    ((value.to_bits() >> 52) & 0x7ff) as i64 - 1023
}

/// The extreme of the values that are not null, in their widest type.
fn extreme(arguments: &[ExprValue], greatest: bool) -> ExprValue {
    let types = arguments.iter().filter_map(type_of);
    let Some(common) = types.reduce(ExprType::widest).map(ExprType::element) else {
        return ExprValue::Null;
    };
    let mut best = ExprValue::Null;
    for argument in arguments.iter().filter(|a| !a.is_null()) {
        let candidate = cast(argument, common);
        let better = match (&best, &candidate) {
            (ExprValue::Null, _) => true,
            (ExprValue::Long(a), ExprValue::Long(b)) => (b > a) == greatest && a != b,
            (ExprValue::Double(a), ExprValue::Double(b)) => b.total_cmp(a).is_gt() == greatest,
            (ExprValue::String(a), ExprValue::String(b)) => (b > a) == greatest,
            _ => false,
        };
        if better {
            best = candidate;
        }
    }
    best
}

/// `round(number[, decimals])`, halves away from zero, on the decimal digits one sees. NaN is 0 and
/// infinities are the largest doubles, as in Druid.
fn round(arguments: &[ExprValue]) -> Result<ExprValue> {
    let decimals = match argument(arguments, 1) {
        ExprValue::Null if arguments.len() == 2 => return Ok(ExprValue::Null),
        ExprValue::Null => 0,
        value => as_index(value).unwrap_or(0).clamp(-400, 400),
    };
    Ok(match &arguments[0] {
        ExprValue::Long(value) => round_long(*value, decimals).into(),
        ExprValue::Double(value) if value.is_nan() => ExprValue::Double(0.0),
        ExprValue::Double(value) if value.is_infinite() => {
            ExprValue::Double(f64::MAX.copysign(*value))
        }
        ExprValue::Double(value) => ExprValue::Double(round_double(*value, decimals)),
        _ => ExprValue::Null,
    })
}

fn round_long(value: i64, decimals: i64) -> Option<i64> {
    if decimals >= 0 {
        return Some(value);
    }
    let unit = match 10_i128.checked_pow(decimals.unsigned_abs() as u32) {
        Some(unit) if unit <= 100_000_000_000_000_000_000 => unit,
        _ => return Some(0),
    };
    let wide = i128::from(value);
    let half = unit / 2 * wide.signum();
    i64::try_from((wide + half) / unit * unit).ok()
}

fn round_double(value: f64, decimals: i64) -> f64 {
    // "d.ddde±x": the shortest digits that read back as this double.
    let text = format!("{:e}", value.abs());
    let Some((mantissa, exponent)) = text.split_once('e') else { return value };
    let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let Ok(exponent) = exponent.parse::<i64>() else { return value };
    let kept = exponent + 1 + decimals;
    let Ok(kept) = usize::try_from(kept) else { return 0.0_f64.copysign(value) };
    if kept >= digits.len() {
        return value;
    }
    let round_up = digits[kept] >= b'5';
    digits.truncate(kept);
    let mut carry = round_up;
    for digit in digits.iter_mut().rev() {
        if !carry {
            break;
        }
        carry = *digit == b'9';
        *digit = if carry { b'0' } else { *digit + 1 };
    }
    if carry {
        digits.insert(0, b'1');
    }
    let whole: String = digits.iter().map(|d| char::from(*d)).collect();
    let rounded = format!("{}e{}", if whole.is_empty() { "0" } else { &whole }, -decimals);
    rounded.parse::<f64>().map_or(value, |rounded| rounded.copysign(value))
}
