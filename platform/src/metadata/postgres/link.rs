//! One connection to PostgreSQL while it is used: every step has an end, and only a connection that is known to
//! be in no transaction is used again.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

use super::error::{is_lost, store_error};
use super::links::Idle;
use crate::metadata::error::{MetadataError, Result};

/// How long a connection may lie idle before it is asked whether it still goes on.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// The server ends a statement after the time it was given; this much later nobody waits for it any more.
const GRACE: Duration = Duration::from_millis(500);

/// A connection in use. Dropped, it is closed, which ends its transaction.
#[derive(Debug)]
pub(in crate::metadata) struct Link {
    pub(in crate::metadata) connection: PgConnection,
    idle: Arc<Idle>,
    _turn: Arc<OwnedSemaphorePermit>,
    /// How long a step may take.
    pub(in crate::metadata) limit: Duration,
    state: State,
    in_transaction: bool,
    used: Instant,
}

/// How a connection is, as far as its last step told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// A statement failed; its transaction can only be undone.
    Failed,
    /// The server hung up.
    Lost,
    /// A step did not end. What the connection would say next belongs to that one.
    Silent,
}

impl Link {
    /// A connection that was used last at a moment; `turn` is given to the next who waits once this link is
    /// given back or closed.
    pub(super) fn new(
        (connection, used): (PgConnection, Instant),
        idle: Arc<Idle>,
        turn: Arc<OwnedSemaphorePermit>,
        statement: Duration,
    ) -> Self {
        let limit = statement + GRACE;
        Self {
            connection,
            idle,
            _turn: turn,
            limit,
            state: State::Good,
            in_transaction: false,
            used,
        }
    }

    /// Takes notice of how a step ended.
    pub(in crate::metadata) fn noticed<T>(
        &mut self,
        ended: Result<sqlx::Result<T>, Elapsed>,
    ) -> Result<T> {
        match ended {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                self.state = if is_lost(&error) { State::Lost } else { State::Failed };
                Err(store_error(error))
            }
            Err(_) => {
                self.state = State::Silent;
                let limit_ms = self.limit.as_millis();
                Err(MetadataError::Unavailable(format!(
                    "PostgreSQL does not answer within {limit_ms} ms"
                )))
            }
        }
    }

    /// True when the server hung up, so that another connection may do.
    pub(super) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Runs statements without parameters and results.
    pub(in crate::metadata) async fn command(&mut self, sql: &'static str) -> Result<()> {
        let ended = timeout(self.limit, sqlx::raw_sql(sql).execute(&mut self.connection)).await;
        self.noticed(ended).map(|_| ())
    }

    /// Begins a transaction.
    pub(super) async fn begin(&mut self, sql: &'static str) -> Result<()> {
        self.in_transaction = true;
        self.command(sql).await
    }

    /// Asks whether the connection goes on, unless that was known a moment ago.
    pub(super) async fn prove(&mut self) -> Result<()> {
        if self.used.elapsed() < TRUSTED_IDLE {
            return Ok(());
        }
        let ended = timeout(self.limit, self.connection.ping()).await;
        self.noticed(ended)
    }

    /// Commits what was done. After an error it may have been committed or not.
    pub(in crate::metadata) async fn commit(mut self) -> Result<()> {
        if self.state != State::Good {
            // PostgreSQL would answer a commit of it as if all were well.
            return Err(MetadataError::Internal("commit after a statement that failed".into()));
        }
        if self.in_transaction {
            self.command("COMMIT").await?;
            self.in_transaction = false;
        }
        self.give_back();
        Ok(())
    }

    /// Undoes what was done.
    pub(in crate::metadata) async fn undo(mut self) {
        let goes_on = matches!(self.state, State::Good | State::Failed);
        if goes_on && (!self.in_transaction || self.command("ROLLBACK").await.is_ok()) {
            self.in_transaction = false;
            self.give_back();
        }
    }

    fn give_back(self) {
        self.idle.keep(self.connection);
    }
}
