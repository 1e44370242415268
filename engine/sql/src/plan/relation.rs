//! What may stand in FROM beside tables: UNNEST over what stands before it, `TABLE(APPEND(..))`.

use std::sync::Arc;

use datafusion::common::{
    Column, DataFusionError, NullHandling, Result, TableReference, UnnestOptions,
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
use crate::catalog::{Catalog, Table};
use crate::functions::types::is_array;
use crate::native::NativeTable;

/// Name of an UNNEST that has none.
const UNNAMED: &str = "EXPR$U";

/// Plans Druid's relations.
#[derive(Debug)]
pub(super) struct DruidRelations {
    catalog: Arc<dyn Catalog>,
}

impl DruidRelations {
    pub(super) fn new(catalog: Arc<dyn Catalog>) -> Self {
        Self { catalog }
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
    let (keeps_empty, constraint) = match join.join_operator {
        JoinOperator::CrossJoin(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Join(constraint) => (false, constraint),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (true, constraint),
        _ => return Err(unsupported("UNNEST is joined by CROSS, INNER or LEFT JOIN")),
    };
    let TableFactor::UNNEST { alias, mut array_exprs, with_offset, with_ordinality, .. } =
        join.relation
    else {
        return Err(unsupported("UNNEST is missing"));
    };
    if with_offset || with_ordinality {
        return Err(unsupported(
            "UNNEST gives no positions: leave out WITH OFFSET and WITH ORDINALITY",
        ));
    }
    let (Some(array), true) = (array_exprs.pop(), array_exprs.is_empty()) else {
        return Err(unsupported("UNNEST takes one array"));
    };
    let array = context.sql_to_expr(array, input.schema())?;
    let data_type = array.get_type(input.schema())?;
    if !is_array(&data_type) {
        let message = "UNNEST takes an array; write UNNEST(MV_TO_ARRAY(column)) for a column of \
                       several values";
        return Err(DataFusionError::Plan(message.to_owned()));
    }
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
        .unnest_columns_with_options(vec![unnested], options)?
        .build()?;
    match constraint {
        JoinConstraint::None => Ok(plan),
        JoinConstraint::On(condition) if keeps_empty && !is_true(&condition) => {
            Err(unsupported("LEFT JOIN UNNEST(..) is ON TRUE; put conditions into WHERE"))
        }
        JoinConstraint::On(condition) => {
            let condition = context.sql_to_expr(condition, plan.schema())?;
            LogicalPlanBuilder::from(plan).filter(condition)?.build()
        }
        _ => Err(unsupported("UNNEST is joined ON TRUE")),
    }
}

fn is_true(condition: &SqlExpr) -> bool {
    matches!(condition, SqlExpr::Value(value) if value.value == Value::Boolean(true))
}

fn unsupported(message: &str) -> DataFusionError {
    DataFusionError::NotImplemented(message.to_owned())
}
