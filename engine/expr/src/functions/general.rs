//! Casts, null and truth tests, `like`, `scalar_in_array`.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Arrays, Build, Function, LONG, Returns, STRING, argument, of_first, plain, scalar};
use crate::budget::Budget;
use crate::error::{ExprError, Result};
use crate::like::LikePattern;
use crate::node::Callable;
use crate::operators::not_distinct;
use crate::types::{ExprType, cast, parse_number, type_of};
use crate::value::ExprValue;

pub(super) const FUNCTIONS: &[Function] = &[
    of_first("cast", 2, 2, Returns::Named(1), prepare_cast),
    plain("isnull", 1, 1, LONG, |a| Ok(a[0].is_null().into())),
    plain("notnull", 1, 1, LONG, |a| Ok((!a[0].is_null()).into())),
    plain("istrue", 1, 1, LONG, |a| Ok((a[0].truth() == Some(true)).into())),
    plain("isfalse", 1, 1, LONG, |a| Ok((a[0].truth() == Some(false)).into())),
    plain("nottrue", 1, 1, LONG, |a| Ok((a[0].truth() != Some(true)).into())),
    plain("notfalse", 1, 1, LONG, |a| Ok((a[0].truth() != Some(false)).into())),
    plain("isnottrue", 1, 1, LONG, |a| Ok((a[0].truth() != Some(true)).into())),
    plain("isnotfalse", 1, 1, LONG, |a| Ok((a[0].truth() != Some(false)).into())),
    plain("isdistinctfrom", 2, 2, LONG, |a| Ok((!not_distinct(&a[0], &a[1])).into())),
    plain("notdistinctfrom", 2, 2, LONG, |a| Ok(not_distinct(&a[0], &a[1]).into())),
    of_first("like", 2, 3, LONG, prepare_like),
    scalar("lookup", 2, 3, STRING, Build::LookedUp),
    of_first("scalar_in_array", 2, 2, LONG, prepare_scalar_in_array).over(Arrays::Second),
];

fn prepare_cast(literals: &[Option<&ExprValue>]) -> Result<Callable> {
    let Some(ExprValue::String(name)) = literals[1] else {
        return Err(ExprError::argument("cast", "the type must be a constant string"));
    };
    let Some(target) = ExprType::parse(name) else {
        let message =
            format!("unknown type '{name}': use LONG, DOUBLE, STRING or ARRAY<..> of those");
        return Err(ExprError::argument("cast", message));
    };
    Ok(Box::new(move |arguments, _| Ok(cast(&arguments[0], target))))
}

fn prepare_like(literals: &[Option<&ExprValue>]) -> Result<Callable> {
    let compiled = match (literals[1], literals.get(2)) {
        (Some(pattern), None) => like_pattern(pattern, &ExprValue::Null)?,
        (Some(pattern), Some(Some(escape))) => like_pattern(pattern, escape)?,
        _ => {
            return Ok(Box::new(|arguments, budget| {
                let pattern = like_pattern(&arguments[1], argument(arguments, 2))?;
                like(&arguments[0], pattern.as_ref(), budget)
            }));
        }
    };
    Ok(Box::new(move |arguments, budget| like(&arguments[0], compiled.as_ref(), budget)))
}

fn like_pattern(pattern: &ExprValue, escape: &ExprValue) -> Result<Option<LikePattern>> {
    let escape = match escape.as_text() {
        None => None,
        Some(text) if text.is_empty() => None,
        Some(text) => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Some(c),
                _ => return Err(ExprError::argument("like", "the escape must be one character")),
            }
        }
    };
    Ok(pattern.as_text().map(|text| LikePattern::new(&text, escape)))
}

fn like(value: &ExprValue, pattern: Option<&LikePattern>, budget: &Budget) -> Result<ExprValue> {
    match (value.as_text(), pattern) {
        (Some(text), Some(pattern)) => {
            budget.step(pattern.worst_steps(&text))?;
            Ok(pattern.matches(&text).into())
        }
        _ => Ok(ExprValue::Null),
    }
}

/// A value in a form that equal values share: `2` and `2.0` are one key.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Long(i64),
    DoubleBits(u64),
    Text(Arc<str>),
}

fn key(value: &ExprValue) -> Option<Key> {
    match value {
        ExprValue::Null | ExprValue::Array(_) => None,
        ExprValue::Long(value) => Some(Key::Long(*value)),
        ExprValue::Double(value) => Some(match crate::number::double_to_long(*value) {
            Some(long) if long as f64 == *value => Key::Long(long),
            _ => Key::DoubleBits(value.to_bits()),
        }),
        ExprValue::String(text) => Some(Key::Text(text.clone())),
    }
}

/// The set of an array's values; scalars are read as the array's type before they are looked up.
struct Membership {
    keys: HashSet<Key>,
    of_text: bool,
    has_null: bool,
}

impl Membership {
    fn new(items: &[ExprValue]) -> Self {
        Self {
            keys: items.iter().filter_map(key).collect(),
            of_text: items.iter().find_map(type_of) == Some(ExprType::String),
            has_null: items.iter().any(ExprValue::is_null),
        }
    }

    fn test(&self, scalar: &ExprValue) -> ExprValue {
        let wanted = match scalar {
            ExprValue::Null => return self.has_null.then_some(true).into(),
            ExprValue::String(text) if !self.of_text => parse_number(text).as_ref().and_then(key),
            ExprValue::String(_) => key(scalar),
            number if self.of_text => number.to_shared_text().map(Key::Text),
            number => key(number),
        };
        match wanted.is_some_and(|wanted| self.keys.contains(&wanted)) {
            true => ExprValue::of_bool(true),
            false if self.has_null => ExprValue::Null,
            false => ExprValue::of_bool(false),
        }
    }
}

fn prepare_scalar_in_array(literals: &[Option<&ExprValue>]) -> Result<Callable> {
    match literals[1] {
        Some(array) => {
            let Some(set) = array.elements().map(Membership::new) else {
                return Ok(Box::new(|_, _| Ok(ExprValue::Null)));
            };
            Ok(Box::new(move |arguments, _| Ok(set.test(&arguments[0]))))
        }
        None => Ok(Box::new(|arguments, _| {
            let set = arguments[1].elements().map(Membership::new);
            Ok(set.map_or(ExprValue::Null, |set| set.test(&arguments[0])))
        })),
    }
}
