//! Filters in three-valued logic, leaf by leaf and value by value.

use std::cmp::Ordering as Cmp;

use henge_expr::ExprValue;
use henge_query::{Filter, Literal, QueryBase, RangeBound};
use henge_types::ColumnType;

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
        Filter::Expression { expression } => {
            let value = expression.eval(&|name: &str| match get(name).as_slice() {
                [one] => one.expr(),
                several => several.iter().map(Cell::expr).collect::<Vec<_>>().into(),
            });
            value.unwrap_or(ExprValue::Null).truth()
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
            Some(compare_literal(cell, match_type, value)? == Cmp::Equal)
        }
        Filter::Range { match_type, lower, upper, .. } => {
            within(lower, upper, &|bound| compare_literal(cell, match_type, bound))
        }
        Filter::Bound { lower, upper, ordering, .. } => {
            let text = cell.text()?;
            within(lower, upper, &|bound| Some(crate::ordering::compare(*ordering, &text, bound)))
        }
        Filter::Like { pattern, escape, .. } => Some(like(pattern, *escape, &cell.text()?)),
        Filter::Regex { regex, .. } => Some(regex.is_match(&cell.text()?)),
        Filter::Interval { intervals, .. } => {
            let ms = cell.long()?;
            Some(intervals.iter().any(|interval| interval.start_ms <= ms && ms < interval.end_ms))
        }
        _ => None,
    }
}

fn equals_text(cell: &Cell, value: &str) -> bool {
    match cell {
        Cell::Text(text) => text == value,
        Cell::Float(found) => value.parse::<f32>().is_ok_and(|value| value == *found),
        number => value.parse::<f64>().is_ok_and(|value| number.double() == Some(value)),
    }
}

fn compare_literal(cell: &Cell, match_type: &ColumnType, literal: &Literal) -> Option<Cmp> {
    let text = match literal {
        Literal::Long(value) => value.to_string(),
        Literal::Double(value) => Cell::Double(*value).text()?,
        Literal::String(text) => text.clone(),
    };
    if let Cell::Text(found) = cell
        && !match_type.is_numeric()
    {
        return Some(found.as_str().cmp(&text));
    }
    let literal = text.parse::<f64>().ok()?;
    match cell {
        Cell::Float(found) => found.partial_cmp(&(literal as f32)),
        other => other.double()?.partial_cmp(&literal),
    }
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
