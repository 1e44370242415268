//! Subqueries where DataFusion leaves them unplanned: those in the arguments of aggregates are computed for each row
//! below the aggregate; IN and EXISTS outside of WHERE, and IN that is only a part of one of its conditions, become
//! marks of a join and counts; names that a correlated subquery gives its parts do not stand in the way of what it is
//! correlated by.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, TableReference};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, Expr, Filter, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Subquery,
    SubqueryAlias, lit, scalar_subquery, when,
};
use datafusion::scalar::ScalarValue;

/// The column of a mark join that says whether a row has met one.
const MARK: &str = "mark";

/// Puts subqueries where they can be planned.
///
/// # Errors
/// When a part of the plan cannot be put together again.
pub(super) fn placed(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut marks = 0;
    let placed = plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::SubqueryAlias(alias) if is_correlated(&alias.input) => {
            renamed(&alias).map(Transformed::yes)
        }
        LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.iter().any(has_subquery) => {
            below(aggregate, &mut marks).map(Transformed::yes)
        }
        LogicalPlan::Projection(projection) if projection.expr.iter().any(has_test) => {
            let mut rows = Rows { input: projection.input.as_ref().clone(), marks: &mut marks };
            let outputs = projection.expr.into_iter().map(|output| rows.without_tests(output));
            let outputs = outputs.collect::<Result<Vec<_>>>()?;
            let plan = Projection::try_new(outputs, Arc::new(rows.input))?;
            Ok(Transformed::yes(LogicalPlan::Projection(plan)))
        }
        LogicalPlan::Filter(filter) if split_conjunction(&filter.predicate).iter().any(is_part) => {
            marked(filter, &mut marks).map(Transformed::yes)
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(placed.data)
}

/// Whether IN of a subquery is a part of a condition. What stands for itself, or behind NOT, becomes a join that knows
/// of null; a part of something else would become one that does not.
fn is_part(condition: &&Expr) -> bool {
    let condition: &Expr = match *condition {
        Expr::Not(inner) => inner,
        other => other,
    };
    !matches!(condition, Expr::InSubquery(_))
        && condition
            .exists(|part| Ok(matches!(part, Expr::InSubquery(_)) && is_test(part)))
            .unwrap_or(false)
}

/// The rows that a condition is true of, by marks where it asks for parts.
fn marked(filter: Filter, marks: &mut usize) -> Result<LogicalPlan> {
    let columns = filter.input.schema().columns().into_iter().map(Expr::Column).collect();
    let mut rows = Rows { input: filter.input.as_ref().clone(), marks };
    let conditions = split_conjunction_owned(filter.predicate).into_iter();
    let conditions = conditions.map(|condition| match is_part(&&condition) {
        true => rows.without_tests(condition).map(Expr::unalias),
        false => Ok(condition),
    });
    let conditions = conditions.collect::<Result<Vec<_>>>()?;
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    let kept = Filter::try_new(predicate, Arc::new(rows.input))?;
    let plan = Projection::try_new(columns, Arc::new(LogicalPlan::Filter(kept)))?;
    Ok(LogicalPlan::Projection(plan))
}

/// Whether a plan reads the rows around it; a side of a lateral join is taken apart by a rule of its own.
fn is_correlated(plan: &LogicalPlan) -> bool {
    !matches!(plan, LogicalPlan::Subquery(_)) && !plan.all_out_ref_exprs().is_empty()
}

/// A name for the rows of a correlated part as a projection: what it is correlated by can be added to that.
fn renamed(alias: &SubqueryAlias) -> Result<LogicalPlan> {
    let columns = alias.input.schema().columns().into_iter().zip(alias.schema.iter());
    let outputs = columns.map(|(column, (qualifier, field))| {
        Expr::Column(column).alias_qualified(qualifier.cloned(), field.name())
    });
    let plan = Projection::try_new(outputs.collect(), Arc::clone(&alias.input))?;
    Ok(LogicalPlan::Projection(plan))
}

fn has_subquery(call: &Expr) -> bool {
    call.exists(|part| Ok(matches!(part, Expr::ScalarSubquery(_)))).unwrap_or(false)
        || has_test(call)
}

fn has_test(expr: &Expr) -> bool {
    expr.exists(|part| Ok(is_test(part))).unwrap_or(false)
}

/// IN and EXISTS of a subquery that reads nothing of the rows around it.
fn is_test(expr: &Expr) -> bool {
    match expr {
        Expr::InSubquery(test) => test.subquery.outer_ref_columns.is_empty(),
        Expr::Exists(test) => test.subquery.outer_ref_columns.is_empty(),
        _ => false,
    }
}

/// The aggregate over rows that have the values of its subqueries.
fn below(aggregate: Aggregate, marks: &mut usize) -> Result<LogicalPlan> {
    let mut rows = Rows { input: aggregate.input.as_ref().clone(), marks };
    let mut found: Vec<Expr> = Vec::new();
    let mut calls = Vec::with_capacity(aggregate.aggr_expr.len());
    for call in aggregate.aggr_expr {
        let shown = call.schema_name().to_string();
        let read = rows.without_tests(call)?.transform_down(|part| match part {
            Expr::ScalarSubquery(_) => {
                let place = found.iter().position(|known| *known == part).unwrap_or(found.len());
                if place == found.len() {
                    found.push(part);
                }
                Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name(place)))))
            }
            other => Ok(Transformed::no(other)),
        })?;
        let is_same = read.data.schema_name().to_string() == shown;
        calls.push(if is_same { read.data } else { read.data.alias(shown) });
    }
    let mut columns: Vec<Expr> =
        rows.input.schema().columns().into_iter().map(Expr::Column).collect();
    let subqueries = found.into_iter().enumerate();
    columns.extend(subqueries.map(|(place, subquery)| subquery.alias(name(place))));
    let rows = LogicalPlan::Projection(Projection::try_new(columns, Arc::new(rows.input))?);
    Aggregate::try_new(Arc::new(rows), aggregate.group_expr, calls).map(LogicalPlan::Aggregate)
}

