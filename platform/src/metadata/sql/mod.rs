//! The metadata store over SQL: one set of statements for SQLite, the embedded default, and PostgreSQL, which
//! several processes share.
//!
//! Writers wait for each other in both, SQLite's for its one writing connection, PostgreSQL's for a lock that
//! their transactions hold (ADR 28). So what a transaction read is still so when it commits, and sequences
//! are committed in their order.

mod allocate;
mod buffered;
mod convert;
mod database;
mod documents;
mod idempotency;
mod leases;
mod letters;
mod manifests;
mod marks;
mod segments;
mod sources;
mod statement;
mod store;
mod tasks;
mod unpublished;
mod unused;

use std::sync::Arc;

use henge_types::{SegmentId, Version};

pub(super) use self::database::{Access, Connection};
use self::database::{Database, Failure, Working};
use super::commits::Commits;
use super::error::Result;
use super::manifest::Manifest;
use super::postgres::{self, Links, PostgresOptions};
use super::rules::invalid;
use super::sqlite::{self, SqliteOptions};
use crate::runtime::{Clock, SystemClock};
use crate::wal::LogMarks;

/// The metadata store in a database.
pub struct SqlMetadataStore {
    database: Arc<Database>,
    cluster_uuid: String,
    commits: Arc<Commits>,
    marks: LogMarks,
    /// By which leases run out in SQLite.
    clock: Arc<dyn Clock>,
}

/// Which database, and how it is reached.
#[derive(Debug, Clone)]
pub enum SqlOptions {
    /// One file, nothing to install.
    Sqlite(SqliteOptions),
    /// A server, for several processes.
    Postgres(PostgresOptions),
}

impl From<SqliteOptions> for SqlOptions {
    fn from(options: SqliteOptions) -> Self {
        Self::Sqlite(options)
    }
}

impl From<PostgresOptions> for SqlOptions {
    fn from(options: PostgresOptions) -> Self {
        Self::Postgres(options)
    }
}

impl SqlOptions {
    /// With where it is marked how many changes were made.
    #[must_use]
    pub fn with_marks(mut self, marks: LogMarks) -> Self {
        match &mut self {
            Self::Sqlite(options) => options.marks = marks,
            Self::Postgres(options) => options.marks = marks,
        }
        self
    }
}

impl SqlOptions {
    /// The version of the schema that this program makes and reads in SQLite.
    pub const SQLITE_SCHEMA: u64 = sqlite::SCHEMA;
    /// The same in PostgreSQL.
    pub const POSTGRES_SCHEMA: u64 = postgres::SCHEMA;

    /// The version of the schema that this program makes and reads there.
    #[must_use]
    pub fn known_schema(&self) -> u64 {
        match self {
            Self::Sqlite(_) => Self::SQLITE_SCHEMA,
            Self::Postgres(_) => Self::POSTGRES_SCHEMA,
        }
    }

    /// The version of the schema that is there; 0 where no store was made. Nothing is changed.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached; `Corrupt` when it is not Henge's.
    pub async fn stored_schema(&self) -> Result<u64> {
        match self {
            Self::Sqlite(options) => sqlite::schema_version(options).await,
            Self::Postgres(options) => {
                SqlMetadataStore::look_at(options, |connection| {
                    Box::pin(postgres::schema_version(connection))
                })
                .await
            }
        }
    }
}

impl SqlMetadataStore {
    /// Opens or creates a store. An existing one is verified before anything is changed.
    ///
    /// # Errors
    /// `Corrupt` when it is damaged, is not Henge's, or comes from a newer version: do not start.
    /// `Unavailable` when it cannot be reached.
    pub async fn open(options: impl Into<SqlOptions>) -> Result<Self> {
        let mut store = match options.into() {
            SqlOptions::Sqlite(options) => {
                let database = Database::Sqlite(sqlite::open(&options).await?);
                Self { clock: options.clock, ..Self::over(database, options.marks) }
            }
            SqlOptions::Postgres(options) => {
                let store = Self::over(Database::Postgres(Links::new(&options)), options.marks);
                let migrate =
                    store.run(Access::Write, |connection| Box::pin(postgres::migrate(connection)));
                migrate.await?;
                store
            }
        };
        store.cluster_uuid = store.read_cluster_uuid().await?;
        Ok(store)
    }

    fn over(database: Database, marks: LogMarks) -> Self {
        let (database, commits) = (Arc::new(database), Arc::default());
        let clock = Arc::new(SystemClock);
        Self { database, cluster_uuid: String::new(), commits, marks, clock }
    }

    /// True when no store was ever made there; also when a kill cut its making short.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached.
    pub async fn is_unmade(options: impl Into<SqlOptions>) -> Result<bool> {
        match options.into() {
            SqlOptions::Sqlite(options) => sqlite::is_unmade(&options).await,
            SqlOptions::Postgres(options) => {
                Self::look_at(&options, |connection| Box::pin(postgres::is_unmade(connection)))
                    .await
            }
        }
    }

