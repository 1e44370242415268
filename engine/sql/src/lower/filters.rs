//! Conditions of a plan taken into a draft: as intervals, filters, or `having`.

use datafusion::logical_expr::{Expr, Operator};
use henge_types::TIME_COLUMN;
use serde_json::Value;

use super::draft::Draft;
use super::scope::RowScope;
use super::time_set::TimeSet;
use super::{Lowering, filter, time};
use crate::functions::expression::{self, Refusal};

impl Draft {
    /// Keeps the rows for which a condition holds; `seen_by` are the rows that it reads.
    ///
    /// # Errors
    /// When a part of the condition has no native form, or it is of rows that are left after a limit. The draft is
    /// as before then.
    pub(super) fn filter(
        &mut self,
        condition: &Expr,
        lowering: &Lowering<'_>,
    ) -> Result<(), Refusal> {
        if self.is_cut() {
            return Err(Refusal::new("a condition on what a limit leaves"));
        }
        let scope = self.scope(lowering);
        if self.groups.is_none() {
            let (intervals, filters) = split(condition, &scope, self.base.has_time)?;
            self.keep(&intervals, filters);
            return Ok(());
        }
        let conditions = filter::operands(condition, Operator::And);
        let having = conditions.into_iter().map(|condition| filter::native(condition, &scope));
        let having = having.collect::<Result<Vec<_>, _>>()?;
        match &mut self.groups {
            Some(groups) if groups.dimensions.is_empty() => {
                Err(Refusal::new("a condition on an aggregate without groups"))
            }
            Some(groups) => {
                groups.having.extend(having);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// As [`Draft::filter`] for conditions that read other columns than those the draft gives.
    pub(super) fn filter_within(
        &mut self,
        conditions: &[Expr],
        scope: &RowScope<'_>,
    ) -> Result<(), Refusal> {
        for condition in conditions {
            let (intervals, filters) = split(condition, scope, self.base.has_time)?;
            self.keep(&intervals, filters);
        }
        Ok(())
    }

    fn keep(&mut self, times: &TimeSet, filters: Vec<Value>) {
        let known = std::mem::take(&mut self.base.intervals);
        let known = TimeSet { intervals: known, exact: true };
        self.base.intervals = known.and(times).intervals;
        self.base.filters.extend(filters);
    }
}

/// The times at which a condition can hold, and the filters that must hold besides.
fn split(
    condition: &Expr,
    scope: &RowScope<'_>,
    has_time: bool,
) -> Result<(TimeSet, Vec<Value>), Refusal> {
    let mut known = TimeSet::constant(true);
    let mut filters = Vec::new();
    for part in filter::operands(condition, Operator::And) {
        // Only what is true is kept, so that what is unknown may stay so.
        let part = match part {
            Expr::IsTrue(inner) => inner,
            other => other,
        };
        if has_time && reads_time(part, scope) {
            let text = expression::text(part, scope)?;
            let times = henge_expr::Expr::parse(&text).ok().map(|parsed| time::times(&parsed));
            if let Some(times) = times {
                known = known.and(&times);
                if times.exact {
                    continue;
                }
            }
        }
        filters.push(filter::native(part, scope)?);
    }
    Ok((known, filters))
}

fn reads_time(condition: &Expr, scope: &RowScope<'_>) -> bool {
    condition
        .column_refs()
        .into_iter()
        .any(|column| scope.output(column).is_ok_and(|output| output.text.contains(TIME_COLUMN)))
}
