//! [`Service`]: what is done for each request.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::runtime::{Clock, SystemClock};
use henge_sql::{Parameter, SqlRequest};
use henge_types::ErrorClass;
use henge_types::zone::local_to_instant;
use serde_json::{Map, Value};

use super::connections::{Connections, InUse, Limits, PreparedText, Statement};
use super::cursor::{Cursor, zone_of};
use super::failure::{Failure, Result};
use super::listing;
use super::message::{Answer, Ask, Frame, FrameSize, GivenValue, Handle, Listing, ResultSet};
use super::signature::Signature;
use crate::api::drivers::{AnswerSql, Cell, JdbcType, Prepared, context_value, parameter_of};

/// Properties of a URL that are no context: who calls, and how the driver does.
const NO_CONTEXT: [&str; 7] = [
    "user",
    "password",
    "avatica_user",
    "avatica_password",
    "authentication",
    "serialization",
    "transparent_reconnection",
];

/// Answers requests.
#[derive(Debug)]
pub(super) struct Service {
    statements: Arc<dyn AnswerSql>,
    connections: Arc<Connections>,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

impl Service {
    /// Over what runs statements.
    pub(super) fn new(statements: Arc<dyn AnswerSql>) -> Self {
        Self::within(statements, Limits::default(), Arc::new(SystemClock))
    }

    /// The same within other bounds, at another time.
    pub(super) fn within(
        statements: Arc<dyn AnswerSql>,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { statements, connections: Arc::new(Connections::within(limits)), limits, clock }
    }

    /// Answers a request.
    ///
    /// # Errors
    /// When it cannot be answered.
    pub(super) async fn answer(&self, ask: Ask) -> Result<Answer> {
        Ok(match ask {
            Ask::OpenConnection { connection, info } => {
                self.connections.open(&connection, context_of(info))?;
                Answer::OpenConnection
            }
            Ask::CloseConnection { connection } => {
                self.connections.close(&connection);
                Answer::CloseConnection
            }
            Ask::ConnectionSync { connection, properties } => {
                self.connections.get(&connection)?;
                Answer::ConnectionSync(properties)
            }
            Ask::CreateStatement { connection } => {
                let (statement, _) = self.connections.get(&connection)?.add()?;
                Answer::CreateStatement(Handle { connection, statement })
            }
            Ask::CloseStatement { handle } => {
                self.connections.get(&handle.connection)?.close_statement(handle.statement);
                Answer::CloseStatement
            }
            Ask::Prepare { connection, sql, max_rows } => {
                self.prepare(connection, PreparedText { sql, max_rows }).await?
            }
            Ask::PrepareAndExecute { handle, sql, max_rows, frame } => {
                self.prepare_and_execute(handle, PreparedText { sql, max_rows }, frame).await?
            }
            Ask::Execute { handle, parameters, frame } => {
                self.execute(handle, parameters, frame).await?
            }
            Ask::Fetch { handle, offset, frame } => self.fetch(&handle, offset, frame).await?,
            Ask::Listing { connection, what } => self.list(connection, what).await?,
            Ask::DatabaseProperties { connection } => {
                self.connections.get(&connection)?;
                Answer::DatabaseProperties
            }
            Ask::Commit { connection } => {
                self.connections.get(&connection)?;
                Answer::Commit
            }
            Ask::Rollback { connection } => {
                self.connections.get(&connection)?;
                Answer::Rollback
            }
        })
    }

    /// What there is, as the rows of a statement of its own.
    async fn list(&self, connection: String, what: Listing) -> Result<Answer> {
        let used = self.connections.get(&connection)?;
        let now_ms = self.clock.now_ms();
        let (columns, rows) = listing::answer(&*self.statements, what, now_ms).await?;
        let handle = Handle { connection, statement: used.next_id() };
        let signature = Signature { columns, ..Signature::default() };
        let first_frame = Frame { offset: 0, is_done: true, rows };
        let own_statement = true;
        let result = ResultSet { handle, own_statement, signature, first_frame };
        Ok(Answer::ResultSet(Box::new(result)))
    }

    async fn prepare(&self, connection: String, text: PreparedText) -> Result<Answer> {
        let used = self.connections.get(&connection)?;
        let request = self.request(&used, &text.sql, Vec::new());
        let Prepared { columns, parameters } = self.statements.prepare(request).await?;
        let types = parameters.iter().map(|one| JdbcType::named(&one.sql_type)).collect();
        let signature = Signature::of(&text.sql, &columns, types);
        let (id, statement) = used.add()?;
        *statement.prepared.lock() = Some(text);
        Ok(Answer::Prepare(Handle { connection, statement: id }, signature))
    }

