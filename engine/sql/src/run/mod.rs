//! Plans to rows: DataFusion's physical plan with native queries as leaves, in one pool of memory for all
//! statements, spilling to one folder.

mod conform;
mod ties;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionConfig;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::error::Result;
use crate::native::{Asker, NativeNode, NativePlanner};
use crate::plan::sql_error;
use crate::session::{SqlColumn, SqlOptions};

/// Rows of a batch between operators.
const BATCH_ROWS: usize = 8_192;

/// What the statements of one process share.
///
/// # Errors
/// When the folder to spill to cannot be used.
pub(crate) fn runtime(options: &SqlOptions) -> Result<Arc<RuntimeEnv>> {
    let mode = match &options.spill_folder {
        Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
        None => DiskManagerMode::Disabled,
    };
    let builder = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode));
    builder.build_arc().map_err(sql_error)
}

/// How a plan is run: on so many threads, its functions in this zone (UTC when there is none).
pub(crate) fn session(partitions: usize, zone: Option<&str>) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions.max(1))
        .with_batch_size(BATCH_ROWS)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    config.options_mut().execution.time_zone = zone.map(str::to_owned);
    config
}

/// Runs a plan until its first rows are there.
///
/// # Errors
/// When the plan cannot be run, or fails before its first row.
pub(crate) async fn start(
    plan: &LogicalPlan,
    columns: &[SqlColumn],
    asker: Asker,
    runtime: Arc<RuntimeEnv>,
    session: SessionConfig,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let (physical, task) = physical(plan, asker, runtime, session).await?;
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
    runtime: Arc<RuntimeEnv>,
    session: SessionConfig,
) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
    let config = session.with_extension(Arc::new(asker));
    if let Some(leaf) = NativeNode::leaf(plan) {
        return Ok((leaf, Arc::new(plain_task(config, runtime))));
    }
    let state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).build();
    let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(NativePlanner)]);
    let physical = planner.create_physical_plan(plan, &state).await;
    let physical = physical.and_then(ties::settled).map_err(sql_error)?;
    Ok((physical, state.task_ctx()))
}

/// What the one operator of a plan needs that is a native query and nothing else.
fn plain_task(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> TaskContext {
    let (scalar, higher_order) = (HashMap::new(), HashMap::new());
    let (aggregate, window) = (HashMap::new(), HashMap::new());
    TaskContext::new(None, String::new(), config, scalar, higher_order, aggregate, window, runtime)
}