fn name(place: usize) -> String {
    format!("EXPR$S{place}")
}

/// Rows that get marks.
struct Rows<'m> {
    input: LogicalPlan,
    /// How many marks the statement has.
    marks: &'m mut usize,
}

impl Rows<'_> {
    /// The expression with marks and counts instead of IN and EXISTS.
    fn without_tests(&mut self, expr: Expr) -> Result<Expr> {
        let shown = expr.schema_name().to_string();
        let read = expr.transform_up(|part| match part {
            Expr::InSubquery(test) if test.subquery.outer_ref_columns.is_empty() => {
                self.is_in(test).map(Transformed::yes)
            }
            Expr::Exists(test) if test.subquery.outer_ref_columns.is_empty() => {
                let rows = counted(&test.subquery, lit(1_i64))?;
                let none = rows.eq(lit(0_i64));
                Ok(Transformed::yes(if test.negated { none } else { !none }))
            }
            other => Ok(Transformed::no(other)),
        })?;
        let is_aggregate = matches!(read.data, Expr::AggregateFunction(_) | Expr::Alias(_));
        Ok(match read.transformed && !is_aggregate {
            true => read.data.alias(shown),
            false => read.data,
        })
    }

    /// Unknown is what meets none, where null might have been it.
    fn is_in(&mut self, test: InSubquery) -> Result<Expr> {
        let name = format!("EXPR$M{}", self.marks);
        *self.marks += 1;
        let rows = LogicalPlanBuilder::from(test.subquery.subquery.as_ref().clone());
        let name = TableReference::bare(name);
        let rows = rows.alias(name.clone())?.build()?;
        let value = first_column(rows.schema());
        let left = std::mem::replace(&mut self.input, rows.clone());
        self.input = LogicalPlanBuilder::from(left)
            .join_on(rows, JoinType::LeftMark, [test.expr.as_ref().clone().eq(value)])?
            .build()?;
        let mark = Expr::Column(Column::new(Some(name), MARK));
        let of_subquery = first_column(test.subquery.subquery.schema());
        let all = counted(&test.subquery, lit(1_i64))?;
        let known = counted(&test.subquery, of_subquery)?;
        let met = when(mark, lit(true))
            .when(all.clone().eq(lit(0_i64)), lit(false))
            .when(test.expr.is_null().or(known.lt(all)), lit(ScalarValue::Boolean(None)))
            .otherwise(lit(false))?;
        Ok(if test.negated { !met } else { met })
    }
}

fn first_column(schema: &DFSchema) -> Expr {
    schema.columns().into_iter().next().map_or_else(|| lit(ScalarValue::Null), Expr::Column)
}

/// In how many rows of a subquery an expression is not null.
fn counted(subquery: &Subquery, expr: Expr) -> Result<Expr> {
    let rows = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone());
    let counted = rows.aggregate(Vec::<Expr>::new(), vec![count(expr)])?.build()?;
    Ok(scalar_subquery(Arc::new(counted)))
}
