//! What a leaf of a filter means, whatever column it meets.

use std::borrow::Cow;

use henge_expr::JavaRegex;
use henge_expr::like::LikePattern;
use henge_types::{Interval, ValueType};

use super::ends::{End, NumberOrText, end_as, inside, literal_text, number_ends};
use super::number::Number;
use super::numeric_test::{NumericTest, NumericValue};
use super::ordering;
use super::truth::Truth;
use crate::filter::{Filter, Literal, Ordering, RangeBound};

type Ends<'q, T> = Option<Cow<'q, RangeBound<T>>>;

/// A comparison of one column with constants.
#[derive(Debug, Clone)]
pub enum Comparison<'q> {
    /// IS NULL.
    IsNull,
    /// Untyped membership; sorted, null first.
    OneOf(Cow<'q, [Option<String>]>),
    /// Typed equality.
    Equals(Cow<'q, Literal>, ValueType),
    /// A range in an ordering of texts.
    Bound {
        /// Lower end.
        lower: Ends<'q, String>,
        /// Upper end.
        upper: Ends<'q, String>,
        /// How texts compare.
        ordering: Ordering,
    },
    /// A typed range.
    Range {
        /// Lower end.
        lower: Ends<'q, Literal>,
        /// Upper end.
        upper: Ends<'q, Literal>,
        /// Declared type of the ends.
        match_type: ValueType,
    },
    /// LIKE.
    Like(LikePattern),
    /// A regular expression is found in the text.
    Regex(Cow<'q, JavaRegex>),
    /// Milliseconds in one of the half-open intervals, which are condensed.
    Intervals(Cow<'q, [Interval]>),
}

/// Texts that lie beside each other in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextSpan<'c> {
    /// No text.
    Nothing,
    /// This one.
    One(Cow<'c, str>),
    /// Those that begin with it.
    Prefix(&'c str),
    /// Those between two ends.
    Between {
        /// Lower end.
        lower: End<Cow<'c, str>>,
        /// Upper end.
        upper: End<Cow<'c, str>>,
    },
}

impl<'q> Comparison<'q> {
    /// The column and the comparison of a leaf; `None` for what is no comparison of one column.
    #[must_use]
    pub fn of(filter: &'q Filter) -> Option<(&'q str, Self)> {
        Some(match filter {
            Filter::Selector { column, value } => {
                (column, Self::OneOf(Cow::Borrowed(std::slice::from_ref(value))))
            }
            Filter::In { column, values } => (column, Self::OneOf(Cow::Borrowed(values))),
            Filter::IsNull { column } => (column, Self::IsNull),
            Filter::Equals { column, match_type, value } => {
                (column, Self::Equals(Cow::Borrowed(value), *match_type))
            }
            Filter::Bound { column, lower, upper, ordering } => {
                let (lower, upper) = (borrowed(lower), borrowed(upper));
                (column, Self::Bound { lower, upper, ordering: *ordering })
            }
            Filter::Range { column, match_type, lower, upper } => {
                let (lower, upper) = (borrowed(lower), borrowed(upper));
                (column, Self::Range { lower, upper, match_type: *match_type })
            }
            Filter::Like { column, pattern, escape } => {
                (column, Self::Like(LikePattern::new(pattern, *escape)))
            }
            Filter::Regex { column, regex } => (column, Self::Regex(Cow::Borrowed(regex))),
            Filter::Interval { column, intervals } => {
                (column, Self::Intervals(Cow::Borrowed(intervals)))
            }
            Filter::True
            | Filter::False
            | Filter::And(_)
            | Filter::Or(_)
            | Filter::Not(_)
            | Filter::IsTrue(_)
            | Filter::Expression { .. } => return None,
        })
    }

    /// The same, independent of the filter it was made from.
    #[must_use]
    pub fn into_owned(self) -> Comparison<'static> {
        match self {
            Self::IsNull => Comparison::IsNull,
            Self::OneOf(values) => Comparison::OneOf(owned(values)),
            Self::Equals(literal, match_type) => Comparison::Equals(owned(literal), match_type),
            Self::Bound { lower, upper, ordering } => {
                Comparison::Bound { lower: lower.map(owned), upper: upper.map(owned), ordering }
            }
            Self::Range { lower, upper, match_type } => {
                Comparison::Range { lower: lower.map(owned), upper: upper.map(owned), match_type }
            }
            Self::Like(pattern) => Comparison::Like(pattern),
            Self::Regex(regex) => Comparison::Regex(owned(regex)),
            Self::Intervals(intervals) => Comparison::Intervals(owned(intervals)),
        }
    }

    /// What the comparison says of null.
    #[must_use]
    pub fn of_null(&self) -> Truth {
        match self {
            Self::IsNull => Truth::True,
            Self::OneOf(values) if values.first() == Some(&None) => Truth::True,
            Self::Bound { lower: None, upper: None, .. } => Truth::True,
            Self::OneOf(_)
            | Self::Equals(..)
            | Self::Bound { .. }
            | Self::Range { .. }
            | Self::Like(_)
            | Self::Regex(_)
            | Self::Intervals(_) => Truth::Unknown,
        }
    }

    /// Gives `read` the test of texts that are not null; what does not depend on the text is done once.
    pub fn with_text_test<R>(&self, read: impl FnOnce(&dyn Fn(&str) -> bool) -> R) -> R {
        let test: &dyn Fn(&str) -> bool = match self {
            Self::IsNull => &|_| false,
            Self::OneOf(values) => &move |text| {
                values.binary_search_by(|value| value.as_deref().cmp(&Some(text))).is_ok()
            },
            // Text that is no number equals none and is in no range of numbers.
            Self::Equals(literal, match_type) if match_type.is_numeric() => {
                let wanted = Number::of_literal(literal);
                &move |text| {
                    let found = wanted.and_then(|wanted| Some((wanted, Number::parse(text)?)));
                    found.is_some_and(|(wanted, number)| number.compare(wanted).is_eq())
                }
            }
            Self::Equals(literal, _) => {
                let wanted = literal_text(literal);
                &move |text| text == wanted
            }
            Self::Range { lower, upper, match_type } if match_type.is_numeric() => {
                let ends = number_ends(lower, upper);
                &move |text| {
                    let found = ends.as_ref().and_then(|ends| Some((ends, Number::parse(text)?)));
                    found.is_some_and(|((lower, upper), number)| {
                        inside(lower, upper, |end| number.compare(*end))
                    })
                }
            }
            Self::Range { lower, upper, .. } => {
                let (lower, upper) = (end_as(lower, literal_text), end_as(upper, literal_text));
                &move |text| inside(&lower, &upper, |end| text.cmp(end))
            }
            // Text that is no number comes before all numbers.
            Self::Bound { lower, upper, ordering: Ordering::Numeric } => {
                let lower = end_as(lower, |text| NumberOrText::new(text));
                let upper = end_as(upper, |text| NumberOrText::new(text));
                &move |text| {
                    let found = NumberOrText::new(text);
                    inside(&lower, &upper, |end| found.compare(end))
                }
            }
            Self::Bound { lower, upper, ordering } => {
                let (lower, upper) = (end_as(lower, String::as_str), end_as(upper, String::as_str));
                &move |text| inside(&lower, &upper, |end| ordering::compare(*ordering, text, end))
            }
            Self::Like(pattern) => &move |text| pattern.matches(text),
            Self::Regex(regex) => &move |text| regex.is_match(text),
            Self::Intervals(intervals) => &move |text| {
                Number::parse(text).is_some_and(|number| {
                    intervals.iter().any(|interval| {
                        number.compare(Number::Long(interval.start_ms)).is_ge()
                            && number.compare(Number::Long(interval.end_ms)).is_lt()
                    })
                })
            },
        };
        read(test)
    }

    /// The texts that pass, when they lie beside each other in the order of their bytes, so that a
    /// sorted dictionary need not be looked through.
    #[must_use]
    pub fn text_span(&self) -> Option<TextSpan<'_>> {
        Some(match self {
            Self::IsNull => TextSpan::Nothing,
            Self::OneOf(values) => match values.as_ref() {
                [] | [None] => TextSpan::Nothing,
                [Some(value)] | [None, Some(value)] => TextSpan::One(value.into()),
                _ => return None,
            },
            Self::Equals(literal, match_type) if !match_type.is_numeric() => {
                TextSpan::One(literal_text(literal))
            }
            Self::Like(pattern) if pattern.is_exact() => TextSpan::One(pattern.prefix().into()),
            Self::Like(pattern) if pattern.is_prefix_only() => TextSpan::Prefix(pattern.prefix()),
            Self::Bound { lower, upper, ordering: Ordering::Lexicographic } => TextSpan::Between {
                lower: end_as(lower, |text| text.as_str().into()),
                upper: end_as(upper, |text| text.as_str().into()),
            },
            Self::Range { lower, upper, match_type } if !match_type.is_numeric() => {
                TextSpan::Between {
                    lower: end_as(lower, literal_text),
                    upper: end_as(upper, literal_text),
                }
            }
            Self::Equals(..)
            | Self::Bound { .. }
            | Self::Range { .. }
            | Self::Like(_)
            | Self::Regex(_)
            | Self::Intervals(_) => return None,
        })
    }

    /// The test of numbers; `None` when the comparison sees numbers as text.
    #[must_use]
    pub fn numeric_test<'c, T: NumericValue>(&'c self) -> Option<NumericTest<T>> {
        Some(match self {
            Self::IsNull => NumericTest::Nothing,
            Self::OneOf(values) => {
                NumericTest::one_of(values.iter().flatten().filter_map(|text| Number::parse(text)))
            }
            Self::Equals(literal, _) => {
                NumericTest::one_of(Number::of_literal(literal).into_iter())
            }
            Self::Bound { lower: None, upper: None, .. } => NumericTest::Everything,
            Self::Bound { lower, upper, ordering: Ordering::Numeric } => {
                let number = |text: &'c String| Number::parse(text);
                bound_test(end_as(lower, number), end_as(upper, number))
            }
            Self::Range { lower, upper, .. } => match number_ends(lower, upper) {
                Some((lower, upper)) => NumericTest::between(lower, upper),
                None => NumericTest::Nothing,
            },
            Self::Intervals(intervals) => interval_test(intervals),
            Self::Bound { .. } | Self::Like(_) | Self::Regex(_) => return None,
        })
    }
}

fn borrowed<T: Clone>(end: &Option<RangeBound<T>>) -> Ends<'_, T> {
    end.as_ref().map(Cow::Borrowed)
}

fn owned<T: ToOwned + ?Sized>(value: Cow<'_, T>) -> Cow<'static, T> {
    Cow::Owned(value.into_owned())
}

/// Text that is no number comes before all numbers: as a lower end it excludes nothing, as an upper
/// end everything.
fn bound_test<T: NumericValue>(
    lower: End<Option<Number<'_>>>,
    upper: End<Option<Number<'_>>>,
) -> NumericTest<T> {
    let lower = lower.and_then(|(number, strict)| Some((number?, strict)));
    match upper {
        None => NumericTest::between(lower, None),
        Some((None, _)) => NumericTest::Nothing,
        Some((Some(number), strict)) => NumericTest::between(lower, Some((number, strict))),
    }
}

fn interval_test<T: NumericValue>(intervals: &[Interval]) -> NumericTest<T> {
    let ranges = intervals.iter().filter(|interval| !interval.is_empty()).filter_map(|interval| {
        let low = T::at_least(Number::Long(interval.start_ms), false)?;
        Some((low, T::at_most(Number::Long(interval.end_ms), true)?))
    });
    NumericTest::Ranges(ranges.collect())
}
