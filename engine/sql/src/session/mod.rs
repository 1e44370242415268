//! [`SqlEngine`]: statements in, rows out.

mod divide;
mod settings;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod value_tests;

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::FieldRef;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::{Map, Value};

use crate::cache::{PlanCache, PlanKey, Ready, size_bytes};
use crate::catalog::Catalog;
use crate::error::{Result, SqlError};
use crate::limits::{Size, StatementLimits};
use crate::lower::Lowering;
use crate::native::Asker;
use crate::source::Source;
use crate::statement::Statement;
use crate::watch::{Held, Stage, Unwatched, Watch};
use crate::{dialect, explain, lower, plan, run, statement};
pub use divide::DivisibleScan;
use settings::Settings;

/// A statement as a client sends it.
#[derive(Debug, Clone, Default)]
pub struct SqlRequest {
    /// One statement, after `SET name = value;` as often as one likes.
    pub text: String,
    /// Druid's SQL context and native context, in one object; what `SET` says wins.
    pub context: Map<String, Value>,
    /// For `?`, in order.
    pub parameters: Vec<Parameter>,
    /// What CURRENT_TIMESTAMP is when the context does not say, ms.
    pub now_ms: i64,
}

/// The value of a `?`.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Druid's name of its SQL type: `VARCHAR`, `BIGINT`, `TIMESTAMP`, `ARRAY`, …
    pub sql_type: String,
    /// As JSON has it.
    pub value: Value,
}

/// A column of an answer.
#[derive(Debug, Clone)]
pub struct SqlColumn {
    /// Its name as Druid gives it (`EXPR$0` for what has none).
    pub name: String,
    /// Its type in the batches: Utf8 (several values as Druid's SQL prints them), Int64, Float32, Float64, Boolean,
    /// Timestamp(Millisecond, None), Date32, List of these, Utf8 with `druid.type` metadata for COMPLEX.
    pub field: FieldRef,
    /// `VARCHAR`, `BIGINT`, `DOUBLE`, `TIMESTAMP`, `ARRAY`, `OTHER`, …
    pub sql_type: String,
    /// `STRING`, `LONG`, `DOUBLE`, `ARRAY<STRING>`, `COMPLEX<…>`
    pub native_type: String,
}

/// An answer: its columns are known before its rows.
pub struct SqlAnswer {
    /// In order.
    pub columns: Vec<SqlColumn>,
    /// The rows; after an error nothing follows. Dropping it cancels the work.
    pub batches: BoxStream<'static, Result<RecordBatch>>,
    /// The context of the statement with what `SET` said.
    pub context: Map<String, Value>,
}

impl fmt::Debug for SqlAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut answer = f.debug_struct("SqlAnswer");
        answer.field("columns", &self.columns).field("context", &self.context);
        answer.finish_non_exhaustive()
    }
}

/// Bounds and defaults.
#[derive(Debug, Clone)]
pub struct SqlOptions {
    /// Bytes that operators outside of native queries may hold, all statements together, before they spill.
    pub memory_bytes: usize,
    /// Where they spill.
    pub spill_folder: Option<std::path::PathBuf>,
    /// Bytes that they may spill together.
    pub spill_bytes: u64,
    /// Bytes of plans that are remembered.
    pub plan_cache_bytes: usize,
    /// Parts in which DataFusion works.
    pub partitions: usize,
    /// Statements that whoever runs the engine plans at once.
    pub planners: usize,
    /// Bounds of each statement.
    pub limits: StatementLimits,
}

impl Default for SqlOptions {
    /// A quarter of a gibibyte for operators, which do not spill, and no plans that are remembered.
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 20,
            spill_folder: None,
            spill_bytes: 0,
            plan_cache_bytes: 0,
            partitions: 1,
            planners: 1,
            limits: StatementLimits::default(),
        }
    }
}

/// A statement that was planned and can be run, again and again.
#[derive(Debug, Clone)]
pub struct StatementPlan(Arc<Ready>);

/// Plans and runs statements.
#[derive(Debug)]
pub struct SqlEngine {
    catalog: Arc<dyn Catalog>,
    source: Arc<dyn Source>,
    options: SqlOptions,
    plans: PlanCache,
    /// What keeps it from working is told to each statement.
    runtime: Result<Arc<RuntimeEnv>>,
}

impl SqlEngine {
    /// Over a catalogue and a source.
    #[must_use]
    pub fn new(catalog: Arc<dyn Catalog>, source: Arc<dyn Source>, options: SqlOptions) -> Self {
        let plans = PlanCache::new(options.plan_cache_bytes);
        let runtime = run::runtime(&options);
        Self { catalog, source, options, plans, runtime }
    }

    /// The columns of a statement's answer and its parameters, without running it. The parameters are named by their
    /// places; what has no values yet gets its type from where it stands. It computes for as long as `watch` lets it.
    ///
    /// # Errors
    /// When the statement is wrong or too large, or may not go on.
    pub fn prepare(
        &self,
        request: &SqlRequest,
        watch: &Arc<dyn Watch>,
    ) -> Result<(Vec<SqlColumn>, Vec<SqlColumn>)> {
        let mut held = Held::nothing(watch);
        let mut statement = self.read(request, watch, &mut held)?;
        let context = with_settings(&request.context, &statement.settings);
        let settings = Settings::read(&context, request.now_ms)?;
        let given = (!request.parameters.is_empty()).then(|| request.parameters.clone());
        dialect::rewrite(&mut statement.query, &settings.surroundings(given))?;
        let (columns, parameters) =
            plan::describe(statement.query, &self.catalog, statement.parameters, watch)?;
        let columns = if statement.explain { explain::columns() } else { columns };
        Ok((columns, parameters))
    }

