//! Ends of ranges, as texts and as numbers.

use std::borrow::Cow;
use std::cmp::Ordering as Cmp;

use henge_expr::number::format_double;

use super::number::Number;
use crate::filter::{Literal, RangeBound};

/// An end of a range, and whether it is outside of it itself.
pub type End<E> = Option<(E, bool)>;

/// A text and the number it spells, if it does.
#[derive(Debug)]
pub(super) struct NumberOrText<'t> {
    number: Option<Number<'t>>,
    text: &'t str,
}

impl<'t> NumberOrText<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { number: Number::parse(text), text }
    }

    /// As [`compare`](super::ordering::compare) by number.
    pub(super) fn compare(&self, other: &NumberOrText<'_>) -> Cmp {
        match (self.number, other.number) {
            (Some(number), Some(other)) => number.compare(other),
            (None, None) => self.text.cmp(other.text),
            (number, other) => number.is_some().cmp(&other.is_some()),
        }
    }
}

/// True when a value is within two ends. `order` compares the value with an end.
pub(super) fn inside<E>(lower: &End<E>, upper: &End<E>, order: impl Fn(&E) -> Cmp) -> bool {
    let holds = |end: &End<E>, outside: Cmp| {
        end.as_ref().is_none_or(|(value, strict)| {
            let order = order(value);
            order != outside && !(*strict && order.is_eq())
        })
    };
    holds(lower, Cmp::Less) && holds(upper, Cmp::Greater)
}

/// The text a literal is compared with in STRING columns.
pub(super) fn literal_text(literal: &Literal) -> Cow<'_, str> {
    match literal {
        Literal::Long(value) => Cow::Owned(value.to_string()),
        Literal::Double(value) => Cow::Owned(format_double(*value)),
        Literal::String(text) => Cow::Borrowed(text),
    }
}

/// An end with its value seen as something else.
pub(super) fn end_as<'c, T: Clone, E>(
    end: &'c Option<Cow<'_, RangeBound<T>>>,
    see: impl FnOnce(&'c T) -> E,
) -> End<E> {
    end.as_ref().map(|end| (see(&end.value), end.strict))
}

/// The ends of a range between numbers; `None` when one is no number, so that nothing is in the range.
pub(super) fn number_ends<'c>(
    lower: &'c Option<Cow<'_, RangeBound<Literal>>>,
    upper: &'c Option<Cow<'_, RangeBound<Literal>>>,
) -> Option<(End<Number<'c>>, End<Number<'c>>)> {
    let number =
        |end: &'c Option<Cow<'_, RangeBound<Literal>>>| match end_as(end, Number::of_literal) {
            None => Some(None),
            Some((number, strict)) => number.map(|number| Some((number, strict))),
        };
    Some((number(lower)?, number(upper)?))
}
