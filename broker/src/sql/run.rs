//! The life of a statement: it is checked, noted under its id, planned and run within its time, and what it was is
//! counted when its last row was taken, or when nobody wants more of them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use henge_exec::QueryMemory;
use henge_platform::runtime::SideTask;
use henge_sql::{Result, SqlAnswer, SqlColumn, SqlError, SqlRequest, StatementPlan, Watch};
use henge_types::{ErrorClass, Interval};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;

use super::Sql;
use super::context::{Checked, check};
use super::figures::Outcome;
use super::source::failed;
use super::statements::{Registered, Statement};
use crate::execute::made_id;

/// Batches that are made before somebody takes them.
const READY_BATCHES: usize = 2;
/// Bytes of a statement that the log shows.
const SHOWN_BYTES: usize = 2_000;

/// An answer on its way.
pub struct Answered {
    /// The statement's id: the client's, or one made up.
    pub sql_query_id: String,
    /// In order.
    pub columns: Vec<SqlColumn>,
    /// The rows; after an error nothing follows. Dropping it cancels the work.
    pub batches: BoxStream<'static, Result<RecordBatch>>,
    /// The context of the statement with what `SET` said.
    pub context: Map<String, Value>,
    pub(super) statement: Arc<Statement>,
}

impl Answered {
    /// What is to be known of the answer beside its rows, as far as it was worked out: all of it once the last row
    /// was taken, and nearly always when the first one is there.
    #[must_use]
    pub fn response_context(&self) -> Map<String, Value> {
        self.statement.response_context()
    }
}

impl std::fmt::Debug for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answered")
            .field("sql_query_id", &self.sql_query_id)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// A statement without an answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct SqlFailure {
    /// Its id, as far as it got one.
    pub sql_query_id: Option<String>,
    /// Why.
    pub error: SqlError,
}

impl Sql {
    /// The columns of a statement's answer, and those that stand for its parameters, without running it.
    ///
    /// # Errors
    /// When the statement is wrong, times out, or the broker is not ready.
    pub async fn prepare(
        self: &Arc<Self>,
        mut request: SqlRequest,
    ) -> Result<(Vec<SqlColumn>, Vec<SqlColumn>)> {
        let checked = check(&request.context)?;
        request.now_ms = self.clock.now_ms();
        let mut life = self.begin(&request, &checked)?;
        let watch: Arc<dyn Watch> = life.registered.statement.clone();
        let engine = Arc::clone(&self.engine);
        let prepared = async {
            self.see_everything(&request.text).await?;
            self.planning.run(move || engine.prepare(&request, &watch)).await
        };
        let outcome = life.within(prepared).await;
        // What is only described is no statement that was answered.
        life.ended = true;
        outcome
    }

    /// The plan of a statement that is not run.
    ///
    /// # Errors
    /// As [`Sql::prepare`].
    pub(super) async fn planned(
        self: &Arc<Self>,
        mut request: SqlRequest,
    ) -> Result<StatementPlan> {
        let checked = check(&request.context)?;
        request.now_ms = self.clock.now_ms();
        let mut life = self.begin(&request, &checked)?;
        let watch: Arc<dyn Watch> = life.registered.statement.clone();
        let planned = async {
            self.see_everything(&request.text).await?;
            self.plan_of(request, &watch).await
        };
        let outcome = life.within(planned).await;
        life.ended = true;
        outcome.map(|(plan, _)| plan)
    }

    /// Runs a statement; `now_ms` of the request is set here. Dropping the future cancels the work.
    ///
    /// # Errors
    /// When the statement is wrong, refused, cancelled, fails or times out before its first row.
    pub async fn run(self: &Arc<Self>, request: SqlRequest) -> Result<Answered, SqlFailure> {
        self.run_part(request, None).await
    }

