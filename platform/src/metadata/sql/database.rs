//! Where statements run: on a connection of SQLite or of PostgreSQL, alone or in a transaction.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, Transaction};

use crate::metadata::commits::Commits;
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::postgres::{Link, Links};
use crate::metadata::sqlite::{self, Pools};

/// A connection on which statements run, for one piece of work.
#[derive(Debug)]
pub(in crate::metadata) enum Connection {
    SqliteReader(PoolConnection<Sqlite>),
    SqliteTransaction(Transaction<'static, Sqlite>),
    Postgres(Link),
}

impl Connection {
    pub(super) async fn commit(self) -> Result<()> {
        match self {
            Self::SqliteReader(_) => Ok(()),
            Self::SqliteTransaction(transaction) => {
                transaction.commit().await.map_err(sqlite::store_error)
            }
            Self::Postgres(link) => link.commit().await,
        }
    }

    async fn undo(self) {
        match self {
            // Dropping the transaction ends it before the connection is used again.
            Self::SqliteReader(_) | Self::SqliteTransaction(_) => {}
            Self::Postgres(link) => link.undo().await,
        }
    }
}

/// What a piece of work does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::metadata) enum Access {
    /// Reads; each statement sees what is committed when it begins.
    Read,
    /// Reads; all statements see one moment.
    Snapshot,
    /// Reads and writes, after all that wrote before and before all that write after.
    Write,
    /// As `Write`, and whoever follows segments and documents is told ([`MetadataStore::commits`]).
    ///
    /// [`MetadataStore::commits`]: crate::metadata::MetadataStore::commits
    WriteObserved,
}

/// Why a piece of work has no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was changed.
    Undone(MetadataError),
    /// The commit was sent; whether it happened is not known.
    Unknown(MetadataError),
}

impl From<Failure> for MetadataError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Undone(error) => error,
            Failure::Unknown(Self::Unavailable(reason)) => {
                Self::Unavailable(format!("the change may have been made: {reason}"))
            }
            Failure::Unknown(error) => error,
        }
    }
}

/// What statements of a piece of work come to.
pub(super) type Working<'c, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'c>>;

/// One of the databases.
#[derive(Debug)]
pub(super) enum Database {
    Sqlite(Pools),
    Postgres(Links),
}

impl Database {
    pub(super) async fn begin(&self, access: Access) -> Result<Connection> {
        match (self, access) {
            (Self::Sqlite(pools), Access::Read) => {
                let reader = pools.readers.acquire().await.map_err(sqlite::store_error)?;
                Ok(Connection::SqliteReader(reader))
            }
            (Self::Sqlite(pools), Access::Snapshot) => {
                let transaction = pools.readers.begin().await.map_err(sqlite::store_error)?;
                Ok(Connection::SqliteTransaction(transaction))
            }
            (Self::Sqlite(pools), Access::Write | Access::WriteObserved) => {
                let transaction = pools.writer.begin_with("BEGIN IMMEDIATE").await;
                Ok(Connection::SqliteTransaction(transaction.map_err(sqlite::store_error)?))
            }
            (Self::Postgres(links), access) => Ok(Connection::Postgres(links.begin(access).await?)),
        }
    }

    /// Does a piece of work. Its transaction is committed when it succeeds, else nothing is changed.
    ///
    /// The work is a task of its own: whoever asked for it may stop waiting, and no connection is left
    /// behind in the middle of a transaction.
    pub(super) async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        commits: &Arc<Commits>,
        access: Access,
        work: impl for<'c> FnOnce(&'c mut Connection) -> Working<'c, T> + Send + 'static,
    ) -> Result<T, Failure> {
        let (database, commits) = (Arc::clone(self), Arc::clone(commits));
        let task = crate::runtime::spawn(async move {
            let mut connection = database.begin(access).await.map_err(Failure::Undone)?;
            match work(&mut connection).await {
                Err(error) => {
                    connection.undo().await;
                    Err(Failure::Undone(error))
                }
                Ok(result) => {
                    let _noted = (access == Access::WriteObserved).then(|| commits.note());
                    connection.commit().await.map_err(Failure::Unknown)?;
                    Ok(result)
                }
            }
        });
        let lost = |error| Failure::Unknown(MetadataError::Unavailable(format!("{error}")));
        task.await.unwrap_or_else(|error| Err(lost(error)))
    }
}