    /// The plan of a statement when it is remembered.
    #[must_use]
    pub fn remembered(&self, request: &SqlRequest) -> Option<StatementPlan> {
        self.plans.get(&self.key(request)).map(StatementPlan)
    }

    /// Plans a statement (SELECT, VALUES, EXPLAIN PLAN FOR). It computes for as long as `watch` lets it, so that it
    /// wants a thread of its own.
    ///
    /// # Errors
    /// When the statement is wrong or too large, or may not go on.
    pub fn plan(&self, request: &SqlRequest, watch: &Arc<dyn Watch>) -> Result<StatementPlan> {
        // What is looked up later is at least as new.
        let key = self.key(request);
        let (ready, reads_clock) = self.planned(request, watch)?;
        let ready = Arc::new(ready);
        if !reads_clock {
            self.plans.put(key, Arc::clone(&ready));
        }
        Ok(StatementPlan(ready))
    }

    /// Runs what was planned for a request, as long as `watch` lets it.
    ///
    /// # Errors
    /// When it fails before its first row.
    pub async fn start(
        &self,
        plan: &StatementPlan,
        request: &SqlRequest,
        watch: Arc<dyn Watch>,
    ) -> Result<SqlAnswer> {
        let StatementPlan(ready) = plan;
        let mut held = Held::nothing(&watch);
        held.set(ready.size_bytes)?;
        let context = with_settings(&request.context, &ready.settings);
        if ready.explain {
            let batch = explain::explain(ready)?;
            let batches = stream::iter([Ok(batch)]).boxed();
            return Ok(SqlAnswer { columns: explain::columns(), batches, context });
        }
        let asker = Asker::new(Arc::clone(&self.source), settings::native_context(&context));
        let shared = run::Shared { runtime: self.runtime.clone()?, options: &self.options };
        let zone = settings::zone_name(&context);
        let batches = run::start(&ready.plan, &ready.columns, asker, &shared, zone, watch).await?;
        // Its operators are held as long as its rows are made.
        let batches = batches.inspect(move |_| _ = &held).boxed();
        Ok(SqlAnswer { columns: ready.columns.clone(), batches, context })
    }

    /// Plans and runs a statement that nobody watches.
    ///
    /// # Errors
    /// When the statement is wrong or fails before its first row.
    pub async fn run(&self, request: SqlRequest) -> Result<SqlAnswer> {
        let watch: Arc<dyn Watch> = Arc::new(Unwatched);
        let plan = match self.remembered(&request) {
            Some(plan) => plan,
            None => self.plan(&request, &watch)?,
        };
        self.start(&plan, &request, watch).await
    }

    fn key(&self, request: &SqlRequest) -> PlanKey {
        PlanKey::new(request, settings::plan_context(&request.context), self.catalog.version())
    }

    /// Reads a statement that is not too large; `held` is what planning it takes.
    fn read(
        &self,
        request: &SqlRequest,
        watch: &Arc<dyn Watch>,
        held: &mut Held,
    ) -> Result<Statement> {
        watch.check(Stage::Read)?;
        let limits = &self.options.limits;
        let statement = statement::read(&request.text, limits, held)?;
        watch.check(Stage::Rewrite)?;
        let size = Size::of(&statement.query, self.catalog.as_ref(), limits)?;
        let values = request.parameters.iter().map(|parameter| values_of(&parameter.value));
        held.set(size.planning_bytes(statement.words.saturating_add(values.sum())))?;
        Ok(statement)
    }

    /// Plans a statement; also whether the plan is good for this moment only.
    fn planned(&self, request: &SqlRequest, watch: &Arc<dyn Watch>) -> Result<(Ready, bool)> {
        let mut held = Held::nothing(watch);
        let mut statement = self.read(request, watch, &mut held)?;
        let (wanted, given) = (statement.parameters, request.parameters.len());
        if wanted != given {
            return Err(SqlError::invalid(format!(
                "the statement has {wanted} parameters, {given} values were given"
            )));
        }
        let context = with_settings(&request.context, &statement.settings);
        let settings = Settings::read(&context, request.now_ms)?;
        let outer_limit = settings.outer_limit;
        let around = settings.surroundings(Some(request.parameters.clone()));
        let findings = dialect::rewrite(&mut statement.query, &around)?;
        let zone = settings::zone_name(&context);
        let planned = plan::plan(statement.query, &self.catalog, outer_limit, zone, watch)?;
        let resources = explain::resources(&planned.plan);
        let lowering = Lowering::new(&context).watched_by(watch.as_ref());
        let (plan, reasons) = lower::lower(&planned.plan, &lowering)?;
        let ready = Ready {
            settings: statement.settings,
            explain: statement.explain,
            size_bytes: size_bytes(&plan),
            plan,
            columns: planned.columns,
            reasons,
            resources,
        };
        Ok((ready, findings.reads_clock))
    }
}

/// The values of a parameter: each is a part of the tree like a word of the text.
fn values_of(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(values_of).sum(),
        _ => 1,
    }
}

/// The context with what `SET` said.
fn with_settings(
    context: &Map<String, Value>,
    settings: &Map<String, Value>,
) -> Map<String, Value> {
    let mut context = context.clone();
    context.extend(settings.clone());
    context
}
