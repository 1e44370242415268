//! Plans to rows: DataFusion's physical plan with native queries as leaves, in one pool of memory for all
//! statements, spilling to one folder, watched over by its statement.
//!
//! | module | holds |
//! | --- | --- |
//! | `memory` | [`memory::StatementPool`]: the memory of operators, in the account of their statement |
//! | `watched`, `guard`, `condition` | operators that end soon after their statement may not go on |
//! | `windows` | what windows hold |
//! | `conform` | rows as they were announced |

mod condition;
mod conform;
mod guard;
mod memory;
#[cfg(test)]
mod tests;
mod ties;
mod watched;
mod windows;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionConfig;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use self::memory::StatementPool;
use self::watched::watched;
use crate::error::Result;
use crate::native::{Asker, NativeNode, NativePlanner};
use crate::plan::{WatchedPhysical, sql_error, watch_over};
use crate::session::{SqlColumn, SqlOptions};
use crate::watch::{Stage, Watch};

/// Rows of a batch between operators.
const BATCH_ROWS: usize = 8_192;

type PhysicalRule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

static RULES: LazyLock<Vec<PhysicalRule>> = LazyLock::new(|| {
    let rules = PhysicalOptimizer::new().rules.into_iter();
    rules.map(|rule| Arc::new(WatchedPhysical(rule)) as PhysicalRule).collect()
});

/// What the statements of one engine share.
pub(crate) struct Shared<'e> {
    pub(crate) runtime: Arc<RuntimeEnv>,
    pub(crate) options: &'e SqlOptions,
}

/// The memory and the temporary files of all statements.
///
/// # Errors
/// When the folder to spill to cannot be used.
pub(crate) fn runtime(options: &SqlOptions) -> Result<Arc<RuntimeEnv>> {
    let mode = match &options.spill_folder {
        Some(folder) if options.spill_bytes > 0 => {
            DiskManagerMode::Directories(vec![folder.clone()])
        }
        _ => DiskManagerMode::Disabled,
    };
    let files = DiskManagerBuilder::default()
        .with_mode(mode)
        .with_max_temp_directory_size(options.spill_bytes);
    let builder = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)))
        .with_disk_manager_builder(files);
    builder.build_arc().map_err(sql_error)
}

/// How a plan is run: on so many threads, its functions in this zone (UTC when there is none).
pub(crate) fn session(partitions: usize, zone: Option<&str>) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions.max(1))
        .with_batch_size(BATCH_ROWS)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    let execution = &mut config.options_mut().execution;
    execution.time_zone = zone.map(str::to_owned);
    // CASE over expressions is told to be nullable by its operator where its plan tells otherwise.
    execution.skip_physical_aggregate_schema_check = true;
    config
}

/// Runs a plan until its first rows are there.
///
/// # Errors
/// When the plan cannot be run, fails before its first row, or may not go on.
pub(crate) async fn start(
    plan: &LogicalPlan,
    columns: &[SqlColumn],
    asker: Asker,
    shared: &Shared<'_>,
    zone: Option<&str>,
    watch: Arc<dyn Watch>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    watch.check(Stage::Schedule)?;
    let (physical, task) = physical(plan, asker, shared, zone, &watch).await?;
    watch.check(Stage::Run)?;
    let rows = execute_stream(physical, task).map_err(sql_error)?;
    let columns = conform::schema(columns);
    let mut rows = rows
        .map(move |batch| batch.and_then(|batch| conform::batch(&batch, &columns)))
        .map_err(sql_error)
        .boxed();
    let first = rows.try_next().await?;
    Ok(stream::iter(first.map(Ok)).chain(rows).boxed())
}

async fn physical(
    plan: &LogicalPlan,
    asker: Asker,
    shared: &Shared<'_>,
    zone: Option<&str>,
    watch: &Arc<dyn Watch>,
) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
    let mut config = session(shared.options.partitions, zone).with_extension(Arc::new(asker));
    let runtime = Arc::clone(&shared.runtime);
    if let Some(leaf) = NativeNode::leaf(plan) {
        return Ok((leaf, Arc::new(plain_task(config, runtime))));
    }
    watch_over(config.options_mut(), watch);
    let pool = StatementPool::new(Arc::clone(&runtime.memory_pool), Arc::clone(watch));
    let runtime = RuntimeEnvBuilder::from_runtime_env(&runtime)
        .with_memory_pool(Arc::new(pool))
        .build_arc()
        .map_err(sql_error)?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_physical_optimizer_rules(RULES.clone())
        .build();
    let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(NativePlanner)]);
    let physical = planner.create_physical_plan(plan, &state).await;
    let physical = physical.and_then(ties::settled).map_err(sql_error)?;
    let physical = watched(physical, watch).map_err(sql_error)?;
    Ok((physical, state.task_ctx()))
}

/// What the one operator of a plan needs that is a native query and nothing else.
fn plain_task(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> TaskContext {
    let (scalar, higher_order) = (HashMap::new(), HashMap::new());
    let (aggregate, window) = (HashMap::new(), HashMap::new());
    TaskContext::new(None, String::new(), config, scalar, higher_order, aggregate, window, runtime)
}
