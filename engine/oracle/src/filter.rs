//! Filters in three-valued logic, leaf by leaf and value by value.

use std::cmp::Ordering as Cmp;

use henge_expr::ExprValue;
use henge_expr::number::parse_double;
use henge_query::{Filter, Literal, Ordering, QueryBase, RangeBound};
use henge_types::ValueType;

use super::OracleRow;
use super::value::{Cell, column};

/// The truth of a filter for a row; `None` is unknown.
pub(crate) fn test(filter: &Filter, base: &QueryBase, row: &OracleRow) -> Option<bool> {
    test_with(filter, &|name| column(base, row, name))
}

/// The truth of a filter over any named values.
pub(crate) fn test_with(filter: &Filter, get: &dyn Fn(&str) -> Vec<Cell>) -> Option<bool> {
    match filter {
        Filter::True => Some(true),
        Filter::False => Some(false),
        Filter::And(parts) => {
            let truths: Vec<_> = parts.iter().map(|part| test_with(part, get)).collect();
            if truths.contains(&Some(false)) {
                Some(false)
            } else if truths.contains(&None) {
                None
            } else {
                Some(true)
            }
        }
        Filter::Or(parts) => or(&parts.iter().map(|part| test_with(part, get)).collect::<Vec<_>>()),
        Filter::Not(inner) => test_with(inner, get).map(|truth| !truth),
        Filter::IsTrue(inner) => Some(test_with(inner, get) == Some(true)),
        Filter::Expression { expression } => {
            let value = expression.eval(&|name: &str| match get(name).as_slice() {
                [one] => one.expr(),
                several => several.iter().map(Cell::expr).collect::<Vec<_>>().into(),
            });
            truth(&value.unwrap_or(ExprValue::Null))
        }
        Filter::Selector { column, .. }
        | Filter::Equals { column, .. }
        | Filter::IsNull { column }
        | Filter::In { column, .. }
        | Filter::Bound { column, .. }
        | Filter::Range { column, .. }
        | Filter::Like { column, .. }
        | Filter::Regex { column, .. }
        | Filter::Interval { column, .. } => {
            or(&get(column).iter().map(|cell| leaf(filter, cell)).collect::<Vec<_>>())
        }
    }
}

/// An array is true when an element is.
fn truth(value: &ExprValue) -> Option<bool> {
    match value {
        ExprValue::Array(items) => or(&items.iter().map(truth).collect::<Vec<_>>()),
        value => value.truth(),
    }
}

/// True when any is, unknown when none is but some might be.
fn or(truths: &[Option<bool>]) -> Option<bool> {
    if truths.contains(&Some(true)) {
        Some(true)
    } else if truths.contains(&None) {
        None
    } else {
        Some(false)
    }
}

fn leaf(filter: &Filter, cell: &Cell) -> Option<bool> {
    let is_null = *cell == Cell::Null;
    match filter {
        Filter::IsNull { .. } => Some(is_null),
        Filter::Selector { value: None, .. } => Some(is_null),
        Filter::In { values, .. } if is_null => values.contains(&None).then_some(true),
        Filter::Bound { lower: None, upper: None, .. } => Some(true),
        _ if is_null => None,
        Filter::Selector { value: Some(value), .. } => Some(equals_text(cell, value)),
        Filter::In { values, .. } => {
            Some(values.iter().flatten().any(|value| equals_text(cell, value)))
        }
        Filter::Equals { match_type, value, .. } => {
            // Text that is no number equals none.
            Some(compare_literal(cell, *match_type, value) == Some(Cmp::Equal))
        }
        Filter::Range { match_type, lower, upper, .. } => {
            let inside = within(lower, upper, &|bound| compare_literal(cell, *match_type, bound));
            Some(inside.unwrap_or(false))
        }
        Filter::Bound { lower, upper, ordering: Ordering::Numeric, .. }
            if !matches!(cell, Cell::Text(_)) =>
        {
            // Text that is no number comes before all numbers.
            within(lower, upper, &|bound| {
                let literal = Literal::String(bound.clone());
                Some(compare_number(cell, &literal).unwrap_or(Cmp::Greater))
            })
        }
        Filter::Bound { lower, upper, ordering, .. } => {
            let text = cell.text()?;
            within(lower, upper, &|bound| {
                Some(henge_query::comparison::ordering::compare(*ordering, &text, bound))
            })
        }
        Filter::Like { pattern, escape, .. } => Some(like(pattern, *escape, &cell.text()?)),
        Filter::Regex { regex, .. } => Some(regex.is_match(&cell.text()?)),
        Filter::Interval { intervals, .. } => {
            let order = |ms| compare_number(cell, &Literal::Long(ms));
            Some(intervals.iter().any(|interval| {
                order(interval.start_ms).is_some_and(Cmp::is_ge)
                    && order(interval.end_ms).is_some_and(Cmp::is_lt)
            }))
        }
        Filter::True
        | Filter::False
        | Filter::And(_)
        | Filter::Or(_)
        | Filter::Not(_)
        | Filter::IsTrue(_)
        | Filter::Expression { .. } => None,
    }
}

fn equals_text(cell: &Cell, value: &str) -> bool {
    match cell {
        Cell::Text(text) => text == value,
        number => compare_number(number, &Literal::String(value.to_owned())) == Some(Cmp::Equal),
    }
}

