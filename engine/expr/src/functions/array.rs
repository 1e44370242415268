//! Arrays. A scalar where an array belongs is an array of one.

use super::{
    Arrays, COMPILE_STEPS, Function, LONG, Returns, STRING, STRING_ARRAY, metered, of_first, plain,
};
use crate::MAX_RESULT_BYTES;
use crate::budget::Budget;
use crate::error::{ExprError, Result};
use crate::java_regex::JavaRegex;
use crate::node::Callable;
use crate::operators::not_distinct;
use crate::types::{array_result, as_index, cast, cast_leaves, check_array, type_of};
use crate::value::{ELEMENT_BYTES, ExprValue};

pub(super) const FUNCTIONS: &[Function] = &[
    plain("array", 0, usize::MAX, Returns::FirstAsArray, |a| array_result("array", a.to_vec())),
    plain("array_length", 1, 1, LONG, |a| Ok(a[0].elements().map(|x| x.len() as i64).into()))
        .over(Arrays::First),
    plain("array_offset", 2, 2, Returns::FirstElement, |a| Ok(at(a, 0))).over(Arrays::First),
    plain("array_ordinal", 2, 2, Returns::FirstElement, |a| Ok(at(a, 1))).over(Arrays::First),
    plain("array_offset_of", 2, 2, LONG, |a| Ok(position(a, 0))).over(Arrays::First),
    plain("array_ordinal_of", 2, 2, LONG, |a| Ok(position(a, 1))).over(Arrays::First),
    metered("array_contains", 2, 2, LONG, contains).over(Arrays::All),
    metered("array_overlap", 2, 2, LONG, overlap).over(Arrays::All),
    plain("array_append", 2, 2, Returns::First, |a| append(&a[0], &a[1])).over(Arrays::First),
    plain("array_prepend", 2, 2, Returns::First, |a| prepend(&a[0], &a[1])).over(Arrays::Second),
    plain("array_concat", 2, 2, Returns::FirstAsArray, |a| {
        joined(a).map_or(Ok(ExprValue::Null), |items| checked(items, "array_concat"))
    })
    .over(Arrays::All),
    plain("array_set_add", 2, 2, Returns::First, set_add).over(Arrays::First),
    plain("array_set_add_all", 2, 2, Returns::First, set_add).over(Arrays::All),
    plain("array_slice", 2, 3, Returns::First, slice).over(Arrays::First),
    plain("array_to_string", 2, 2, STRING, to_string).over(Arrays::First),
    of_first("string_to_array", 2, 2, STRING_ARRAY, prepare_split),
];

/// Converts a value to the type of an array's elements; null when it does not fit. Among arrays one value is an
/// array of one.
fn like_elements(items: &[ExprValue], value: &ExprValue) -> ExprValue {
    match (items.iter().find_map(type_of), value) {
        (Some(element), ExprValue::Array(_)) if element.is_array() => {
            cast_leaves(value.clone(), element.element())
        }
        (Some(element), value) => cast(value, element),
        (None, value) => value.clone(),
    }
}

fn at(arguments: &[ExprValue], first: i64) -> ExprValue {
    let index = as_index(&arguments[1]).and_then(|index| index.checked_sub(first));
    match (arguments[0].elements(), index.and_then(|index| usize::try_from(index).ok())) {
        (Some(items), Some(index)) => items.get(index).cloned().unwrap_or_default(),
        _ => ExprValue::Null,
    }
}

fn position(arguments: &[ExprValue], first: i64) -> ExprValue {
    let Some(items) = arguments[0].elements() else { return ExprValue::Null };
    let found = items.iter().position(|item| not_distinct(item, &arguments[1]));
    found.map(|index| index as i64 + first).into()
}

/// Takes the steps of comparing all elements of two arrays with each other.
pub(super) fn compare_all(
    items: &[ExprValue],
    wanted: &[ExprValue],
    budget: &Budget,
) -> Result<()> {
    let text: u64 = items.iter().map(|item| 1 + item.bytes() / 16).sum();
    budget.step(text.saturating_mul(wanted.len() as u64))
}

/// True when the array holds the value, or all values of an array.
fn contains(arguments: &[ExprValue], budget: &Budget) -> Result<ExprValue> {
    let Some(items) = arguments[0].elements() else { return Ok(ExprValue::Null) };
    let wanted = match &arguments[1] {
        ExprValue::Array(wanted) => wanted.as_ref(),
        scalar => std::slice::from_ref(scalar),
    };
    compare_all(items, wanted, budget)?;
    let holds = |value: &ExprValue| items.iter().any(|item| not_distinct(item, value));
    Ok(wanted.iter().all(holds).into())
}

fn overlap(arguments: &[ExprValue], budget: &Budget) -> Result<ExprValue> {
    let Some(items) = arguments[0].elements() else { return Ok(ExprValue::Null) };
    let wanted = arguments[1].elements().unwrap_or_default();
    compare_all(items, wanted, budget)?;
    let shared = items.iter().any(|item| wanted.iter().any(|value| not_distinct(item, value)));
    Ok(shared.into())
}

fn checked(items: Vec<ExprValue>, function: &'static str) -> Result<ExprValue> {
    check_array(function, &items)?;
    Ok(items.into())
}

fn prepend(value: &ExprValue, array: &ExprValue) -> Result<ExprValue> {
    let Some(items) = array.elements() else { return Ok(ExprValue::Null) };
    let mut all = vec![like_elements(items, value)];
    all.extend_from_slice(items);
    checked(all, "array_prepend")
}

fn append(array: &ExprValue, value: &ExprValue) -> Result<ExprValue> {
    let Some(items) = array.elements() else { return Ok(ExprValue::Null) };
    let mut all = items.to_vec();
    all.push(like_elements(items, value));
    checked(all, "array_append")
}

