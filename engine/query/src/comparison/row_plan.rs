//! Filters over rows that are seen one by one: finished groups of `having`, events of ingestion.

use henge_expr::{Budget, Expr, ExprError, ExprValue};

use super::leaf::{FilterValue, Leaf};
use super::meaning::Comparison;
use super::truth::Truth;
use crate::filter::Filter;

/// A row whose columns are known by a handle.
pub trait FilterRow<C> {
    /// Calls `visit` with each value of a column, until it answers false: one for a single value
    /// (null as well), several for lists.
    fn visit(&self, column: &C, visit: &mut dyn FnMut(FilterValue<'_>) -> bool);

    /// A column's value for an expression; a list is an array.
    fn expr_value(&self, column: &C) -> ExprValue;

    /// What expressions may take for this row; `None` is what one row may take without anything that
    /// stops it.
    fn budget(&self) -> Option<&Budget> {
        None
    }
}

/// A filter whose columns are resolved.
#[derive(Debug)]
pub enum RowPlan<'q, C> {
    /// Every row, or none.
    Constant(bool),
    /// All of them.
    And(Vec<RowPlan<'q, C>>),
    /// Any of them.
    Or(Vec<RowPlan<'q, C>>),
    /// Negation.
    Not(Box<RowPlan<'q, C>>),
    /// True or not: unknown is not.
    IsTrue(Box<RowPlan<'q, C>>),
    /// A comparison of a column.
    Compare(C, Leaf<'q>),
    /// An expression with its inputs.
    Expression(Expr, Vec<C>),
}

impl<'q, C> RowPlan<'q, C> {
    /// Resolves the columns of a filter.
    pub fn new(filter: &'q Filter, resolve: &mut dyn FnMut(&str) -> C) -> Self {
        let mut all = |filters: &'q [Filter]| -> Vec<Self> {
            filters.iter().map(|inner| Self::new(inner, resolve)).collect()
        };
        match filter {
            Filter::True => Self::Constant(true),
            Filter::False => Self::Constant(false),
            Filter::And(filters) => Self::And(all(filters)),
            Filter::Or(filters) => Self::Or(all(filters)),
            Filter::Not(inner) => Self::Not(Box::new(Self::new(inner, resolve))),
            Filter::IsTrue(inner) => Self::IsTrue(Box::new(Self::new(inner, resolve))),
            Filter::Expression { expression } => {
                let inputs = expression.identifiers().iter().map(|name| resolve(name));
                Self::Expression(expression.clone(), inputs.collect())
            }
            leaf => match Comparison::of(leaf) {
                Some((column, comparison)) => Self::Compare(resolve(column), Leaf::new(comparison)),
                None => Self::Constant(false),
            },
        }
    }

    /// The same, independent of the filter it was made from.
    #[must_use]
    pub fn into_owned(self) -> RowPlan<'static, C> {
        let all = |plans: Vec<Self>| plans.into_iter().map(Self::into_owned).collect();
        match self {
            Self::Constant(value) => RowPlan::Constant(value),
            Self::And(plans) => RowPlan::And(all(plans)),
            Self::Or(plans) => RowPlan::Or(all(plans)),
            Self::Not(plan) => RowPlan::Not(Box::new(plan.into_owned())),
            Self::IsTrue(plan) => RowPlan::IsTrue(Box::new(plan.into_owned())),
            Self::Compare(column, leaf) => RowPlan::Compare(column, leaf.into_owned()),
            Self::Expression(expression, inputs) => RowPlan::Expression(expression, inputs),
        }
    }

    /// The truth of the filter for a row.
    ///
    /// # Errors
    /// When an expression fails on the row's values.
    pub fn truth(&self, row: &dyn FilterRow<C>) -> Result<Truth, ExprError> {
        match self {
            Self::Constant(value) => Ok((*value).into()),
            Self::And(plans) => combine(plans, row, Truth::False),
            Self::Or(plans) => combine(plans, row, Truth::True),
            Self::Not(plan) => plan.truth(row).map(|truth| !truth),
            Self::IsTrue(plan) => plan.truth(row).map(|truth| (truth == Truth::True).into()),
            Self::Compare(column, leaf) => {
                Ok(leaf.of_values(&mut |visit| row.visit(column, visit)))
            }
            Self::Expression(expression, inputs) => {
                let slots: Vec<ExprValue> =
                    inputs.iter().map(|column| row.expr_value(column)).collect();
                let value = match row.budget() {
                    Some(budget) => expression.eval_within(&slots, budget)?,
                    None => expression.eval_slots(&slots)?,
                };
                Ok(Truth::of_expr_value(&value))
            }
        }
    }
}

/// Stops at the first part that decides; unknown otherwise when one was unknown.
fn combine<C>(
    plans: &[RowPlan<'_, C>],
    row: &dyn FilterRow<C>,
    decisive: Truth,
) -> Result<Truth, ExprError> {
    let mut result = !decisive;
    for plan in plans {
        match plan.truth(row)? {
            truth if truth == decisive => return Ok(decisive),
            Truth::Unknown => result = Truth::Unknown,
            _ => {}
        }
    }
    Ok(result)
}