    /// Does a piece of reading in a database that may have no store.
    async fn look_at<T: Send + 'static>(
        options: &PostgresOptions,
        work: impl for<'c> FnOnce(&'c mut Connection) -> Working<'c, T> + Send + 'static,
    ) -> Result<T> {
        let store = Self::over(Database::Postgres(Links::new(options)), LogMarks::default());
        let outcome = store.run(Access::Read, work).await;
        store.close().await;
        outcome
    }

    /// Moves all tables of a database into a schema of their own, so that another store can be made in their
    /// place; gives the name of that schema.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be reached.
    pub async fn set_aside(options: &PostgresOptions) -> Result<String> {
        let store = Self::over(Database::Postgres(Links::new(options)), LogMarks::default());
        let aside =
            store.run(Access::Write, |connection| Box::pin(postgres::set_aside(connection)));
        let aside = aside.await;
        store.close().await;
        aside
    }

    /// Makes a store where none is, from what a complete manifest says. Versions up to `version` and the
    /// ids in `reserved` will not be given out.
    ///
    /// # Errors
    /// `Invalid` when something is there; else as [`open`](Self::open).
    pub async fn restore(
        options: impl Into<SqlOptions>,
        all: &Manifest,
        version: Version,
        reserved: &[SegmentId],
    ) -> Result<Self> {
        let options = options.into();
        let (all, reserved) = (all.clone(), reserved.to_vec());
        let store = match options {
            SqlOptions::Sqlite(options) if options.path.exists() => {
                return Err(invalid(format!("'{}' exists", options.path.display())));
            }
            SqlOptions::Sqlite(options) => Self::open(options).await?,
            SqlOptions::Postgres(options) => {
                Self::over(Database::Postgres(Links::new(&options)), options.marks)
            }
        };
        let clock = Arc::clone(&store.clock);
        let restored = store.run(Access::Write, move |connection| {
            Box::pin(async move {
                if let Connection::Postgres(_) = connection {
                    // In one transaction, so that a half restored store is never found.
                    if !postgres::is_unmade(connection).await? {
                        return Err(invalid("the database has tables: restore into an empty one"));
                    }
                    postgres::migrate(connection).await?;
                }
                manifests::restore(connection, &*clock, &all, version, &reserved).await?;
                Ok(all.cluster_uuid)
            })
        });
        let cluster_uuid = restored.await?;
        Ok(Self { cluster_uuid, ..store })
    }

    /// All that is published, as a complete manifest that has no number yet would say it.
    ///
    /// # Errors
    /// `Corrupt` when a record was changed; `Unavailable` when the store cannot be read.
    pub async fn everything(&self) -> Result<Manifest> {
        let everything = self.run(Access::Snapshot, |connection| {
            Box::pin(async move {
                let all = manifests::everything(connection).await?;
                manifests::with_head(connection, all).await
            })
        });
        everything.await
    }

    /// True when other processes may have it open too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(&*self.database, Database::Postgres(_))
    }

    /// Closes all connections, which folds SQLite's journal into its file. A crash instead is fine.
    pub async fn close(&self) {
        match &*self.database {
            Database::Sqlite(pools) => {
                pools.readers.close().await;
                pools.writer.close().await;
            }
            Database::Postgres(links) => links.close().await,
        }
    }

    async fn read_cluster_uuid(&self) -> Result<String> {
        let uuid = self.run(Access::Read, |connection| {
            Box::pin(async move {
                connection.statement("SELECT uuid FROM cluster").fetch_one().await?.text("uuid")
            })
        });
        uuid.await
    }

    /// Does a piece of work as a task of its own; see [`Database::work`].
    async fn run<T: Send + 'static>(
        &self,
        access: Access,
        work: impl for<'c> FnOnce(&'c mut Connection) -> Working<'c, T> + Send + 'static,
    ) -> Result<T> {
        Ok(self.attempt(access, work).await?)
    }

    /// As [`run`](Self::run), and says whether nothing was changed when it fails.
    async fn attempt<T: Send + 'static>(
        &self,
        access: Access,
        work: impl for<'c> FnOnce(&'c mut Connection) -> Working<'c, T> + Send + 'static,
    ) -> Result<T, Failure> {
        self.database.work(&self.commits, access, work).await
    }
}

impl std::fmt::Debug for SqlMetadataStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlMetadataStore")
            .field("cluster_uuid", &self.cluster_uuid)
            .finish_non_exhaustive()
    }
}

/// What tests do to a store that nobody else may.
#[cfg(test)]
impl SqlMetadataStore {
    /// Publishes within the caller's own task, so that it can be cut short at any step.
    pub(super) async fn publish_here(
        &self,
        request: &super::records::PublishRequest,
    ) -> Result<super::records::PublishOutcome> {
        let mut connection = self.database.begin(Access::Write).await?;
        let outcome = segments::publish(&mut connection, &*self.clock, request).await?;
        connection.commit().await?;
        Ok(outcome)
    }

    /// The one number that a statement gives, under the name `count`.
    pub(super) async fn count(&self, sql: &'static str) -> u64 {
        let count = self.run(Access::Read, move |connection| {
            Box::pin(async move { connection.statement(sql).fetch_one().await?.u64("count") })
        });
        count.await.unwrap()
    }

    /// Keeps all other writers waiting until it is dropped.
    pub(super) async fn hold_lock(&self) -> Connection {
        self.database.begin(Access::Write).await.unwrap()
    }
}