/// The elements of both arguments, the second's in the type of the first's.
fn joined(arguments: &[ExprValue]) -> Option<Vec<ExprValue>> {
    let first = arguments[0].elements()?;
    let mut all = first.to_vec();
    let added = arguments[1].elements().unwrap_or_default();
    all.extend(added.iter().map(|value| like_elements(first, value)));
    Some(all)
}

/// The sorted distinct elements of both arguments, null first.
fn set_add(arguments: &[ExprValue]) -> Result<ExprValue> {
    let Some(mut all) = joined(arguments) else { return Ok(ExprValue::Null) };
    if arguments[1].is_null() {
        all.push(ExprValue::Null);
    }
    all.sort_by(total_order);
    all.dedup_by(|a, b| not_distinct(a, b));
    checked(all, "array_set_add")
}

/// A total order of values of one type; NaN last. Arrays are ordered by their first elements that differ.
fn total_order(a: &ExprValue, b: &ExprValue) -> std::cmp::Ordering {
    match (a, b) {
        (ExprValue::Long(a), ExprValue::Long(b)) => a.cmp(b),
        (ExprValue::Double(a), ExprValue::Double(b)) => a.total_cmp(b),
        (ExprValue::Null, ExprValue::Null) => std::cmp::Ordering::Equal,
        (ExprValue::Null, _) => std::cmp::Ordering::Less,
        (_, ExprValue::Null) => std::cmp::Ordering::Greater,
        (ExprValue::Array(a), ExprValue::Array(b)) => {
            let mut orders = a.iter().zip(b.iter()).map(|(a, b)| total_order(a, b));
            orders.find(|order| order.is_ne()).unwrap_or(a.len().cmp(&b.len()))
        }
        _ => a.as_text().cmp(&b.as_text()),
    }
}

/// `array_slice(array, start[, end])`: null when the start is outside; padded with null at the end.
fn slice(arguments: &[ExprValue]) -> Result<ExprValue> {
    let (Some(items), Some(start)) = (arguments[0].elements(), as_index(&arguments[1])) else {
        return Ok(ExprValue::Null);
    };
    let end = match arguments.get(2) {
        None => Some(items.len()),
        Some(end) => as_index(end).and_then(|end| usize::try_from(end).ok()),
    };
    let (Some(start), Some(end)) = (usize::try_from(start).ok(), end) else {
        return Ok(ExprValue::Null);
    };
    if start > items.len() || end < start {
        return Ok(ExprValue::Null);
    }
    if end > items.len().max(MAX_RESULT_BYTES / 16) {
        let function = "array_slice";
        return Err(ExprError::ResultTooLarge { function, limit: MAX_RESULT_BYTES });
    }
    let mut kept = items[start..end.min(items.len())].to_vec();
    kept.resize(end - start, ExprValue::Null);
    checked(kept, "array_slice")
}

fn to_string(arguments: &[ExprValue]) -> Result<ExprValue> {
    let (Some(items), Some(delimiter)) = (arguments[0].elements(), arguments[1].as_text()) else {
        return Ok(ExprValue::Null);
    };
    let mut out = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(&delimiter);
        }
        out.push_str(&item.as_text().unwrap_or("null".into()));
        if out.len() > MAX_RESULT_BYTES {
            let function = "array_to_string";
            return Err(ExprError::ResultTooLarge { function, limit: MAX_RESULT_BYTES });
        }
    }
    Ok(out.into())
}

/// The delimiter is a regular expression; one without special characters is searched as text.
enum Delimiter {
    Text(String),
    Pattern(JavaRegex),
}

fn delimiter(text: &str) -> Result<Delimiter> {
    if regex::escape(text) == text {
        return Ok(Delimiter::Text(text.to_owned()));
    }
    JavaRegex::new(text, 1 << 20).map(Delimiter::Pattern).map_err(|error| {
        let message = format!("the delimiter is a regular expression: {error}");
        ExprError::argument("string_to_array", message)
    })
}

/// The parts as Java cuts them: empty ones at the end are left out, and a text without the delimiter is
/// one part whatever it is.
fn split(value: &ExprValue, delimiter: &Delimiter, budget: &Budget) -> Result<ExprValue> {
    let Some(text) = value.as_text() else { return Ok(ExprValue::Null) };
    // Each part is a text of its own.
    budget.reserve(ELEMENT_BYTES * text.len() as u64)?;
    let mut parts: Vec<&str> = match delimiter {
        Delimiter::Text(delimiter) if delimiter.is_empty() => {
            text.split("").filter(|part| !part.is_empty()).collect()
        }
        Delimiter::Text(delimiter) => text.split(delimiter.as_str()).collect(),
        Delimiter::Pattern(pattern) => pattern.split(&text),
    };
    if text.is_empty() {
        parts = vec![""];
    } else {
        let kept = parts.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last + 1);
        parts.truncate(kept);
    }
    checked(parts.into_iter().map(ExprValue::from).collect(), "string_to_array")
}

fn prepare_split(literals: &[Option<&ExprValue>]) -> Result<Callable> {
    // As in Druid, a delimiter that is null cuts where an empty one does.
    if let Some(text) = literals[1].map(|text| text.as_text().unwrap_or_default()) {
        let known = delimiter(&text)?;
        return Ok(Box::new(move |arguments, budget| split(&arguments[0], &known, budget)));
    }
    Ok(Box::new(|arguments, budget| {
        budget.step(COMPILE_STEPS)?;
        split(&arguments[0], &delimiter(&arguments[1].as_text().unwrap_or_default())?, budget)
    }))
}
