//! [`SqlEngine`]: statements in, rows out.

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

use crate::cache::{PlanCache, PlanKey, Ready};
use crate::catalog::Catalog;
use crate::error::{Result, SqlError};
use crate::lower::Lowering;
use crate::native::Asker;
use crate::source::Source;
use crate::{dialect, explain, lower, plan, run, statement};
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
    /// Bytes that operators outside of native queries may hold before they spill.
    pub memory_bytes: usize,
    /// Where they spill.
    pub spill_folder: Option<std::path::PathBuf>,
    /// Plans that are remembered.
    pub cached_plans: usize,
    /// Parts in which DataFusion works.
    pub partitions: usize,
}

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
        let plans = PlanCache::new(options.cached_plans);
        let runtime = run::runtime(&options);
        Self { catalog, source, options, plans, runtime }
    }

    /// The columns of a statement's answer and its parameters, without running it. The parameters are named by their
    /// places; what has no values yet gets its type from where it stands.
    ///
    /// # Errors
    /// When the statement is wrong.
    pub async fn prepare(&self, request: &SqlRequest) -> Result<(Vec<SqlColumn>, Vec<SqlColumn>)> {
        let mut statement = statement::parse(&request.text)?;
        let context = with_settings(&request.context, &statement.settings);
        let settings = Settings::read(&context, request.now_ms)?;
        let given = (!request.parameters.is_empty()).then(|| request.parameters.clone());
        dialect::rewrite(&mut statement.query, &settings.surroundings(given))?;
        let (columns, parameters) =
            plan::describe(statement.query, &self.catalog, statement.parameters)?;
        let columns = if statement.explain { explain::columns() } else { columns };
        Ok((columns, parameters))
    }

    /// Runs a statement (SELECT, VALUES, EXPLAIN PLAN FOR).
    ///
    /// # Errors
    /// When the statement is wrong or fails before its first row.
    pub async fn run(&self, request: SqlRequest) -> Result<SqlAnswer> {
        let ready = self.ready(&request)?;
        let context = with_settings(&request.context, &ready.settings);
        if ready.explain {
            let batch = explain::explain(&ready)?;
            let batches = stream::iter([Ok(batch)]).boxed();
            return Ok(SqlAnswer { columns: explain::columns(), batches, context });
        }
        let asker = Asker::new(Arc::clone(&self.source), settings::native_context(&context));
        let runtime = self.runtime.clone()?;
        let session = run::session(self.options.partitions, settings::zone_name(&context));
        let batches = run::start(&ready.plan, &ready.columns, asker, runtime, session).await?;
        Ok(SqlAnswer { columns: ready.columns.clone(), batches, context })
    }

    /// The plan of a statement, remembered or made.
    fn ready(&self, request: &SqlRequest) -> Result<Arc<Ready>> {
        let context = settings::plan_context(&request.context);
        let key = PlanKey::new(request, context, self.catalog.version());
        if let Some(known) = self.plans.get(&key) {
            return Ok(known);
        }
        let (ready, reads_clock) = self.plan(request)?;
        let ready = Arc::new(ready);
        if !reads_clock {
            self.plans.put(key, Arc::clone(&ready));
        }
        Ok(ready)
    }

    /// Plans a statement; also whether the plan is good for this moment only.
    fn plan(&self, request: &SqlRequest) -> Result<(Ready, bool)> {
        let mut statement = statement::parse(&request.text)?;
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
        let planned =
            plan::plan(statement.query, &self.catalog, outer_limit, settings::zone_name(&context))?;
        let resources = explain::resources(&planned.plan);
        let (plan, reasons) = lower::lower(&planned.plan, &Lowering::new(&context))?;
        let ready = Ready {
            settings: statement.settings,
            explain: statement.explain,
            plan,
            columns: planned.columns,
            reasons,
            resources,
        };
        Ok((ready, findings.reads_clock))
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
