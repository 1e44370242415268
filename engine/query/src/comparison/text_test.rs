//! Tests of texts, with what does not depend on the text done once.

use std::borrow::Cow;
use std::cmp::Ordering as Cmp;

use henge_expr::JavaRegex;
use henge_expr::like::LikePattern;
use henge_expr::number::format_double;
use henge_types::Interval;

use super::number::Number;
use super::ordering;
use crate::filter::{Literal, Ordering, RangeBound};

/// An end of a range, and whether it is outside of it itself.
pub(super) type End<E> = Option<(E, bool)>;

/// A test of a text that is not null.
#[derive(Debug)]
pub struct TextTest<'c>(pub(super) Kind<'c>);

#[derive(Debug)]
pub(super) enum Kind<'c> {
    Nothing,
    OneOf(&'c [Option<String>]),
    Is(Cow<'c, str>),
    /// Text that is no number fails.
    IsNumber(Number<'c>),
    /// Text that is no number fails.
    NumberRange {
        lower: End<Number<'c>>,
        upper: End<Number<'c>>,
    },
    TextRange {
        lower: End<Cow<'c, str>>,
        upper: End<Cow<'c, str>>,
        ordering: Ordering,
    },
    /// Text that is no number comes before all numbers.
    NumericOrder {
        lower: End<NumberOrText<'c>>,
        upper: End<NumberOrText<'c>>,
    },
    Like(&'c LikePattern),
    Regex(&'c JavaRegex),
    Intervals(&'c [Interval]),
}

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

    /// As [`ordering::compare`] by number.
    fn compare(&self, other: &NumberOrText<'_>) -> Cmp {
        match (self.number, other.number) {
            (Some(number), Some(other)) => number.compare(other),
            (None, None) => self.text.cmp(other.text),
            (number, other) => number.is_some().cmp(&other.is_some()),
        }
    }
}

impl TextTest<'_> {
    /// True when the text passes.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Kind::Nothing => false,
            Kind::OneOf(values) => {
                values.binary_search_by(|value| value.as_deref().cmp(&Some(text))).is_ok()
            }
            Kind::Is(wanted) => text == wanted,
            Kind::IsNumber(wanted) => {
                Number::parse(text).is_some_and(|number| number.compare(*wanted).is_eq())
            }
            Kind::NumberRange { lower, upper } => Number::parse(text)
                .is_some_and(|number| inside(lower, upper, |end| number.compare(*end))),
            Kind::TextRange { lower, upper, ordering } => {
                inside(lower, upper, |end| ordering::compare(*ordering, text, end))
            }
            Kind::NumericOrder { lower, upper } => {
                let found = NumberOrText::new(text);
                inside(lower, upper, |end| found.compare(end))
            }
            Kind::Like(pattern) => pattern.matches(text),
            Kind::Regex(regex) => regex.is_match(text),
            Kind::Intervals(intervals) => Number::parse(text).is_some_and(|number| {
                intervals.iter().any(|interval| {
                    number.compare(Number::Long(interval.start_ms)).is_ge()
                        && number.compare(Number::Long(interval.end_ms)).is_lt()
                })
            }),
        }
    }
}

/// True when a value is within two ends. `order` compares the value with an end.
fn inside<E>(lower: &End<E>, upper: &End<E>, order: impl Fn(&E) -> Cmp) -> bool {
    let holds = |end: &End<E>, outside: Cmp| {
        end.as_ref().is_none_or(|(value, strict)| {
            let order = order(value);
            order != outside && !(*strict && order.is_eq())
        })
    };
    holds(lower, Cmp::Less) && holds(upper, Cmp::Greater)
}

/// The text a literal is compared with in STRING columns.
#[must_use]
pub fn literal_text(literal: &Literal) -> Cow<'_, str> {
    match literal {
        Literal::Long(value) => Cow::Owned(value.to_string()),
        Literal::Double(value) => Cow::Owned(format_double(*value)),
        Literal::String(text) => Cow::Borrowed(text),
    }
}

/// An end as text.
pub(super) fn text_end(end: Option<&RangeBound<Literal>>) -> End<Cow<'_, str>> {
    end.map(|end| (literal_text(&end.value), end.strict))
}

/// The tests of a range between numbers; an end that is none lets nothing pass.
pub(super) fn number_range<'c>(
    lower: Option<&'c RangeBound<Literal>>,
    upper: Option<&'c RangeBound<Literal>>,
) -> Kind<'c> {
    let number = |end: Option<&'c RangeBound<Literal>>| match end {
        None => Some(None),
        Some(end) => Number::of_literal(&end.value).map(|number| Some((number, end.strict))),
    };
    match (number(lower), number(upper)) {
        (Some(lower), Some(upper)) => Kind::NumberRange { lower, upper },
        _ => Kind::Nothing,
    }
}
