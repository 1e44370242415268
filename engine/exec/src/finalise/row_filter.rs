//! Filters over finished rows, row by row, in three-valued logic: `None` is unknown.

use henge_expr::ExprValue;
use henge_expr::like::LikePattern;
use henge_expr::number::{format_double, parse_double};
use henge_query::{Filter, Literal, Ordering, RangeBound};
use henge_types::ColumnType;

use crate::error::{ExecError, Result};
use crate::finalise::column::Column;
use crate::finalise::fields::Frame;
use crate::ordering::compare;

/// A test of the frame's row at a position.
pub(crate) type RowTest<'f> = Box<dyn Fn(usize) -> Option<bool> + 'f>;

/// The columns that a filter reads.
pub(crate) fn collect_columns<'q>(filter: &'q Filter, names: &mut Vec<&'q str>) {
    match filter {
        Filter::True | Filter::False => {}
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter().for_each(|part| collect_columns(part, names));
        }
        Filter::Not(inner) => collect_columns(inner, names),
        Filter::Expression { expression } => {
            names.extend(expression.identifiers().iter().map(String::as_str));
        }
        Filter::Selector { column, .. }
        | Filter::Equals { column, .. }
        | Filter::IsNull { column }
        | Filter::In { column, .. }
        | Filter::Bound { column, .. }
        | Filter::Range { column, .. }
        | Filter::Like { column, .. }
        | Filter::Regex { column, .. }
        | Filter::Interval { column, .. } => names.push(column),
    }
}

/// Prepares a filter; the columns it reads were computed.
pub(crate) fn compile<'f>(filter: &'f Filter, frame: &'f Frame<'_>) -> Result<RowTest<'f>> {
    Ok(match filter {
        Filter::True => Box::new(|_| Some(true)),
        Filter::False => Box::new(|_| Some(false)),
        Filter::And(parts) => {
            let parts = compile_all(parts, frame)?;
            Box::new(move |row| all(parts.iter().map(|part| part(row))))
        }
        Filter::Or(parts) => {
            let parts = compile_all(parts, frame)?;
            Box::new(move |row| all(parts.iter().map(|part| part(row).map(|t| !t))).map(|t| !t))
        }
        Filter::Not(inner) => {
            let inner = compile(inner, frame)?;
            Box::new(move |row| inner(row).map(|truth| !truth))
        }
        Filter::IsNull { column } => {
            let column = frame.find(column);
            Box::new(move |row| Some(column.is_none_or(|column| column.is_null(row))))
        }
        Filter::Selector { column, value } => equals_text(frame.find(column), value.as_deref()),
        Filter::In { column, values } => {
            let column = frame.find(column);
            let tests: Vec<RowTest<'f>> =
                values.iter().map(|value| equals_text(column, value.as_deref())).collect();
            let has_null = values.iter().any(Option::is_none);
            Box::new(move |row| match tests.iter().any(|test| test(row) == Some(true)) {
                true => Some(true),
                false if !has_null && column.is_none_or(|c| c.is_null(row)) => None,
                false => Some(false),
            })
        }
        Filter::Expression { expression } => {
            let inputs: Vec<Option<&Column>> =
                expression.identifiers().iter().map(|name| frame.find(name)).collect();
            Box::new(move |row| {
                let slots: Vec<ExprValue> = inputs
                    .iter()
                    .map(|input| input.map_or(ExprValue::Null, |input| input.expr_value(row)))
                    .collect();
                expression.eval_slots(&slots).ok().and_then(|value| value.truth())
            })
        }
        _ => return compile_comparison(filter, frame),
    })
}

