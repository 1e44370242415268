//! The walk over a plan, from its leaves.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::source_as_provider;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, Filter, LogicalPlan, Projection, TableScan,
};
use henge_types::TIME_COLUMN;

use super::draft::{Draft, is_virtual_name, table_outputs};
use super::scope::{Output, RowScope};
use super::union::union;
use super::{Lowering, Reason, below};
use crate::aggregates;
use crate::functions::expression::Refusal;
use crate::native::{DRUID_TYPE, MULTI_VALUE, NativeTable};
use crate::plan::check;
use crate::watch::Stage;

/// What an operator and what it calls need of the stack.
const LEAST_STACK_BYTES: usize = 256 << 10;
/// What the stack grows by.
const MORE_STACK_BYTES: usize = 4 << 20;

/// A part of a plan.
enum Part {
    /// As a native query so far.
    Draft(Box<Draft>),
    /// As it is, with native queries below.
    Plan(LogicalPlan),
}

impl Part {
    fn finish(self) -> Result<LogicalPlan> {
        match self {
            Self::Draft(draft) => draft.finish(),
            Self::Plan(plan) => Ok(plan),
        }
    }
}

pub(super) fn lower(
    plan: &LogicalPlan,
    lowering: &Lowering<'_>,
) -> Result<(LogicalPlan, Vec<Reason>)> {
    let mut walk = Walk { lowering, reasons: Vec::new() };
    let plan = walk.part(plan)?.finish()?;
    Ok((plan, walk.reasons))
}

struct Walk<'l> {
    lowering: &'l Lowering<'l>,
    reasons: Vec<Reason>,
}

