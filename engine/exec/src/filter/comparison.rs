//! What a leaf of a filter means, whatever column it meets.

use henge_expr::ExprValue;
use henge_expr::like::LikePattern;
use henge_query::{Filter, Literal, Ordering, RangeBound};
use henge_types::{ColumnType, Interval};

use super::numeric_test::{Number, NumericTest, NumericValue};
use crate::ordering;

/// Three-valued truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    True,
    False,
    Unknown,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// A comparison of one column with constants.
#[derive(Debug)]
pub(crate) enum Comparison<'q> {
    IsNull,
    /// Untyped membership; sorted, null first.
    OneOf(Vec<Option<&'q str>>),
    /// Typed equality.
    Equals(&'q Literal, &'q ColumnType),
    Bound {
        lower: Option<&'q RangeBound<String>>,
        upper: Option<&'q RangeBound<String>>,
        ordering: Ordering,
    },
    Range {
        lower: Option<&'q RangeBound<Literal>>,
        upper: Option<&'q RangeBound<Literal>>,
        match_type: &'q ColumnType,
    },
    Like(LikePattern),
    Regex(&'q regex::Regex),
    Intervals(&'q [Interval]),
}

impl<'q> Comparison<'q> {
    /// The column and the comparison of a leaf; `None` for what is no comparison of one column.
    pub(crate) fn of(filter: &'q Filter) -> Option<(&'q str, Self)> {
        Some(match filter {
            Filter::Selector { column, value } => (column, Self::OneOf(vec![value.as_deref()])),
            Filter::In { column, values } => {
                (column, Self::OneOf(values.iter().map(Option::as_deref).collect()))
            }
            Filter::IsNull { column } => (column, Self::IsNull),
            Filter::Equals { column, match_type, value } => {
                (column, Self::Equals(value, match_type))
            }
            Filter::Bound { column, lower, upper, ordering } => (
                column,
                Self::Bound { lower: lower.as_ref(), upper: upper.as_ref(), ordering: *ordering },
            ),
            Filter::Range { column, match_type, lower, upper } => {
                (column, Self::Range { lower: lower.as_ref(), upper: upper.as_ref(), match_type })
            }
            Filter::Like { column, pattern, escape } => {
                (column, Self::Like(LikePattern::new(pattern, *escape)))
            }
            Filter::Regex { column, regex, .. } => (column, Self::Regex(regex)),
            Filter::Interval { column, intervals } => (column, Self::Intervals(intervals)),
            Filter::True
            | Filter::False
            | Filter::And(_)
            | Filter::Or(_)
            | Filter::Not(_)
            | Filter::Expression { .. } => return None,
        })
    }

    /// What the comparison says of null.
    pub(crate) fn of_null(&self) -> Truth {
        match self {
            Self::IsNull => Truth::True,
            Self::OneOf(values) if values.first() == Some(&None) => Truth::True,
            Self::Bound { lower: None, upper: None, .. } => Truth::True,
            _ => Truth::Unknown,
        }
    }

    /// What the comparison says of text.
    pub(crate) fn of_text(&self, text: &str) -> bool {
        match self {
            Self::IsNull => false,
            Self::OneOf(values) => values.binary_search(&Some(text)).is_ok(),
            Self::Equals(_, match_type) if match_type.is_numeric() => {
                Number::parse(text).is_some_and(|number| self.of_number(number))
            }
            Self::Equals(literal, _) => literal_text(literal) == text,
            Self::Range { match_type, .. } if match_type.is_numeric() => {
                Number::parse(text).is_some_and(|number| self.of_number(number))
            }
            Self::Range { lower, upper, .. } => {
                let above = |bound: &RangeBound<Literal>| {
                    literal_text(&bound.value).as_str() < text
                        || (!bound.strict && literal_text(&bound.value) == text)
                };
                let below = |bound: &RangeBound<Literal>| {
                    text < literal_text(&bound.value).as_str()
                        || (!bound.strict && literal_text(&bound.value) == text)
                };
                lower.is_none_or(above) && upper.is_none_or(below)
            }
            Self::Bound { lower, upper, ordering } => {
                let side = |bound: &RangeBound<String>, outside| {
                    let order = ordering::compare(*ordering, text, &bound.value);
                    order != outside && !(bound.strict && order.is_eq())
                };
                lower.is_none_or(|bound| side(bound, std::cmp::Ordering::Less))
                    && upper.is_none_or(|bound| side(bound, std::cmp::Ordering::Greater))
            }
            Self::Like(pattern) => pattern.matches(text),
            Self::Regex(regex) => regex.is_match(text),
            Self::Intervals(intervals) => match Number::parse(text) {
                Some(Number::Long(ms)) => intervals.iter().any(|i| i.contains(ms)),
                _ => false,
            },
        }
    }

    /// [`Comparison::of_text`] with what does not depend on the text done once.
    pub(crate) fn prepared(&self) -> Box<dyn Fn(&str) -> bool + '_> {
        match self {
            Self::Equals(_, match_type) | Self::Range { match_type, .. }
                if match_type.is_numeric() =>
            {
                let (long, double) = (self.numeric_test::<i64>(), self.numeric_test::<f64>());
                Box::new(move |text| match Number::parse(text) {
                    None => false,
                    Some(Number::Long(value)) => long.as_ref().is_some_and(|t| t.matches(value)),
                    Some(Number::Double(value)) => {
                        double.as_ref().is_some_and(|t| t.matches(value))
                    }
                })
            }
            _ => Box::new(|text| self.of_text(text)),
        }
    }

    /// Numbers in text compare as the type that holds them exactly.
    fn of_number(&self, number: Number) -> bool {
        match number {
            Number::Long(value) => self.of_value(value),
            Number::Double(value) => self.of_value(value),
        }
    }

    fn of_value<T: NumericValue>(&self, value: T) -> bool {
        self.numeric_test::<T>().is_some_and(|test| test.matches(value))
    }

    /// The test of numbers; `None` when the comparison sees numbers as text.
    pub(crate) fn numeric_test<T: NumericValue>(&self) -> Option<NumericTest<T>> {
        Some(match self {
            Self::IsNull => NumericTest::Nothing,
            Self::OneOf(values) => {
                NumericTest::one_of(values.iter().flatten().filter_map(|text| Number::parse(text)))
            }
            Self::Equals(literal, _) => NumericTest::equals(Number::of_literal(literal)),
            Self::Bound { lower: None, upper: None, .. } => NumericTest::Everything,
            Self::Bound { lower, upper, ordering: Ordering::Numeric } => bound_test(*lower, *upper),
            Self::Range { lower, upper, match_type } if match_type.is_numeric() => {
                let number = |bound: &Option<&RangeBound<Literal>>| match bound {
                    None => Some(None),
                    Some(bound) => {
                        Number::of_literal(&bound.value).map(|n| Some((n, bound.strict)))
                    }
                };
                match (number(lower), number(upper)) {
                    (Some(lower), Some(upper)) => NumericTest::between(lower, upper),
                    _ => NumericTest::Nothing,
                }
            }
            Self::Intervals(intervals) => interval_test(intervals),
            Self::Bound { .. } | Self::Range { .. } | Self::Like(_) | Self::Regex(_) => {
                return None;
            }
        })
    }

    /// What the comparison says of a computed value. An array is true when an element is.
    pub(crate) fn of_expr_value(&self, value: &ExprValue) -> Truth {
        match value {
            ExprValue::Null => self.of_null(),
            ExprValue::Long(value) => self.of_long(*value).into(),
            ExprValue::Double(value) => self.of_double(*value).into(),
            ExprValue::String(text) => self.of_text(text).into(),
            ExprValue::Array(items) if items.is_empty() => self.of_null(),
            ExprValue::Array(items) => any(items.iter().map(|item| self.of_expr_value(item))),
        }
    }

    fn of_long(&self, value: i64) -> bool {
        match self.numeric_test::<i64>() {
            Some(test) => test.matches(value),
            None => self.of_text(&value.to_string()),
        }
    }

    fn of_double(&self, value: f64) -> bool {
        match self.numeric_test::<f64>() {
            Some(test) => test.matches(value),
            None => self.of_text(&henge_expr::number::format_double(value)),
        }
    }
}

/// True when any is true; false when all are false.
pub(crate) fn any(truths: impl Iterator<Item = Truth>) -> Truth {
    let mut result = Truth::False;
    for truth in truths {
        match truth {
            Truth::True => return Truth::True,
            Truth::Unknown => result = Truth::Unknown,
            Truth::False => {}
        }
    }
    result
}

pub(crate) fn literal_text(literal: &Literal) -> String {
    match literal {
        Literal::Long(value) => value.to_string(),
        Literal::Double(value) => henge_expr::number::format_double(*value),
        Literal::String(text) => text.clone(),
    }
}

/// Text that is no number comes before all numbers: as a lower end it excludes nothing, as an upper
/// end everything.
fn bound_test<T: NumericValue>(
    lower: Option<&RangeBound<String>>,
    upper: Option<&RangeBound<String>>,
) -> NumericTest<T> {
    let lower = lower.and_then(|bound| Some((Number::parse(&bound.value)?, bound.strict)));
    match upper.map(|bound| (Number::parse(&bound.value), bound.strict)) {
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