fn compare_literal(cell: &Cell, match_type: ValueType, literal: &Literal) -> Option<Cmp> {
    if let Cell::Text(found) = cell
        && !match_type.is_numeric()
    {
        let text = match literal {
            Literal::Long(value) => value.to_string(),
            Literal::Double(value) => Cell::Double(*value).text()?,
            Literal::String(text) => text.clone(),
        };
        return Some(found.as_str().cmp(&text));
    }
    compare_number(cell, literal)
}

/// Compares by value. None when one is no number.
pub(crate) fn compare_number(cell: &Cell, literal: &Literal) -> Option<Cmp> {
    let (double, exact) = match literal {
        Literal::Long(value) => (*value as f64, Some(i128::from(*value) * UNIT)),
        Literal::Double(value) => (*value, exact_double(*value)),
        Literal::String(text) => (parse_double(text)?, exact_text(text)),
    };
    let whole = exact.filter(|exact| exact % UNIT == 0 && !matches!(literal, Literal::Double(_)));
    // A number is none of the infinities, however large.
    let is_number = match literal {
        Literal::Long(_) => true,
        Literal::Double(value) => value.is_finite(),
        Literal::String(text) => text.bytes().any(|byte| byte.is_ascii_digit()),
    };
    let order = |found: f64, wanted: f64| match found == wanted && found.is_infinite() {
        true if is_number => found.total_cmp(&0.0),
        _ => order(found, wanted),
    };
    match cell {
        Cell::Null => None,
        Cell::Float(found) => Some(order(f64::from(*found), f64::from(double as f32))),
        Cell::Long(found) => Some(match exact {
            Some(exact) => (i128::from(*found) * UNIT).cmp(&exact),
            None => order(*found as f64, double),
        }),
        Cell::Double(found) => Some(match (whole, exact_double(*found)) {
            // An integer is compared as it is, a decimal as the double it is nearest to.
            (Some(whole), Some(found)) if whole.abs() < TWO_TO_63 * UNIT && is_plain(literal) => {
                found.cmp(&whole)
            }
            _ => order(*found, double),
        }),
        Cell::Text(found) => {
            let text = Literal::String(found.clone());
            match (found.parse::<i64>(), literal) {
                (Ok(found), _) => compare_number(&Cell::Long(found), literal),
                (_, Literal::Long(wanted)) => {
                    Some(compare_number(&Cell::Long(*wanted), &text)?.reverse())
                }
                (_, Literal::Double(wanted)) => Some(order(parse_double(found)?, *wanted)),
                (_, Literal::String(_)) => {
                    let found_double = parse_double(found)?;
                    Some(match (exact_text(found), exact) {
                        (Some(found), Some(exact)) => found.cmp(&exact),
                        _ => order(found_double, double),
                    })
                }
            }
        }
    }
}

/// Fractions are counted in units of `10^-18`.
const UNIT: i128 = 1_000_000_000_000_000_000;
const TWO_TO_63: i128 = 1 << 63;

fn is_plain(literal: &Literal) -> bool {
    match literal {
        Literal::Long(_) => true,
        Literal::Double(_) => false,
        Literal::String(text) => text.parse::<i64>().is_ok(),
    }
}

/// NaN last.
fn order(left: f64, right: f64) -> Cmp {
    left.partial_cmp(&right).unwrap_or(left.is_nan().cmp(&right.is_nan()))
}

/// The double in units, when it is in the range of longs; what is less than a unit counts as one.
fn exact_double(value: f64) -> Option<i128> {
    if !(-1e19..1e19).contains(&value) {
        return None;
    }
    let rest = value.fract() * 1e18;
    let rest = if rest != 0.0 && rest.abs() < 1.0 { rest.signum() } else { rest };
    Some(value.trunc() as i128 * UNIT + rest as i128)
}

/// Decimal text without an exponent, of at most 19 digits before the point and 18 behind it.
fn exact_text(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() > 19 || fraction.len() > 18 {
        return None;
    }
    let padded = format!("{whole}{fraction:0<18}");
    Some(sign * padded.parse::<i128>().ok()?)
}

fn within<T>(
    lower: &Option<RangeBound<T>>,
    upper: &Option<RangeBound<T>>,
    compare: &dyn Fn(&T) -> Option<Cmp>,
) -> Option<bool> {
    let mut inside = true;
    if let Some(bound) = lower {
        let order = compare(&bound.value)?;
        inside &= order == Cmp::Greater || (order == Cmp::Equal && !bound.strict);
    }
    if let Some(bound) = upper {
        let order = compare(&bound.value)?;
        inside &= order == Cmp::Less || (order == Cmp::Equal && !bound.strict);
    }
    Some(inside)
}

/// LIKE by plain recursion.
fn like(pattern: &str, escape: Option<char>, text: &str) -> bool {
    let mut pattern_rest = pattern.chars();
    let Some(first) = pattern_rest.next() else { return text.is_empty() };
    let mut text_rest = text.chars();
    if Some(first) == escape {
        let literal = pattern_rest.next().unwrap_or(first);
        return text_rest.next() == Some(literal)
            && like(pattern_rest.as_str(), escape, text_rest.as_str());
    }
    match first {
        '%' => {
            like(pattern_rest.as_str(), escape, text)
                || (text_rest.next().is_some() && like(pattern, escape, text_rest.as_str()))
        }
        '_' => {
            text_rest.next().is_some() && like(pattern_rest.as_str(), escape, text_rest.as_str())
        }
        literal => {
            text_rest.next() == Some(literal)
                && like(pattern_rest.as_str(), escape, text_rest.as_str())
        }
    }
}
