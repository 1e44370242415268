//! Opening the database: verify before anything is changed, then bring the schema up to date.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Connection, Row};

use super::error::{is_transient, store_error};
use super::journal::check_journal;
use crate::metadata::error::{MetadataError, Result};
use crate::runtime::files::create_dir_durably;
use crate::runtime::files::parent;
use crate::runtime::{Clock, SystemClock, blocking};
use crate::wal::LogMarks;

/// The schema's history; entry `n` brings version `n` to `n + 1`. Published entries never change.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_manifests.sql"),
    include_str!("migrations/0003_replay_and_keys.sql"),
    include_str!("migrations/0004_log_marks.sql"),
    include_str!("migrations/0005_unpublished_changes.sql"),
    include_str!("migrations/0006_buffered_segments.sql"),
    include_str!("migrations/0007_source_partitions.sql"),
    include_str!("migrations/0008_documents.sql"),
    include_str!("migrations/0009_leases.sql"),
    include_str!("migrations/0010_many_realtime_nodes.sql"),
    include_str!("migrations/0011_deleting_segments.sql"),
];

/// The version of the schema that this program makes and reads.
pub(in crate::metadata) const SCHEMA: u64 = MIGRATIONS.len() as u64;

/// Marks a file as Henge's metadata ("HNGE").
const APPLICATION_ID: i64 = 0x484e_4745;

/// Settings of the store.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database file.
    pub path: PathBuf,
    /// How long a statement waits for a lock before it fails as unavailable.
    pub busy_timeout: Duration,
    /// Connections for reading.
    pub readers: u32,
    /// Where it is marked how many changes were made, beside the file.
    pub marks: LogMarks,
    /// By which leases run out.
    pub clock: Arc<dyn Clock>,
}

impl SqliteOptions {
    /// The usual settings for a file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            busy_timeout: Duration::from_secs(5),
            readers: 4,
            marks: LogMarks::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// A writer of one connection, so that writes queue here and not on locks, and readers.
#[derive(Debug)]
pub(in crate::metadata) struct Pools {
    pub writer: SqlitePool,
    pub readers: SqlitePool,
}

impl Pools {
    /// Moves what is in the journal into the file.
    pub(in crate::metadata) async fn fold_journal(&self) -> Result<()> {
        let fold = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer);
        fold.await.map(|_| ()).map_err(store_error)
    }
}

pub(in crate::metadata) async fn open(options: &SqliteOptions) -> Result<Pools> {
    let directory = parent(&options.path).to_owned();
    create_dir_durably(&directory).map_err(|error| {
        MetadataError::Unavailable(format!("cannot make '{}': {error}", directory.display()))
    })?;
    let exists = std::fs::metadata(&options.path).is_ok_and(|file| file.len() > 0);
    if exists {
        verify(&options.path, options.busy_timeout).await?;
    }
    let connect = SqliteConnectOptions::new()
        .filename(&options.path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(options.busy_timeout)
        .foreign_keys(true);
    let pool = |connections: u32| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(options.busy_timeout + Duration::from_secs(25))
            // SQLite itself ends a transaction when the disk fails or is full. The driver then never
            // learns that there is none any more, and the connection could begin no other.
            .before_acquire(|connection, _| {
                let is_usable = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_usable) })
            })
    };
    let writer = pool(1).connect_with(connect.clone()).await.map_err(store_error)?;
    migrate(&writer).await?;
    let readers = pool(options.readers.max(1))
        .connect_with(connect.create_if_missing(false))
        .await
        .map_err(store_error)?;
    Ok(Pools { writer, readers })
}

/// True when no store was ever made at a path: there is no file, or an empty one, or a database
/// without content, which a kill leaves while the first store is made.
pub(in crate::metadata) async fn is_unmade(options: &SqliteOptions) -> Result<bool> {
    match std::fs::metadata(&options.path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(error) => {
            let path = options.path.display();
            return Err(MetadataError::Unavailable(format!("cannot read '{path}': {error}")));
        }
        Ok(file) if file.len() == 0 => return Ok(true),
        Ok(_) => {}
    }
    let connect =
        SqliteConnectOptions::new().filename(&options.path).busy_timeout(options.busy_timeout);
    // What is wrong with a file that cannot be read is said on opening it.
    let Ok(mut connection) = SqliteConnection::connect_with(&connect).await else {
        return Ok(false);
    };
    let empty = has_no_content(&mut connection).await.unwrap_or(false);
    connection.close().await.map_err(store_error)?;
    Ok(empty)
}

/// The version of the schema that is there; 0 where no store was made. Nothing is changed.
pub(in crate::metadata) async fn schema_version(options: &SqliteOptions) -> Result<u64> {
    if is_unmade(options).await? {
        return Ok(0);
    }
    let connect =
        SqliteConnectOptions::new().filename(&options.path).busy_timeout(options.busy_timeout);
    let refuse = |error| refuse(&options.path, &error);
    let mut connection = SqliteConnection::connect_with(&connect).await.map_err(refuse)?;
    let version = pragma(&mut connection, "PRAGMA user_version").await?;
    connection.close().await.map_err(store_error)?;
    Ok(u64::try_from(version).unwrap_or(0))
}

async fn has_no_content(connection: &mut SqliteConnection) -> Result<bool> {
    Ok(pragma(connection, "PRAGMA application_id").await? == 0
        && pragma(connection, "PRAGMA user_version").await? == 0
        && pragma(connection, "SELECT count(*) FROM sqlite_master").await? == 0)
}