impl Walk<'_> {
    /// On a stack that grows with the plan.
    fn part(&mut self, plan: &LogicalPlan) -> Result<Part> {
        check(self.lowering.watch, Stage::Lower)?;
        stacker::maybe_grow(LEAST_STACK_BYTES, MORE_STACK_BYTES, || self.operator(plan))
    }

    fn operator(&mut self, plan: &LogicalPlan) -> Result<Part> {
        match plan {
            LogicalPlan::TableScan(scan) => {
                Ok(self.scan(scan).unwrap_or_else(|| Part::Plan(plan.clone())))
            }
            LogicalPlan::SubqueryAlias(alias) => match self.part(&alias.input)? {
                Part::Draft(mut draft) => {
                    draft.schema = Arc::clone(&alias.schema);
                    draft.fallback = draft.fallback.map(|below| over(plan, below)).transpose()?;
                    Ok(Part::Draft(draft))
                }
                Part::Plan(input) => over(plan, input).map(Part::Plan),
            },
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Aggregate(_) => self.unary(plan),
            LogicalPlan::Union(_) => self.union(plan),
            _ => self.opaque(plan),
        }
    }

    /// A scan of a datasource begins a draft.
    fn scan(&mut self, scan: &TableScan) -> Option<Part> {
        if !self.lowering.flag("henge.lower", true) {
            return None;
        }
        let provider = source_as_provider(&scan.source).ok()?;
        let table = provider.downcast_ref::<NativeTable>()?;
        let data_source = table.data_source()?.clone();
        let whole = scan.source.schema();
        let whole = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &whole).ok()?;
        let outputs = table_outputs(&scan.projected_schema);
        let mut draft = Draft::new(data_source, None, outputs, Arc::clone(&scan.projected_schema));
        draft.base.names_taken = whole.fields().iter().any(|field| is_virtual_name(field.name()));
        draft.approximate_top_n = self.lowering.flag("useApproximateTopN", true);
        draft.decides_empty_buckets = self.lowering.setting("skipEmptyBuckets").is_some();
        let columns = table_outputs(&whole);
        let scope = RowScope { outputs: &columns, schema: &whole, lowering: self.lowering };
        if let Err(refusal) = draft.filter_within(&scan.filters, &scope) {
            self.refuse("TableScan", &refusal);
            return None;
        }
        draft.limit = scan.fetch.filter(|fetch| *fetch > 0);
        Some(Part::Draft(Box::new(draft)))
    }

    /// An operator over one input is taken into the input's draft.
    fn unary(&mut self, plan: &LogicalPlan) -> Result<Part> {
        let inputs = plan.inputs();
        let input = match inputs.as_slice() {
            [input] => self.part(input)?,
            _ => return self.opaque(plan),
        };
        let mut draft = match input {
            Part::Draft(draft) => draft,
            Part::Plan(input) => return self.over_plan(plan, input),
        };
        let fallback = match (&draft.fallback, plan) {
            (Some(below), _) => Some(over(plan, below.clone())?),
            (None, LogicalPlan::Aggregate(aggregate)) if has_sets(aggregate) => {
                Some(over(plan, draft.clone().finish()?)?)
            }
            _ => None,
        };
        match self.take(&mut draft, plan) {
            Ok(()) => {
                draft.fallback = fallback.filter(|_| draft.is_incomplete());
                Ok(Part::Draft(draft))
            }
            Err(refusal) => {
                self.refuse(name(plan), &refusal);
                let input = draft.finish()?;
                self.over_plan(plan, input)
            }
        }
    }

    fn take(&self, draft: &mut Draft, plan: &LogicalPlan) -> Result<(), Refusal> {
        match plan {
            LogicalPlan::Projection(Projection { expr, schema, .. }) => {
                draft.project(expr, schema, self.lowering)
            }
            LogicalPlan::Filter(Filter { predicate, .. }) => draft.filter(predicate, self.lowering),
            LogicalPlan::Sort(sort) => draft.sort(sort, self.lowering),
            LogicalPlan::Limit(limit) => draft.limit(limit),
            LogicalPlan::Aggregate(aggregate) => draft.group(aggregate, self.lowering),
            _ => Err(Refusal::new("native queries have nothing like it")),
        }
    }

    /// An operator over rows that no draft gives. Aggregates that only native queries compute are asked over them, and
    /// groups of columns that may hold several values, each of which is a group, or pairs.
    fn over_plan(&mut self, plan: &LogicalPlan, input: LogicalPlan) -> Result<Part> {
        if let LogicalPlan::Aggregate(aggregate) = plan {
            let is_needed = aggregate.aggr_expr.iter().any(is_native_only);
            if is_needed || groups_natively(aggregate) {
                let mut draft = self.draft_over(aggregate, input.clone())?;
                match draft.group(aggregate, self.lowering) {
                    Ok(()) => return Ok(Part::Draft(Box::new(draft))),
                    Err(refusal) if is_needed => {
                        return self.over_computed(aggregate, &input, refusal);
                    }
                    Err(refusal) => self.refuse(name(plan), &refusal),
                }
            }
        }
        self.keep(plan, vec![input])
    }

    /// An aggregate that nobody else computes, and that was refused, over rows that have what it reads as columns.
    fn over_computed(
        &self,
        aggregate: &Aggregate,
        input: &LogicalPlan,
        refusal: Refusal,
    ) -> Result<Part> {
        let Some((over, rows)) = below::computed(aggregate, input)? else {
            return Err(DataFusionError::Plan(refusal.reason));
        };
        let mut draft = self.draft_over(&over, rows)?;
        match draft.group(&over, self.lowering) {
            Ok(()) => Ok(Part::Draft(Box::new(draft))),
            Err(refusal) => Err(DataFusionError::Plan(refusal.reason)),
        }
    }

    /// A draft over the columns of a plan that an aggregate reads, under names of their own.
    fn draft_over(&self, aggregate: &Aggregate, input: LogicalPlan) -> Result<Draft> {
        let schema = Arc::clone(input.schema());
        let read: HashSet<&Column> = aggregate
            .group_expr
            .iter()
            .chain(&aggregate.aggr_expr)
            .flat_map(Expr::column_refs)
            .collect();
        let places: HashSet<usize> =
            read.into_iter().filter_map(|column| schema.maybe_index_of_column(column)).collect();
        let mut outputs = vec![Output::missing(); schema.fields().len()];
        let mut columns = Vec::new();
        let mut has_time = false;
        for (place, (qualifier, field)) in schema.iter().enumerate() {
            let is_time = field.name() == TIME_COLUMN && !has_time;
            if !is_time && !places.contains(&place) {
                continue;
            }
            has_time |= is_time;
            let own = if is_time { TIME_COLUMN.to_owned() } else { format!("c{place}") };
            outputs[place] = Output::column(&own);
            columns.push(Expr::Column(Column::from((qualifier, field))).alias(own));
        }
        let rows = LogicalPlan::Projection(Projection::try_new(columns, Arc::new(input))?);
        let mut draft = Draft::new("rows".into(), Some(rows), outputs, schema);
        draft.approximate_top_n = false;
        Ok(draft)
    }

    fn union(&mut self, plan: &LogicalPlan) -> Result<Part> {
        let inputs = plan.inputs().into_iter();
        let parts = inputs.map(|input| self.part(input)).collect::<Result<Vec<_>>>()?;
        let drafts: Option<Vec<Draft>> = parts
            .iter()
            .map(|part| match part {
                Part::Draft(draft) => Some(draft.as_ref().clone()),
                Part::Plan(_) => None,
            })
            .collect();
        if let Some(draft) = drafts.and_then(|drafts| union(&drafts, plan.schema())) {
            return Ok(Part::Draft(Box::new(draft)));
        }
        let refusal = Refusal::new("what it puts together is more than columns of tables");
        self.refuse(name(plan), &refusal);
        let inputs = parts.into_iter().map(Part::finish).collect::<Result<Vec<_>>>()?;
        self.keep(plan, inputs)
    }

    /// An operator that native queries do not have.
    fn opaque(&mut self, plan: &LogicalPlan) -> Result<Part> {
        if !plan.inputs().is_empty() {
            self.refuse(name(plan), &Refusal::new("native queries have nothing like it"));
        }
        let lowered = plan
            .clone()
            .map_children(|input| Ok(Transformed::yes(self.part(&input)?.finish()?)))?;
        self.with_subqueries(lowered.data)
    }

    /// The operator over other inputs.
    fn keep(&mut self, plan: &LogicalPlan, inputs: Vec<LogicalPlan>) -> Result<Part> {
        self.with_subqueries(plan.with_new_exprs(plan.expressions(), inputs)?)
    }

    /// Subqueries in the expressions of an operator are lowered by themselves.
    fn with_subqueries(&mut self, plan: LogicalPlan) -> Result<Part> {
        let lowered = plan.map_subqueries(|subquery| match subquery {
            LogicalPlan::Subquery(mut subquery) => {
                let inner = self.part(&subquery.subquery)?.finish()?;
                subquery.subquery = Arc::new(inner);
                Ok(Transformed::yes(LogicalPlan::Subquery(subquery)))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(Part::Plan(lowered.data))
    }

    fn refuse(&mut self, operator: &str, refusal: &Refusal) {
        let reason = Reason { operator: operator.to_owned(), reason: refusal.reason.clone() };
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }
}

fn over(plan: &LogicalPlan, input: LogicalPlan) -> Result<LogicalPlan> {
    plan.with_new_exprs(plan.expressions(), vec![input])
}

fn has_sets(aggregate: &Aggregate) -> bool {
    matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)])
}

