//! The row filter of the transformSpec, with three-valued logic. A multi-value field matches when
//! one of its values does.

use std::borrow::Cow;
use std::cmp::Ordering::{Equal, Greater, Less};

use henge_expr::Expr;
use henge_expr::like::LikePattern;
use henge_expr::number::{double_to_long, parse_double};
use henge_query::{Filter, Literal, Ordering, RangeBound};
use henge_types::Interval;

use crate::coerce::describe;
use crate::error::IngestError;
use crate::layout::{Layout, Source};
use crate::raw::{EventBuffer, Raw};
use crate::transform::{expr_value, inputs};

/// A filter with its columns resolved.
#[derive(Debug)]
pub(crate) enum RowFilter {
    Constant(bool),
    And(Vec<RowFilter>),
    Or(Vec<RowFilter>),
    Not(Box<RowFilter>),
    IsNull(Source),
    Test(Source, Test),
    Expression(Expr, Vec<Source>),
}

/// A test of one value.
#[derive(Debug)]
pub(crate) enum Test {
    Equals(Literal),
    Selector(String),
    In(Vec<Option<String>>),
    Bound(Option<RangeBound<String>>, Option<RangeBound<String>>, Ordering),
    Range(Option<RangeBound<Literal>>, Option<RangeBound<Literal>>),
    Like(LikePattern),
    Regex(regex::Regex),
    Interval(Vec<Interval>),
}

/// What a filter sees of an event.
pub(crate) struct Row<'a> {
    pub(crate) timestamp_ms: i64,
    pub(crate) body: &'a str,
    pub(crate) buffer: &'a EventBuffer,
}

impl RowFilter {
    pub(crate) fn new(filter: &Filter, layout: &mut Layout) -> Result<Self, IngestError> {
        let mut test = |column: &String, test: Test| Self::Test(layout.resolve(column), test);
        Ok(match filter {
            Filter::True => Self::Constant(true),
            Filter::False => Self::Constant(false),
            Filter::And(fields) => Self::And(Self::all(fields, layout)?),
            Filter::Or(fields) => Self::Or(Self::all(fields, layout)?),
            Filter::Not(field) => Self::Not(Box::new(Self::new(field, layout)?)),
            Filter::IsNull { column } | Filter::Selector { column, value: None } => {
                Self::IsNull(layout.resolve(column))
            }
            Filter::Selector { column, value: Some(value) } => {
                test(column, Test::Selector(value.clone()))
            }
            Filter::Equals { column, value, .. } => test(column, Test::Equals(value.clone())),
            Filter::In { column, values } => {
                let has_null = values.first().is_some_and(Option::is_none);
                let found = test(column, Test::In(values.clone()));
                if has_null {
                    Self::Or(vec![Self::IsNull(layout.resolve(column)), found])
                } else {
                    found
                }
            }
            Filter::Bound { column, lower, upper, ordering } => {
                if matches!(ordering, Ordering::Alphanumeric | Ordering::Version) {
                    return Err(IngestError::Schema {
                        field: "transformSpec.filter.ordering".to_owned(),
                        message: "use lexicographic, numeric or strlen when ingesting".to_owned(),
                    });
                }
                test(column, Test::Bound(lower.clone(), upper.clone(), *ordering))
            }
            Filter::Range { column, lower, upper, .. } => {
                test(column, Test::Range(lower.clone(), upper.clone()))
            }
            Filter::Like { column, pattern, escape } => {
                test(column, Test::Like(LikePattern::new(pattern, *escape)))
            }
            Filter::Regex { column, regex, .. } => test(column, Test::Regex(regex.clone())),
            Filter::Interval { column, intervals } => {
                test(column, Test::Interval(intervals.clone()))
            }
            Filter::Expression { expression } => Self::Expression(
                expression.clone(),
                inputs(expression, |name| layout.resolve(name)),
            ),
        })
    }

    fn all(fields: &[Filter], layout: &mut Layout) -> Result<Vec<Self>, IngestError> {
        fields.iter().map(|field| Self::new(field, layout)).collect()
    }

    /// True, false or (`None`) unknown.
    pub(crate) fn matches(&self, row: &Row<'_>) -> Option<bool> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::And(fields) => combine(fields, row, false),
            Self::Or(fields) => combine(fields, row, true),
            Self::Not(field) => field.matches(row).map(|matched| !matched),
            Self::IsNull(source) => Some(is_null(row.value(*source), row)),
            Self::Test(source, test) => match row.value(*source) {
                raw if is_null(raw, row) => None,
                Raw::List { first, count } => {
                    let items = row.buffer.list(first, count);
                    Some(items.iter().any(|item| !item.is_null() && test.matches(*item, row)))
                }
                raw => Some(test.matches(raw, row)),
            },
            Self::Expression(expression, sources) => {
                let slots: Vec<_> = sources
                    .iter()
                    .map(|source| expr_value(row.value(*source), row.body, row.buffer))
                    .collect();
                expression.eval_slots(&slots).ok().and_then(|value| value.truth())
            }
        }
    }
}