    /// Runs a statement, or the part of it that lies in an interval. All parts have the statement's id, by which they
    /// are cancelled together; what tells them apart is the key that each run gets.
    ///
    /// # Errors
    /// As [`Sql::run`], and when a statement that has no parts is to be run in part.
    pub(crate) async fn run_part(
        self: &Arc<Self>,
        mut request: SqlRequest,
        part: Option<Interval>,
    ) -> Result<Answered, SqlFailure> {
        let unnamed = |error| SqlFailure { sql_query_id: None, error };
        let checked = check(&request.context).map_err(|error| {
            self.figures.count(Outcome::Invalid, Duration::ZERO, 0);
            unnamed(error)
        })?;
        request.now_ms = self.clock.now_ms();
        let mut life = self.begin(&request, &checked).map_err(|error| {
            self.figures.count(Outcome::Refused, Duration::ZERO, 0);
            unnamed(error)
        })?;
        let statement = Arc::clone(&life.registered.statement);
        let sql_query_id = statement.id.to_string();
        let context = &mut request.context;
        context.insert("sqlQueryId".to_owned(), sql_query_id.clone().into());
        // What clients call their queries means nothing to the queries that are made here.
        context.insert("queryId".to_owned(), statement.key.clone().into());
        let watch: Arc<dyn Watch> = statement.clone();
        let started = async {
            self.see_everything(&request.text).await?;
            self.work_on(request, part, watch).await
        };
        match life.within(started).await {
            Ok(work) => Ok(Answered {
                sql_query_id,
                columns: work.columns,
                context: work.context,
                // Who looks for a first row asks again after the end of an answer without rows.
                batches: lived(work.rows, work.task, life).fuse().boxed(),
                statement,
            }),
            Err(error) => {
                life.end(Outcome::of_error(error.class));
                Err(SqlFailure { sql_query_id: Some(sql_query_id), error })
            }
        }
    }

    /// Plans a statement and begins to run it on threads of its own: what is no native query may compute for long.
    async fn work_on(
        self: &Arc<Self>,
        request: SqlRequest,
        part: Option<Interval>,
        watch: Arc<dyn Watch>,
    ) -> Result<Work> {
        let (plan, request) = self.plan_of(request, &watch).await?;
        let plan = match part {
            None => plan,
            Some(part) => plan.within(part)?,
        };
        let (head_sender, head) = oneshot::channel();
        let (rows_sender, rows) = mpsc::channel(READY_BATCHES);
        let sql = Arc::clone(self);
        let task = self.threads.spawn(async move {
            let answer = sql.engine.start(&plan, &request, watch).await;
            let SqlAnswer { columns, mut batches, context } = match answer {
                Ok(answer) => answer,
                Err(error) => return drop(head_sender.send(Err(error))),
            };
            if head_sender.send(Ok((columns, context))).is_err() {
                return;
            }
            // Nobody takes rows any more when sending fails.
            while let Some(batch) = batches.next().await {
                let is_last = batch.is_err();
                if rows_sender.send(batch.map(Some)).await.is_err() || is_last {
                    return;
                }
            }
            let _ = rows_sender.send(Ok(None)).await;
        });
        let (columns, context) = head.await.unwrap_or_else(|_| Err(lost()))?;
        Ok(Work { columns, context, rows, task })
    }

    /// The plan of a statement, remembered or made.
    async fn plan_of(
        &self,
        request: SqlRequest,
        watch: &Arc<dyn Watch>,
    ) -> Result<(StatementPlan, SqlRequest)> {
        if let Some(plan) = self.engine.remembered(&request) {
            return Ok((plan, request));
        }
        let (engine, watch) = (Arc::clone(&self.engine), Arc::clone(watch));
        let plan = move || engine.plan(&request, &watch).map(|plan| (plan, request));
        self.planning.run(plan).await
    }

    /// Brings the catalogue up to all that was announced and committed so far.
    async fn see_everything(&self, text: &str) -> Result<()> {
        self.broker.readiness.check().map_err(|error| failed(&error, None))?;
        self.broker.views.current().await.map_err(|error| failed(&error, None))?;
        // Lookups are read when somebody may ask for them.
        if names_lookups(text) {
            self.broker.lookups().await.map_err(|error| failed(&error, None))?;
        }
        Ok(())
    }

