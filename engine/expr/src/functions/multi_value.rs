//! Multi-value strings: arrays of text in which an empty or missing list is `[null]`.

use super::array::compare_all;
use super::{Arrays, Function, LONG, STRING_ARRAY, metered, plain};
use crate::budget::Budget;
use crate::error::Result;
use crate::types::{ExprType, cast};
use crate::value::ExprValue;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("mv_to_array", 1, 1, STRING_ARRAY, |a| Ok(cast(&a[0], ExprType::StringArray)))
        .over(Arrays::All),
    plain("array_to_mv", 1, 1, STRING_ARRAY, |a| Ok(cast(&a[0], ExprType::StringArray)))
        .over(Arrays::All),
    plain("mv_harmonize_nulls", 1, 1, STRING_ARRAY, |a| {
        Ok(match a[0].elements() {
            None | Some([]) => vec![ExprValue::Null].into(),
            Some(_) => a[0].clone(),
        })
    })
    .over(Arrays::All),
    metered("mv_contains", 2, 2, LONG, |a, budget| {
        compare_lists(a, budget)?;
        let (held, wanted) = (texts(&a[0], true), texts(&a[1], false));
        Ok(wanted.iter().all(|text| held.contains(text)).into())
    })
    .over(Arrays::All),
    metered("mv_overlap", 2, 2, LONG, |a, budget| {
        compare_lists(a, budget)?;
        let (held, wanted) = (texts(&a[0], true), texts(&a[1], false));
        if held.iter().any(|text| wanted.contains(text)) {
            return Ok(ExprValue::of_bool(true));
        }
        // A null that is not asked for might be any of the values.
        let unknown = held.contains(&None);
        Ok(if unknown { ExprValue::Null } else { ExprValue::of_bool(false) })
    })
    .over(Arrays::All),
];

fn compare_lists(arguments: &[ExprValue], budget: &Budget) -> Result<()> {
    let (held, wanted) = (arguments[0].elements(), arguments[1].elements());
    compare_all(held.unwrap_or_default(), wanted.unwrap_or_default(), budget)
}

/// The values as text; null (and an empty list, when `empty_is_null`) reads as `[null]`.
fn texts(value: &ExprValue, empty_is_null: bool) -> Vec<Option<String>> {
    match value.elements() {
        None => vec![None],
        Some([]) if empty_is_null => vec![None],
        Some(items) => items.iter().map(|i| i.as_text().map(|t| t.into_owned())).collect(),
    }
}
