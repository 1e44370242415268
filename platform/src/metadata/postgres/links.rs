//! The connections of a store. sqlx's own pool is not used: a connection whose `BEGIN` or whose return was cut
//! short would come back to it in the middle of a transaction, or never (ADR 28).

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::error::connect_error;
use super::link::Link;
use super::open::{PostgresOptions, place};
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::sql::Access;

/// Writers of one database wait for each other, those of other processes too: then what is committed later has
/// the higher sequence, and whoever follows the sequence misses nothing. The lock ends with the transaction.
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
                           SELECT pg_advisory_xact_lock(5208820177418871109)";
const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Also where a role or a database says otherwise: what is answered is durable.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false) \
                       WHERE current_setting('synchronous_commit') = 'off'";

/// The connections of a store.
#[derive(Debug)]
pub(in crate::metadata) struct Links {
    connect: Box<PgConnectOptions>,
    /// How long a statement may take, and getting a connection, and waiting for a turn.
    limit: Duration,
    readers: Arc<Semaphore>,
    /// One at a time: the others would only wait for the lock.
    writer: Arc<Semaphore>,
    idle: Arc<Idle>,
}

/// Connections that nobody uses, the last used one last, with the moment of that; `None` once closed.
#[derive(Debug, Default)]
pub(super) struct Idle(Mutex<Option<Vec<(PgConnection, Instant)>>>);

impl Idle {
    pub(super) fn keep(&self, connection: PgConnection) {
        if let Some(idle) = self.0.lock().as_mut() {
            idle.push((connection, Instant::now()));
        }
    }

    fn take(&self) -> Option<(PgConnection, Instant)> {
        self.0.lock().as_mut()?.pop()
    }

    fn close(&self) -> Vec<(PgConnection, Instant)> {
        self.0.lock().take().unwrap_or_default()
    }
}

impl Links {
    pub(in crate::metadata) fn new(options: &PostgresOptions) -> Self {
        Self {
            connect: Box::new(options.connect()),
            limit: options.timeout,
            readers: Arc::new(Semaphore::new(options.readers.max(1))),
            writer: Arc::new(Semaphore::new(1)),
            idle: Arc::new(Idle(Mutex::new(Some(Vec::new())))),
        }
    }

    /// A connection on which work of a kind can begin.
    pub(in crate::metadata) async fn begin(&self, access: Access) -> Result<Link> {
        let turn = Arc::new(self.turn(access).await?);
        let link = |connection| {
            Link::new(connection, Arc::clone(&self.idle), Arc::clone(&turn), self.limit)
        };
        while let Some(idle) = self.idle.take() {
            let mut link = link(idle);
            match start(&mut link, access).await {
                // The server was started anew since.
                Err(_) if link.is_lost() => {}
                Ok(()) => return Ok(link),
                Err(error) => {
                    link.undo().await;
                    return Err(error);
                }
            }
        }
        let mut link = link((self.connect().await?, Instant::now()));
        link.command(DURABLE).await?;
        start(&mut link, access).await?;
        Ok(link)
    }

    async fn turn(&self, access: Access) -> Result<OwnedSemaphorePermit> {
        let turns = match access {
            Access::Read | Access::Snapshot => &self.readers,
            Access::Write | Access::WriteObserved => &self.writer,
        };
        let waited = timeout(self.limit, Arc::clone(turns).acquire_owned()).await;
        waited.ok().and_then(std::result::Result::ok).ok_or_else(|| {
            MetadataError::Unavailable(format!(
                "all connections to PostgreSQL were in use for {} ms (metadata.timeout_ms; metadata.readers says how \
                 many there are)",
                self.limit.as_millis()
            ))
        })
    }

    async fn connect(&self) -> Result<PgConnection> {
        let connected = timeout(self.limit, PgConnection::connect_with(&self.connect)).await;
        let connection = connected.map_err(|_| {
            let (limit_ms, place) = (self.limit.as_millis(), place(&self.connect));
            MetadataError::Unavailable(format!(
                "PostgreSQL ({place}, by metadata.url) takes no connection within {limit_ms} ms \
                 (metadata.timeout_ms)"
            ))
        })?;
        connection.map_err(|error| connect_error(&place(&self.connect), error))
    }

    /// Closes the connections that nobody uses; those in use are closed once they are done.
    pub(in crate::metadata) async fn close(&self) {
        self.readers.close();
        self.writer.close();
        for (connection, _) in self.idle.close() {
            // The server notices either way.
            let _ = timeout(self.limit, connection.close()).await;
        }
    }
}

async fn start(link: &mut Link, access: Access) -> Result<()> {
    match access {
        Access::Read => link.prove().await,
        Access::Snapshot => link.begin(BEGIN_SNAPSHOT).await,
        Access::Write | Access::WriteObserved => link.begin(BEGIN_WRITE).await,
    }
}
