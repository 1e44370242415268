//! What may stand in FROM beside tables: UNNEST over what stands before it, `TABLE(APPEND(..))`.

use std::sync::Arc;

use datafusion::common::{
    Column, DFSchema, DataFusionError, NullHandling, Result, TableReference, UnnestOptions,
};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, FunctionArguments, Join, JoinConstraint,
    JoinOperator, TableAlias, TableFactor, Value,
};

use super::context::no_table;
use super::watched::check;
use crate::catalog::{Catalog, Table};
use crate::functions;
use crate::functions::types::{is_array, is_text};
use crate::native::NativeTable;
use crate::watch::{Stage, Watch};

/// Name of an UNNEST that has none.
const UNNAMED: &str = "EXPR$U";

/// The values of a column of several as an array.
const MV_TO_ARRAY: &str = "mv_to_array";

/// Plans Druid's relations.
#[derive(Debug)]
pub(super) struct DruidRelations {
    catalog: Arc<dyn Catalog>,
    watch: Arc<dyn Watch>,
}

impl DruidRelations {
    pub(super) fn new(catalog: Arc<dyn Catalog>, watch: Arc<dyn Watch>) -> Self {
        Self { catalog, watch }
    }

    /// `APPEND('a', 'b')`
    fn append(&self, names: &[String]) -> Result<LogicalPlan> {
        let table = |name: &String| {
            let no_table = || no_table(name, &self.catalog.table_names(), "table ");
            self.catalog.table(name).ok_or_else(no_table)
        };
        let tables = names.iter().map(table).collect::<Result<Vec<Arc<Table>>>>()?;
        let source = provider_as_source(Arc::new(NativeTable::union(&tables)));
        LogicalPlanBuilder::scan(TableReference::bare("APPEND"), source, None)?.build()
    }
}

impl RelationPlanner for DruidRelations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        check(self.watch.as_ref(), Stage::Resolve)?;
        match relation {
            TableFactor::TableFunction { expr, alias } => {
                let plan = self.append(&appended(&expr)?)?;
                Ok(planned(plan, alias))
            }
            TableFactor::NestedJoin { mut table_with_joins, alias } => {
                match table_with_joins.joins.as_slice() {
                    [Join { relation: TableFactor::UNNEST { .. }, .. }] => {
                        let join = table_with_joins.joins.remove(0);
                        let input = context.plan(table_with_joins.relation)?;
                        Ok(planned(unnest(input, join, context)?, alias))
                    }
                    _ => {
                        let nested = TableFactor::NestedJoin { table_with_joins, alias };
                        Ok(RelationPlanning::Original(Box::new(nested)))
                    }
                }
            }
            other => Ok(RelationPlanning::Original(Box::new(other))),
        }
    }
}

fn planned(plan: LogicalPlan, alias: Option<TableAlias>) -> RelationPlanning {
    RelationPlanning::Planned(Box::new(PlannedRelation { plan, alias }))
}

/// The datasources that `APPEND` names.
fn appended(expr: &SqlExpr) -> Result<Vec<String>> {
    let wrong = || {
        let message = "only TABLE(APPEND('a', 'b')) may stand here: tables from elsewhere are \
                       loaded through /druid/indexer/v1/task";
        DataFusionError::Plan(message.to_owned())
    };
    let SqlExpr::Function(function) = expr else { return Err(wrong()) };
    let FunctionArguments::List(list) = &function.args else { return Err(wrong()) };
    if !function.name.to_string().eq_ignore_ascii_case("append") || list.args.is_empty() {
        return Err(wrong());
    }
    let name = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlExpr::Value(value))) => match &value.value {
            Value::SingleQuotedString(name) => Some(name.clone()),
            _ => None,
        },
        _ => None,
    };
    list.args.iter().map(name).collect::<Option<Vec<_>>>().ok_or_else(wrong)
}

