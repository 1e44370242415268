//! A comparison prepared for values of any type.

use std::sync::OnceLock;

use henge_expr::ExprValue;
use henge_expr::number::format_double;

use super::meaning::Comparison;
use super::numeric_test::NumericTest;
use super::truth::Truth;

/// Takes values one by one until it answers false.
pub type Visit<'v> = &'v mut dyn FnMut(FilterValue<'_>) -> bool;

/// A value that a filter looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FilterValue<'v> {
    /// SQL null.
    Null,
    /// LONG.
    Long(i64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// STRING.
    Text(&'v str),
}

/// A comparison prepared for values of any type, one by one.
#[derive(Debug)]
pub struct Leaf<'q> {
    comparison: Comparison<'q>,
    long: OnceLock<Option<NumericTest<i64>>>,
    float: OnceLock<Option<NumericTest<f32>>>,
    double: OnceLock<Option<NumericTest<f64>>>,
}

impl<'q> Leaf<'q> {
    /// Prepares a comparison.
    #[must_use]
    pub fn new(comparison: Comparison<'q>) -> Self {
        Self { comparison, long: OnceLock::new(), float: OnceLock::new(), double: OnceLock::new() }
    }

    /// The same, independent of the filter it was made from.
    #[must_use]
    pub fn into_owned(self) -> Leaf<'static> {
        Leaf::new(self.comparison.into_owned())
    }

    /// What the comparison says of null, and of rows without a value.
    #[must_use]
    pub fn of_null(&self) -> Truth {
        self.comparison.of_null()
    }

    /// What the comparison says of a value.
    #[must_use]
    pub fn truth(&self, value: FilterValue<'_>) -> Truth {
        let passes = match value {
            FilterValue::Null => return self.of_null(),
            FilterValue::Long(value) => {
                let test = self.long.get_or_init(|| self.comparison.numeric_test());
                test.as_ref().map_or_else(|| self.of_text(&value.to_string()), |t| t.matches(value))
            }
            FilterValue::Float(value) => {
                let test = self.float.get_or_init(|| self.comparison.numeric_test());
                test.as_ref().map_or_else(
                    || self.of_text(&format_double(widen_shortest(value))),
                    |t| t.matches(value),
                )
            }
            FilterValue::Double(value) => {
                let test = self.double.get_or_init(|| self.comparison.numeric_test());
                test.as_ref()
                    .map_or_else(|| self.of_text(&format_double(value)), |t| t.matches(value))
            }
            FilterValue::Text(text) => self.of_text(text),
        };
        passes.into()
    }

    /// What the comparison says of the values that `each` visits: true when one is, false when all
    /// are, of none what it says of null. Visiting may stop when the visitor answers false.
    pub fn of_values(&self, each: &mut dyn FnMut(Visit<'_>)) -> Truth {
        let mut result = None;
        each(&mut |value| {
            let truth = self.truth(value);
            let sum = result.map_or(truth, |before| Truth::any([before, truth]));
            result = Some(sum);
            sum != Truth::True
        });
        result.unwrap_or_else(|| self.of_null())
    }

    fn of_text(&self, text: &str) -> bool {
        self.comparison.with_text_test(|test| test(text))
    }

    /// What the comparison says of a computed value, in the way of rows of several values.
    #[must_use]
    pub fn of_expr_value(&self, value: &ExprValue) -> Truth {
        self.of_values(&mut |visit| {
            FilterValue::visit_expr(value, visit);
        })
    }
}

impl FilterValue<'_> {
    /// Calls `visit` with a computed value, or with each element of an array (null when it has
    /// none), until it answers false.
    pub fn visit_expr(value: &ExprValue, visit: Visit<'_>) -> bool {
        visit(match value {
            ExprValue::Null => FilterValue::Null,
            ExprValue::Long(value) => FilterValue::Long(*value),
            ExprValue::Double(value) => FilterValue::Double(*value),
            ExprValue::String(text) => FilterValue::Text(text),
            ExprValue::Array(items) if items.is_empty() => FilterValue::Null,
            ExprValue::Array(items) => {
                return items.iter().all(|item| Self::visit_expr(item, visit));
            }
        })
    }
}

/// The double whose shortest decimal form is the float's: `1.1f32` becomes 1.1.
#[must_use]
pub fn widen_shortest(value: f32) -> f64 {
    if value.is_finite() {
        value.to_string().parse().unwrap_or(f64::from(value))
    } else {
        f64::from(value)
    }
}