fn compile_comparison<'f>(filter: &'f Filter, frame: &'f Frame<'_>) -> Result<RowTest<'f>> {
    Ok(match filter {
        Filter::Equals { column, match_type, value } => {
            over_values(frame.find(column), move |found| {
                compare_literal(found, match_type, value).map(std::cmp::Ordering::is_eq)
            })
        }
        Filter::Range { column, match_type, lower, upper } => {
            over_values(frame.find(column), move |found| {
                within(lower, upper, |literal| compare_literal(found, match_type, literal))
            })
        }
        Filter::Bound { column, lower, upper, ordering } => {
            let unbounded = lower.is_none() && upper.is_none();
            let found = frame.find(column);
            let test = over_values(found, move |found| {
                let text = found.as_text()?;
                within(lower, upper, |bound| Some(compare(*ordering, &text, bound)))
            });
            Box::new(move |row| if unbounded { Some(true) } else { test(row) })
        }
        Filter::Like { column, pattern, escape } => {
            let like = LikePattern::new(pattern, *escape);
            over_values(frame.find(column), move |found| Some(like.matches(&found.as_text()?)))
        }
        Filter::Regex { column, regex, .. } => {
            over_values(frame.find(column), move |found| Some(regex.is_match(&found.as_text()?)))
        }
        Filter::Interval { column, intervals } => over_values(frame.find(column), move |found| {
            let ms = found.as_long()?;
            Some(intervals.iter().any(|interval| interval.contains(ms)))
        }),
        other => return Err(ExecError::Internal(format!("not a comparison: {other:?}"))),
    })
}

fn compile_all<'f>(parts: &'f [Filter], frame: &'f Frame<'_>) -> Result<Vec<RowTest<'f>>> {
    parts.iter().map(|part| compile(part, frame)).collect()
}

/// SQL's AND.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(true)
}

/// A test of the value, unknown for null and for columns that do not exist.
fn over_values<'f>(
    column: Option<&'f Column>,
    test: impl Fn(&ExprValue) -> Option<bool> + 'f,
) -> RowTest<'f> {
    Box::new(move |row| match column?.expr_value(row) {
        ExprValue::Null => None,
        value => test(&value),
    })
}

/// Equality with text; numbers compare with the number that the text holds. `None` asks for null.
pub(crate) fn equals_text<'f>(column: Option<&'f Column>, value: Option<&'f str>) -> RowTest<'f> {
    let Some(value) = value else {
        return Box::new(move |row| Some(column.is_none_or(|column| column.is_null(row))));
    };
    over_values(column, move |found| {
        Some(match found {
            ExprValue::Long(found) => match value.parse::<i64>() {
                Ok(value) => *found == value,
                Err(_) => parse_double(value).is_some_and(|value| *found as f64 == value),
            },
            ExprValue::Double(found) => parse_double(value).is_some_and(|value| *found == value),
            other => other.as_text().is_some_and(|found| found == value),
        })
    })
}

/// Compares as numbers when the column or the literal's declared type is numeric, else as text.
fn compare_literal(
    found: &ExprValue,
    match_type: &ColumnType,
    literal: &Literal,
) -> Option<std::cmp::Ordering> {
    let numeric = match_type.is_numeric() || !matches!(found, ExprValue::String(_));
    if !numeric {
        let text = match literal {
            Literal::String(text) => text.clone(),
            Literal::Long(value) => value.to_string(),
            Literal::Double(value) => format_double(*value),
        };
        return Some(compare(Ordering::Lexicographic, &found.as_text()?, &text));
    }
    if let (ExprValue::Long(found), Literal::Long(literal)) = (found, literal) {
        return Some(found.cmp(literal));
    }
    let literal = match literal {
        Literal::Long(value) => *value as f64,
        Literal::Double(value) => *value,
        Literal::String(text) => parse_double(text)?,
    };
    found.as_double()?.partial_cmp(&literal)
}

fn within<T>(
    lower: &Option<RangeBound<T>>,
    upper: &Option<RangeBound<T>>,
    compare: impl Fn(&T) -> Option<std::cmp::Ordering>,
) -> Option<bool> {
    let above = match lower {
        Some(bound) => {
            let order = compare(&bound.value)?;
            order.is_gt() || (order.is_eq() && !bound.strict)
        }
        None => true,
    };
    let below = match upper {
        Some(bound) => {
            let order = compare(&bound.value)?;
            order.is_lt() || (order.is_eq() && !bound.strict)
        }
        None => true,
    };
    Some(above && below)
}
