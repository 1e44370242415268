//! The planner's rules, each asking before its work whether the statement may go on.

use std::any::Any;
use std::sync::Arc;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{AnalyzerRule, ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::{PhysicalOptimizerContext, PhysicalOptimizerRule};
use datafusion::physical_plan::ExecutionPlan;
use henge_expr::Stop;

use crate::watch::{Stage, Watch};

/// The watch of a statement, among the settings that all rules get.
#[derive(Debug, Clone)]
struct WatchSetting(Arc<dyn Watch>);

impl ConfigExtension for WatchSetting {
    const PREFIX: &'static str = "henge";
}

impl ExtensionOptions for WatchSetting {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        Err(DataFusionError::Configuration(format!("henge.{key} cannot be set")))
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

/// Puts the watch where rules find it.
pub(crate) fn watch_over(options: &mut ConfigOptions, watch: &Arc<dyn Watch>) {
    options.extensions.insert(WatchSetting(Arc::clone(watch)));
}

/// Whether the statement may go on.
///
/// # Errors
/// As [`Watch::check`].
pub(crate) fn check(watch: &dyn Watch, stage: Stage) -> Result<()> {
    watch.check(stage).map_err(|error| DataFusionError::External(Box::new(error)))
}

/// As [`check`], for whoever has the settings.
///
/// # Errors
/// As [`Watch::check`].
pub(crate) fn check_by(options: &ConfigOptions, stage: Stage) -> Result<()> {
    match options.extensions.get::<WatchSetting>() {
        Some(WatchSetting(watch)) => check(watch.as_ref(), stage),
        None => Ok(()),
    }
}

/// What stops the evaluation of expressions of a statement; `None` when nobody watches.
pub(crate) fn stop_of(options: &ConfigOptions) -> Option<Stop> {
    let WatchSetting(watch) = options.extensions.get::<WatchSetting>()?;
    let watch = Arc::clone(watch);
    let stop: Stop = Arc::new(move || watch.check(Stage::Run).is_err());
    Some(stop)
}

/// A rule that settles types.
#[derive(Debug)]
pub(super) struct WatchedAnalyzer(pub(super) Arc<dyn AnalyzerRule + Send + Sync>);

impl AnalyzerRule for WatchedAnalyzer {
    fn analyze(&self, plan: LogicalPlan, options: &ConfigOptions) -> Result<LogicalPlan> {
        check_by(options, Stage::Analyse)?;
        self.0.analyze(plan, options)
    }

    fn name(&self) -> &str {
        self.0.name()
    }
}

/// A rule that simplifies; it asks at each node of the plan.
#[derive(Debug)]
pub(super) struct WatchedOptimizer(pub(super) Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for WatchedOptimizer {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        check_by(&config.options(), Stage::Optimise)?;
        self.0.rewrite(plan, config)
    }
}

/// A rule over operators.
#[derive(Debug)]
pub(crate) struct WatchedPhysical(pub(crate) Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for WatchedPhysical {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        options: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        check_by(options, Stage::Schedule)?;
        self.0.optimize(plan, options)
    }

    fn optimize_with_context(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: &dyn PhysicalOptimizerContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        check_by(context.config_options(), Stage::Schedule)?;
        self.0.optimize_with_context(plan, context)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}