    async fn prepare_and_execute(
        &self,
        handle: Handle,
        text: PreparedText,
        frame: FrameSize,
    ) -> Result<Answer> {
        let used = self.connections.get(&handle.connection)?;
        let Some(statement) = used.statement(&handle) else {
            return Ok(Answer::NoStatementToExecute);
        };
        self.run(&used, &statement, handle, text, Vec::new(), frame).await
    }

    async fn execute(
        &self,
        handle: Handle,
        given: Vec<GivenValue>,
        frame: FrameSize,
    ) -> Result<Answer> {
        let used = self.connections.get(&handle.connection)?;
        let Some(statement) = used.statement(&handle) else {
            return Ok(Answer::NoStatementToExecute);
        };
        let Some(text) = statement.prepared.lock().clone() else {
            let message = format!("statement {} has no text: prepare one", handle.statement);
            return Err(Failure::invalid(message));
        };
        let zone = zone_of(&used.context)?;
        let parameters = given.into_iter().map(|value| match value {
            GivenValue::Plain(cell) => parameter_of(cell),
            GivenValue::WallClock(ms) => parameter_of(Cell::Timestamp(local_to_instant(&zone, ms))),
        });
        let parameters = parameters.collect();
        self.run(&used, &statement, handle, text, parameters, frame).await
    }

    /// Runs a text and gives the first rows. What the statement gave before is given up.
    async fn run(
        &self,
        used: &InUse,
        statement: &Statement,
        handle: Handle,
        text: PreparedText,
        parameters: Vec<Parameter>,
        frame: FrameSize,
    ) -> Result<Answer> {
        let types = parameters.iter().map(|given| JdbcType::named(&given.sql_type)).collect();
        let work = async {
            let mut place = statement.cursor.lock().await;
            *place = None;
            let answer = self.statements.run(self.request(used, &text.sql, parameters)).await?;
            let signature = Signature::of(&text.sql, &answer.columns, types);
            let mut cursor = Cursor::of(answer, text.max_rows)?;
            let first_frame = cursor.frame(0, self.frame_rows(frame)).await?;
            *place = Some(cursor);
            Ok((signature, first_frame))
        };
        let (signature, first_frame) = until_closed(statement, work).await?;
        let result = ResultSet { handle, own_statement: false, signature, first_frame };
        Ok(Answer::Execute(Box::new(result)))
    }

    async fn fetch(&self, handle: &Handle, offset: u64, frame: FrameSize) -> Result<Answer> {
        let used = self.connections.get(&handle.connection)?;
        let Some(statement) = used.statement(handle) else {
            return Ok(Answer::NoStatementToFetch);
        };
        let work = async {
            let mut place = statement.cursor.lock().await;
            let Some(cursor) = &mut *place else { return Ok(Answer::NoResultsToFetch) };
            Ok(Answer::Fetch(cursor.frame(offset, self.frame_rows(frame)).await?))
        };
        until_closed(&statement, work).await
    }

    fn request(&self, used: &InUse, sql: &str, parameters: Vec<Parameter>) -> SqlRequest {
        let (text, context) = (sql.to_owned(), used.context.clone());
        SqlRequest { text, context, parameters, now_ms: self.clock.now_ms() }
    }

    fn frame_rows(&self, wanted: FrameSize) -> u64 {
        let Limits { min_frame_rows, max_frame_rows, .. } = self.limits;
        wanted.unwrap_or(max_frame_rows).clamp(min_frame_rows, max_frame_rows)
    }
}

/// Work on a statement, which ends when it is closed.
async fn until_closed<T>(
    statement: &Statement,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        biased;
        () = statement.closed() => {
            let message = "the statement was closed".to_owned();
            Err(Failure::Other { class: ErrorClass::Cancelled, message })
        }
        done = work => done,
    }
}

/// The properties of a connection as the context of its statements.
fn context_of(info: BTreeMap<String, String>) -> Map<String, Value> {
    let mut context = Map::new();
    // Java has arrays; who wants texts says so.
    context.insert("sqlStringifyArrays".to_owned(), false.into());
    for (key, text) in info {
        if !NO_CONTEXT.contains(&&*key) {
            let value = context_value(&key, &text);
            context.insert(key, value);
        }
    }
    context
}