/// Refuses a damaged file, a stranger's file, and one from a newer version, and changes nothing.
async fn verify(path: &Path, busy_timeout: Duration) -> Result<()> {
    let journal = path.to_owned();
    blocking(move || check_journal(&journal))
        .await
        .map_err(|error| MetadataError::Internal(error.to_string()))?
        .map_err(|reason| MetadataError::Corrupt(format!("{reason}; nothing was changed")))?;
    let options =
        SqliteConnectOptions::new().filename(path).busy_timeout(busy_timeout).foreign_keys(false);
    let mut connection =
        SqliteConnection::connect_with(&options).await.map_err(|e| refuse(path, &e))?;
    let problems = sqlx::query("PRAGMA integrity_check(5)")
        .fetch_all(&mut connection)
        .await
        .map_err(|error| refuse(path, &error))?;
    let problems: Vec<String> =
        problems.iter().filter_map(|row| row.try_get::<String, _>(0).ok()).collect();
    if problems != ["ok"] {
        return Err(MetadataError::Corrupt(format!(
            "'{}' fails its integrity check ({}); nothing was changed",
            path.display(),
            problems.join("; ")
        )));
    }
    let application_id = pragma(&mut connection, "PRAGMA application_id").await?;
    let version = pragma(&mut connection, "PRAGMA user_version").await?;
    if application_id != APPLICATION_ID && !has_no_content(&mut connection).await? {
        return Err(MetadataError::Corrupt(format!(
            "'{}' is a database of another application; nothing was changed",
            path.display()
        )));
    }
    if version > MIGRATIONS.len() as i64 {
        return Err(MetadataError::Corrupt(format!(
            "'{}' has schema version {version}, this program knows {}: use a newer one",
            path.display(),
            MIGRATIONS.len()
        )));
    }
    connection.close().await.map_err(store_error)
}

fn refuse(path: &Path, error: &sqlx::Error) -> MetadataError {
    match is_transient(error) {
        true => MetadataError::Unavailable(error.to_string()),
        false => MetadataError::Corrupt(format!(
            "'{}' cannot be read ({error}); nothing was changed",
            path.display()
        )),
    }
}

async fn pragma(connection: &mut SqliteConnection, statement: &'static str) -> Result<i64> {
    let row = sqlx::query(statement).fetch_one(connection).await.map_err(store_error)?;
    row.try_get(0).map_err(store_error)
}

async fn migrate(writer: &SqlitePool) -> Result<()> {
    let mut transaction = writer.begin_with("BEGIN EXCLUSIVE").await.map_err(store_error)?;
    let version = pragma(&mut transaction, "PRAGMA user_version").await?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    for statements in MIGRATIONS.iter().skip(done) {
        sqlx::raw_sql(*statements).execute(&mut *transaction).await.map_err(store_error)?;
    }
    if done < MIGRATIONS.len() {
        // A pragma takes no bound parameters; both numbers are constants of this program.
        let stamp = format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}",
            MIGRATIONS.len()
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(stamp))
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
    }
    sqlx::query("INSERT INTO cluster (uuid) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM cluster)")
        .bind(crate::metadata::new_cluster_uuid())
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
    transaction.commit().await.map_err(store_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{DATASOURCE, MetadataStore, SourceMark, SqlMetadataStore};

    /// Positions of logs from before there were partitions, and schemas from before there were
    /// documents, are read on.
    #[tokio::test]
    async fn what_older_versions_wrote_is_read_on() {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(directory.path().join("metadata.db"));
        let connect = SqliteConnectOptions::new().filename(&options.path).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&connect).await.unwrap();
        let before = 6;
        for statements in &MIGRATIONS[..before] {
            sqlx::raw_sql(*statements).execute(&mut connection).await.unwrap();
        }
        let rest = format!(
            "INSERT INTO sources VALUES ('push:d', 9007199254740993, 's'); \
             INSERT INTO datasources VALUES ('d', 1, '{{}}'), ('d', 2, '{{\"a\":2}}'); \
             PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {before}"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(rest)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let store = SqlMetadataStore::open(options).await.unwrap();
        let mark = SourceMark { position: 9_007_199_254_740_993.into(), state: "s".into() };
        assert_eq!(store.source("push:d").await.unwrap(), [(String::new(), mark)].into());
        let newest = store.get_document(DATASOURCE, "d").await.unwrap().unwrap();
        assert_eq!((newest.version, newest.body_json.as_str()), (2, r#"{"a":2}"#));
        let first = store.get_document_version(DATASOURCE, "d", 1).await.unwrap().unwrap();
        assert_eq!(first.body_json, "{}");
    }

    #[tokio::test]
    async fn f_19_a_transaction_that_sqlite_ended_itself_stops_no_later_one() {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(directory.path().join("metadata.db"));
        let pools = open(&options).await.unwrap();
        for pool in [&pools.writer, &pools.readers] {
            for _ in 0..3 {
                let mut transaction = pool.begin_with("BEGIN").await.unwrap();
                // As when the disk is full: it is over, and not by the driver's doing.
                sqlx::raw_sql("ROLLBACK").execute(&mut *transaction).await.unwrap();
                assert!(transaction.commit().await.is_err());
                pool.begin_with("BEGIN").await.unwrap().commit().await.unwrap();
            }
        }
    }
}
