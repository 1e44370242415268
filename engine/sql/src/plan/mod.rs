//! A rewritten query to DataFusion's logical plan, with names looked up, types settled and only those rules applied
//! that keep shapes recognisable to lowering.

mod context;
mod failure;
mod optimise;
mod outputs;
mod relation;
mod several;
mod simplify;
mod subqueries;
#[cfg(test)]
mod tests;
mod watched;
mod windows;

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::planner::{NullOrdering, ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast::{Query, Statement};

use crate::catalog::Catalog;
use crate::dialect;
use crate::error::Result;
use crate::functions;
use crate::session::SqlColumn;
use crate::watch::{Stage, Watch};

pub(crate) use context::{CatalogTables, is_private};
pub(crate) use failure::sql_error;
pub(crate) use outputs::{column, columns};
pub(crate) use watched::{WatchedPhysical, check, check_by, stop_of, watch_over};

/// A plan whose names and types are settled.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// The plan.
    pub plan: LogicalPlan,
    /// Its outputs.
    pub columns: Vec<SqlColumn>,
}

/// Plans a query over the catalogue's tables; `outer_limit` cuts its rows, constants are computed in `zone`.
///
/// # Errors
/// When a name is not known or types do not fit, with the place where that shows.
pub(crate) fn plan(
    query: Box<Query>,
    catalog: &Arc<dyn Catalog>,
    outer_limit: Option<usize>,
    zone: Option<&str>,
    watch: &Arc<dyn Watch>,
) -> Result<Planned> {
    let (plan, options) = unoptimised(query, catalog, watch)?;
    let mut options = options.as_ref().clone();
    options.execution.time_zone = zone.map(str::to_owned);
    let options = Arc::new(options);
    let plan = match outer_limit {
        Some(limit) => {
            LogicalPlanBuilder::from(plan).limit(0, Some(limit)).and_then(LogicalPlanBuilder::build)
        }
        None => Ok(plan),
    };
    let plan = plan.and_then(|plan| optimise::analyse(plan, &options)).map_err(sql_error)?;
    let columns = columns(plan.schema())?;
    let plan = subqueries::placed(plan)
        .and_then(|plan| optimise::optimise(plan, options))
        .map_err(sql_error)?;
    Ok(Planned { plan, columns })
}

/// The outputs of a query and the types of its parameters, which have no values yet.
///
/// # Errors
/// As [`plan`].
pub(crate) fn describe(
    query: Box<Query>,
    catalog: &Arc<dyn Catalog>,
    parameters: usize,
    watch: &Arc<dyn Watch>,
) -> Result<(Vec<SqlColumn>, Vec<SqlColumn>)> {
    let (plan, options) = unoptimised(query, catalog, watch)?;
    let plan = optimise::analyse(plan, &options).map_err(sql_error)?;
    let types = plan.get_parameter_fields().map_err(sql_error)?;
    let parameters = (1..=parameters).map(|number| {
        let name = format!("${number}");
        outputs::parameter(&format!("?{}", number - 1), types.get(&name).cloned().flatten())
    });
    Ok((columns(plan.schema())?, parameters.collect()))
}

fn unoptimised(
    mut query: Box<Query>,
    catalog: &Arc<dyn Catalog>,
    watch: &Arc<dyn Watch>,
) -> Result<(LogicalPlan, Arc<ConfigOptions>)> {
    watch.check(Stage::Resolve)?;
    dialect::tell_apart(&mut query);
    let context = CatalogTables::new(Arc::clone(catalog), watch);
    let options = ParserOptions::new()
        .with_enable_ident_normalization(false)
        .with_map_string_types_to_utf8view(false)
        .with_collect_spans(true)
        .with_default_null_ordering(NullOrdering::NullsMin);
    let planner = SqlToRel::new_with_options(&context, options);
    let plan = planner
        .sql_statement_to_plan(Statement::Query(query))
        .and_then(|plan| functions::lookups::inline(plan, catalog.as_ref()))
        .map_err(sql_error)?;
    Ok((plan, context.config()))
}