impl Row<'_> {
    fn value(&self, source: Source) -> Raw {
        Layout::value(source, self.timestamp_ms, self.buffer)
    }

    fn text(&self, raw: Raw) -> Cow<'_, str> {
        match raw {
            Raw::Text(span) | Raw::Json(span) | Raw::HugeNumber(span) => {
                Cow::Borrowed(span.text(self.body, &self.buffer.arena))
            }
            other => Cow::Owned(describe(other, self.body, self.buffer)),
        }
    }

    fn number(&self, raw: Raw) -> Option<f64> {
        match raw {
            Raw::Long(value) => Some(value as f64),
            Raw::Double(value) => Some(value),
            other => parse_double(&self.text(other)),
        }
    }

    fn long(&self, raw: Raw) -> Option<i64> {
        match raw {
            Raw::Long(value) => Some(value),
            other => match self.text(other).parse() {
                Ok(value) => Some(value),
                Err(_) => self.number(other).and_then(double_to_long),
            },
        }
    }
}

/// Stops at the first field that decides; unknown otherwise when one was unknown.
fn combine(fields: &[RowFilter], row: &Row<'_>, decisive: bool) -> Option<bool> {
    let mut result = Some(!decisive);
    for field in fields {
        match field.matches(row) {
            Some(matched) if matched == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

/// Null, or a list without values.
fn is_null(raw: Raw, row: &Row<'_>) -> bool {
    match raw {
        Raw::List { first, count } => row.buffer.list(first, count).iter().all(|i| i.is_null()),
        other => other.is_null(),
    }
}

impl Test {
    fn matches(&self, raw: Raw, row: &Row<'_>) -> bool {
        match self {
            Self::Selector(value) => match raw {
                Raw::Long(_) | Raw::Double(_) => {
                    row.text(raw) == value.as_str() || row.number(raw) == parse_double(value)
                }
                _ => row.text(raw) == value.as_str(),
            },
            Self::Equals(literal) => compare(raw, literal, row) == Some(Equal),
            Self::In(values) => {
                let text = row.text(raw);
                values.binary_search_by(|value| value.as_deref().cmp(&Some(text.as_ref()))).is_ok()
            }
            Self::Bound(lower, upper, ordering) => {
                let text = row.text(raw);
                let order =
                    |bound: &RangeBound<String>| compare_text(&text, &bound.value, *ordering);
                inside(lower, upper, order)
            }
            Self::Range(lower, upper) => {
                let order = |bound: &RangeBound<Literal>| compare(raw, &bound.value, row);
                inside(lower, upper, order)
            }
            Self::Like(pattern) => pattern.matches(&row.text(raw)),
            Self::Regex(regex) => regex.is_match(&row.text(raw)),
            Self::Interval(intervals) => row
                .long(raw)
                .is_some_and(|ms| intervals.iter().any(|interval| interval.contains(ms))),
        }
    }
}

fn inside<T>(
    lower: &Option<RangeBound<T>>,
    upper: &Option<RangeBound<T>>,
    order: impl Fn(&RangeBound<T>) -> Option<std::cmp::Ordering>,
) -> bool {
    let above = lower.as_ref().is_none_or(|bound| match order(bound) {
        Some(Greater) => true,
        Some(Equal) => !bound.strict,
        _ => false,
    });
    above
        && upper.as_ref().is_none_or(|bound| match order(bound) {
            Some(Less) => true,
            Some(Equal) => !bound.strict,
            _ => false,
        })
}

/// Compares a value, read as the literal's type, with the literal.
fn compare(raw: Raw, literal: &Literal, row: &Row<'_>) -> Option<std::cmp::Ordering> {
    match (literal, raw) {
        (Literal::Long(wanted), Raw::Long(value)) => Some(value.cmp(wanted)),
        (Literal::Long(wanted), _) => row.number(raw)?.partial_cmp(&(*wanted as f64)),
        (Literal::Double(wanted), _) => row.number(raw)?.partial_cmp(wanted),
        (Literal::String(wanted), _) => Some(row.text(raw).as_ref().cmp(wanted)),
    }
}

fn compare_text(text: &str, bound: &str, ordering: Ordering) -> Option<std::cmp::Ordering> {
    match ordering {
        Ordering::Strlen => {
            Some(text.chars().count().cmp(&bound.chars().count()).then_with(|| text.cmp(bound)))
        }
        Ordering::Numeric => match (parse_double(text), parse_double(bound)) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            (Some(_), None) => Some(Greater),
            (None, Some(_)) => Some(Less),
            (None, None) => Some(text.cmp(bound)),
        },
        // The others were refused when the filter was made.
        _ => Some(text.cmp(bound)),
    }
}
