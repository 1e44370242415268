//! [`CatalogTables`]: names of tables and functions, as DataFusion's planner asks for them.

use std::sync::{Arc, LazyLock};

use arrow_schema::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::functions_aggregate::planner::AggregateFunctionPlanner;
use datafusion::functions_window::all_default_window_functions;
use datafusion::functions_window::planner::WindowFunctionPlanner;
use datafusion::logical_expr::planner::{
    ContextProvider, ExprPlanner, RelationPlanner, TypePlanner,
};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use henge_query::closest_name;

use super::failure::known_or_not;
use super::relation::DruidRelations;
use super::watched::watch_over;
use super::windows::CountsAreLong;
use crate::catalog::Catalog;
use crate::functions::types::DruidTypes;
use crate::native::{NativeTable, lookup_table};
use crate::watch::Watch;
use crate::{aggregates, functions, information_schema};

static WINDOWS: LazyLock<Vec<Arc<WindowUDF>>> = LazyLock::new(all_default_window_functions);
static EXPR_PLANNERS: LazyLock<Vec<Arc<dyn ExprPlanner>>> = LazyLock::new(|| {
    let mut planners = functions::expr_planners();
    planners.push(Arc::new(AggregateFunctionPlanner));
    planners.push(Arc::new(CountsAreLong));
    planners.push(Arc::new(WindowFunctionPlanner));
    planners
});

/// The schema of datasources.
const DRUID: &str = "druid";

/// The catalogue and the functions.
pub(crate) struct CatalogTables {
    catalog: Arc<dyn Catalog>,
    options: Arc<ConfigOptions>,
    relations: Vec<Arc<dyn RelationPlanner>>,
}

impl CatalogTables {
    pub(crate) fn new(catalog: Arc<dyn Catalog>, watch: &Arc<dyn Watch>) -> Self {
        let mut options = ConfigOptions::new();
        watch_over(&mut options, watch);
        options.optimizer.skip_failed_rules = false;
        options.sql_parser.default_null_ordering = "nulls_min".to_owned();
        let relations: Vec<Arc<dyn RelationPlanner>> =
            vec![Arc::new(DruidRelations::new(Arc::clone(&catalog), Arc::clone(watch)))];
        Self { catalog, options: Arc::new(options), relations }
    }

    /// The planner's settings.
    pub(crate) fn config(&self) -> Arc<ConfigOptions> {
        Arc::clone(&self.options)
    }

    fn provider(&self, schema: &str, table: &str) -> Result<Arc<dyn TableProvider>> {
        if schema.eq_ignore_ascii_case(information_schema::NAME) {
            return information_schema::table(table, self.catalog.as_ref());
        }
        match schema {
            DRUID => self.datasource(table),
            "lookup" => match self.catalog.lookup(table) {
                Some(entries) => lookup_table(&entries),
                None => Err(no_table(table, &self.catalog.lookup_names(), "lookup ")),
            },
            "sys" => match information_schema::system_schema(table) {
                Some(columns) => Ok(Arc::new(NativeTable::system(table, columns))),
                None => {
                    let names = information_schema::system_tables().map(str::to_owned);
                    Err(no_table(table, &names.collect::<Vec<_>>(), "system table "))
                }
            },
            _ => {
                let known = [DRUID, "lookup", information_schema::NAME, "sys"];
                let message = known_or_not("schema", schema, known);
                Err(DataFusionError::Plan(message))
            }
        }
    }

    fn datasource(&self, name: &str) -> Result<Arc<dyn TableProvider>> {
        match self.catalog.table(name) {
            Some(table) => Ok(Arc::new(NativeTable::datasource(&table))),
            None => Err(no_table(name, &self.catalog.table_names(), "table ")),
        }
    }
}

/// Datasources whose names nobody is to see.
pub(crate) fn is_private(name: &str) -> bool {
    name.starts_with("__")
}

/// What to say of a table that is not there.
pub(super) fn no_table(name: &str, known: &[String], kind: &str) -> DataFusionError {
    let near = closest_name(name, known.iter().map(String::as_str));
    let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    let kind = kind.trim_end();
    DataFusionError::Plan(format!("{kind} '{name}' is not known{hint}"))
}

impl ContextProvider for CatalogTables {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let schema = name.schema().unwrap_or(DRUID);
        if let Some(catalog) = name.catalog().filter(|catalog| *catalog != DRUID) {
            return Err(DataFusionError::Plan(known_or_not("catalog", catalog, [DRUID])));
        }
        self.provider(schema, name.table()).map(provider_as_source)
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &EXPR_PLANNERS
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relations
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(DruidTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        functions::scalar(name)
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        aggregates::aggregate(name)
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        WINDOWS.iter().find(|function| function.name() == name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        functions::scalars().iter().map(|function| function.name().to_owned()).collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        aggregates::all().iter().map(|function| function.name().to_owned()).collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        WINDOWS.iter().map(|function| function.name().to_owned()).collect()
    }
}