    fn begin(self: &Arc<Self>, request: &SqlRequest, checked: &Checked) -> Result<Life> {
        let options = &self.broker.options;
        // A statement takes no place among the queries, as its native queries do: it would wait for them.
        let most = options.max_running_queries.saturating_add(options.max_waiting_queries);
        let id = checked.id.clone().unwrap_or_else(made_id);
        let timeout_ms = self.broker.timeout_of(&checked.native);
        let pool = Arc::clone(self.broker.services.running.pool());
        let memory = QueryMemory::new(pool, options.memory_budget_bytes);
        match self.broker.statements.begin(id.into(), request, &memory, timeout_ms, most) {
            Some(registered) => {
                Ok(Life { registered, sql: Arc::clone(self), rows: 0, ended: false })
            }
            None => Err(SqlError::new(
                ErrorClass::Capacity,
                format!(
                    "{most} statements are at work, query capacity exceeded: try again later, or raise \
                     query.max_concurrent or query.max_waiting"
                ),
            )),
        }
    }
}

/// True when a statement may name a lookup, or list them.
fn names_lookups(text: &str) -> bool {
    let contains = |word: &[u8]| {
        text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
    };
    contains(b"lookup") || contains(b"information_schema")
}

/// What a statement is from its beginning to its end, however it ends.
struct Life {
    registered: Registered,
    sql: Arc<Sql>,
    rows: u64,
    ended: bool,
}

impl Life {
    /// Waits for work of the statement, as long as it may take and nobody cancels it.
    async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let statement = &self.registered.statement;
        let outcome = tokio::select! {
            biased;
            () = statement.cancelled() => {
                Err(SqlError::new(ErrorClass::Cancelled, "the statement was cancelled"))
            }
            outcome = timeout_at(statement.deadline, work) => {
                outcome.unwrap_or_else(|_| Err(statement.timed_out()))
            }
        };
        if outcome.is_err() {
            statement.end();
        }
        outcome
    }

    fn end(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let statement = &self.registered.statement;
        let (took, figures) = (statement.started.elapsed(), statement.figures());
        self.sql.figures.count(outcome, took, figures.native_queries);
        if took.as_millis() < u128::from(self.sql.broker.options.slow_query_ms) {
            return;
        }
        let cut = statement.text.floor_char_boundary(SHOWN_BYTES.min(statement.text.len()));
        tracing::warn!(
            sql_query_id = &*statement.id,
            query_id = statement.key,
            sql = &statement.text[..cut],
            ?outcome,
            total_ms = took.as_millis(),
            rows = self.rows,
            native_queries = figures.native_queries,
            segments_scanned = figures.segments_scanned,
            rows_scanned = figures.rows_scanned,
            cpu_micros = figures.cpu_micros,
            "slow statement"
        );
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // Nobody took all rows.
        self.end(Outcome::Cancelled);
    }
}

/// A statement at work.
struct Work {
    columns: Vec<SqlColumn>,
    context: Map<String, Value>,
    rows: Rows,
    task: SideTask,
}

/// Batches, and nothing once after the last of a whole answer.
type Rows = mpsc::Receiver<Result<Option<RecordBatch>>>;

/// The work ended without a word.
fn lost() -> SqlError {
    SqlError::new(ErrorClass::Internal, "the work on the statement was given up; the log says why")
}

/// The rows of a statement that lives, with its task, until the last of them.
fn lived(rows: Rows, task: SideTask, life: Life) -> impl Stream<Item = Result<RecordBatch>> + Send {
    stream::unfold(Some((rows, task, life)), |state| async move {
        let (mut rows, task, mut life) = state?;
        let next = async { rows.recv().await.unwrap_or_else(|| Err(lost())) };
        match life.within(next).await {
            Ok(Some(batch)) => {
                life.rows += batch.num_rows() as u64;
                Some((Ok(batch), Some((rows, task, life))))
            }
            Ok(None) => {
                life.end(Outcome::Success);
                None
            }
            Err(error) => {
                life.end(Outcome::of_error(error.class));
                Some((Err(error), None))
            }
        }
    })
}
