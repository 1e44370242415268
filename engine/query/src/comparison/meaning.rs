//! What a leaf of a filter means, whatever column it meets.

use std::borrow::Cow;

use henge_expr::JavaRegex;
use henge_expr::like::LikePattern;
use henge_types::{Interval, ValueType};

use super::number::Number;
use super::numeric_test::{NumericTest, NumericValue};
use super::text_test::{self, Kind, NumberOrText, TextTest, literal_text};
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

    /// The test of texts.
    #[must_use]
    pub fn text_test(&self) -> TextTest<'_> {
        TextTest(match self {
            Self::IsNull => Kind::Nothing,
            Self::OneOf(values) => Kind::OneOf(values),
            Self::Equals(literal, match_type) if match_type.is_numeric() => {
                Number::of_literal(literal).map_or(Kind::Nothing, Kind::IsNumber)
            }
            Self::Equals(literal, _) => Kind::Is(literal_text(literal)),
            Self::Range { lower, upper, match_type } if match_type.is_numeric() => {
                text_test::number_range(lower.as_deref(), upper.as_deref())
            }
            Self::Range { lower, upper, .. } => Kind::TextRange {
                lower: text_test::text_end(lower.as_deref()),
                upper: text_test::text_end(upper.as_deref()),
                ordering: Ordering::Lexicographic,
            },
            Self::Bound { lower, upper, ordering: Ordering::Numeric } => {
                fn end(end: &RangeBound<String>) -> (NumberOrText<'_>, bool) {
                    (NumberOrText::new(&end.value), end.strict)
                }
                let (lower, upper) = (lower.as_deref().map(end), upper.as_deref().map(end));
                Kind::NumericOrder { lower, upper }
            }
            Self::Bound { lower, upper, ordering } => {
                fn end(end: &RangeBound<String>) -> (Cow<'_, str>, bool) {
                    (Cow::Borrowed(end.value.as_str()), end.strict)
                }
                let (lower, upper) = (lower.as_deref().map(end), upper.as_deref().map(end));
                Kind::TextRange { lower, upper, ordering: *ordering }
            }
            Self::Like(pattern) => Kind::Like(pattern),
            Self::Regex(regex) => Kind::Regex(regex),
            Self::Intervals(intervals) => Kind::Intervals(intervals),
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
                let number = |end: Option<&'c RangeBound<String>>| {
                    end.map(|end| (Number::parse(&end.value), end.strict))
                };
                bound_test(number(lower.as_deref()), number(upper.as_deref()))
            }
            Self::Range { lower, upper, .. } => {
                match text_test::number_range(lower.as_deref(), upper.as_deref()) {
                    Kind::NumberRange { lower, upper } => NumericTest::between(lower, upper),
                    _ => NumericTest::Nothing,
                }
            }
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
    lower: Option<(Option<Number<'_>>, bool)>,
    upper: Option<(Option<Number<'_>>, bool)>,
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