/// The rows of `input`, each once for every element of its array.
fn unnest(
    input: LogicalPlan,
    join: Join,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let (is_left, constraint) = match join.join_operator {
        JoinOperator::CrossJoin(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Join(constraint) => (false, constraint),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (true, constraint),
        _ => return Err(unsupported("UNNEST is joined by CROSS, INNER or LEFT JOIN")),
    };
    let (array, alias) = one_array(join.relation)?;
    let array = context.sql_to_expr(array, input.schema())?;
    let array = as_array(array, input.schema())?;
    // A column of several values that has none counts as one that is null.
    let keeps_empty = is_left || is_multi_value(&array);
    let name = alias.as_ref().map_or(UNNAMED, |alias| alias.name.value.as_str()).to_owned();
    let column = alias.as_ref().and_then(|alias| alias.columns.first());
    let column = column.map_or("EXPR$0", |column| column.name.value.as_str()).to_owned();
    let unnested = Column::new(Some(TableReference::bare(name.clone())), column.clone());
    let mut outputs: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    outputs.push(array.alias_qualified(Some(TableReference::bare(name)), column));
    let null_handling =
        if keeps_empty { NullHandling::PreserveAndExpandEmpty } else { NullHandling::Drop };
    let options = UnnestOptions { null_handling, ..UnnestOptions::default() };
    let plan = LogicalPlanBuilder::from(input)
        .project(outputs)?
        .unnest_columns_with_options(vec![unnested.clone()], options)?
        .build()?;
    where_joined(qualified(plan, unnested)?, constraint, is_left, context)
}

/// What UNNEST takes, and what it is called.
fn one_array(relation: TableFactor) -> Result<(SqlExpr, Option<TableAlias>)> {
    let TableFactor::UNNEST { alias, mut array_exprs, with_offset, with_ordinality, .. } = relation
    else {
        return Err(unsupported("UNNEST is missing"));
    };
    if with_offset || with_ordinality {
        return Err(unsupported(
            "UNNEST gives no positions: leave out WITH OFFSET and WITH ORDINALITY",
        ));
    }
    match (array_exprs.pop(), array_exprs.is_empty()) {
        (Some(array), true) => Ok((array, alias)),
        _ => Err(unsupported("UNNEST takes one array")),
    }
}

/// The rows for which the join's condition holds.
fn where_joined(
    plan: LogicalPlan,
    constraint: JoinConstraint,
    is_left: bool,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    match constraint {
        JoinConstraint::None => Ok(plan),
        JoinConstraint::On(condition) if is_left && !is_true(&condition) => {
            Err(unsupported("LEFT JOIN UNNEST(..) is ON TRUE; put conditions into WHERE"))
        }
        JoinConstraint::On(condition) => {
            let condition = context.sql_to_expr(condition, plan.schema())?;
            LogicalPlanBuilder::from(plan).filter(condition)?.build()
        }
        _ => Err(unsupported("UNNEST is joined ON TRUE")),
    }
}

/// The array itself, or the values of a column of several.
fn as_array(array: Expr, schema: &DFSchema) -> Result<Expr> {
    let data_type = array.get_type(schema)?;
    match functions::scalar(MV_TO_ARRAY) {
        _ if is_array(&data_type) => Ok(array),
        Some(function) if is_text(&data_type) => Ok(function.call(vec![array])),
        _ => Err(DataFusionError::Plan(format!("UNNEST takes an array, not {data_type}"))),
    }
}

fn is_multi_value(array: &Expr) -> bool {
    matches!(array, Expr::ScalarFunction(call) if call.func.name() == MV_TO_ARRAY)
}

/// The plan with the unnested column, its last, called as it was asked for.
fn qualified(plan: LogicalPlan, unnested: Column) -> Result<LogicalPlan> {
    let mut columns = plan.schema().columns();
    match columns.pop() {
        Some(last) if last != unnested => {
            let mut outputs: Vec<Expr> = columns.into_iter().map(Expr::Column).collect();
            outputs.push(Expr::Column(last).alias_qualified(unnested.relation, unnested.name));
            LogicalPlanBuilder::from(plan).project(outputs)?.build()
        }
        _ => Ok(plan),
    }
}

fn is_true(condition: &SqlExpr) -> bool {
    matches!(condition, SqlExpr::Value(value) if value.value == Value::Boolean(true))
}

fn unsupported(message: &str) -> DataFusionError {
    DataFusionError::NotImplemented(message.to_owned())
}