/// Whether a group is of values of which a row may have several, or of the values of pairs.
fn groups_natively(aggregate: &Aggregate) -> bool {
    let schema = aggregate.input.schema();
    aggregate.group_expr.iter().any(|key| {
        let Ok((_, field)) = key.to_field(schema) else { return false };
        let object = field.metadata().get(DRUID_TYPE);
        field.metadata().contains_key(MULTI_VALUE)
            || object.is_some_and(|object| aggregates::pair_value(object).is_some())
    })
}

fn is_native_only(call: &Expr) -> bool {
    match call {
        Expr::Alias(alias) => is_native_only(&alias.expr),
        Expr::AggregateFunction(call) => !aggregates::runs_on_datafusion(&call.func),
        _ => false,
    }
}

/// What an operator is called in a refusal.
fn name(plan: &LogicalPlan) -> &'static str {
    match plan {
        LogicalPlan::Projection(_) => "Projection",
        LogicalPlan::Filter(_) => "Filter",
        LogicalPlan::Window(_) => "Window",
        LogicalPlan::Aggregate(_) => "Aggregate",
        LogicalPlan::Sort(_) => "Sort",
        LogicalPlan::Join(_) => "Join",
        LogicalPlan::Union(_) => "Union",
        LogicalPlan::Subquery(_) => "Subquery",
        LogicalPlan::Limit(_) => "Limit",
        LogicalPlan::Distinct(_) => "Distinct",
        LogicalPlan::Unnest(_) => "Unnest",
        LogicalPlan::RecursiveQuery(_) => "RecursiveQuery",
        _ => "Operator",
    }
}
