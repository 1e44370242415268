//! How the database is reached, and its schema: verify before anything is changed, then bring it up to date.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use crate::metadata::error::{MetadataError, Result};
use crate::metadata::rules::invalid;
use crate::metadata::sql::Connection;
use crate::wal::LogMarks;

/// The schema's history; entry `n` brings version `n` to `n + 1`. Published entries never change.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_leases.sql"),
    include_str!("migrations/0003_many_realtime_nodes.sql"),
    include_str!("migrations/0004_deleting_segments.sql"),
];

/// The version of the schema that this program makes and reads.
pub(in crate::metadata) const SCHEMA: u64 = MIGRATIONS.len() as u64;

/// Settings of the store.
#[derive(Clone)]
pub struct PostgresOptions {
    address: Box<PgConnectOptions>,
    /// How long each step may take before it fails as unavailable: waiting for a turn, for a connection, for a
    /// statement.
    pub timeout: Duration,
    /// Connections for reading; there is one for writing.
    pub readers: usize,
    /// Where it is marked how many changes were made, beside the database.
    pub marks: LogMarks,
}

/// Where it is, for messages.
impl fmt::Display for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&place(&self.address))
    }
}

/// Which database and where, without the password.
pub(super) fn place(address: &PgConnectOptions) -> String {
    let database = address.get_database().unwrap_or(address.get_username());
    format!("{database} at {}:{}", address.get_host(), address.get_port())
}

/// Without the password.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.address;
        f.debug_struct("PostgresOptions")
            .field("host", &address.get_host())
            .field("port", &address.get_port())
            .field("database", &address.get_database())
            .finish_non_exhaustive()
    }
}

impl PostgresOptions {
    /// The usual settings for a database, `postgresql://user:password@host:port/database`.
    ///
    /// # Errors
    /// `Invalid` when that is no such address. The error does not repeat it: it may hold a password.
    pub fn new(url: &str) -> Result<Self> {
        if !["postgresql://", "postgres://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(invalid("an address of PostgreSQL begins with postgresql://"));
        }
        let address = PgConnectOptions::from_str(url)
            .map_err(|error| invalid(format!("an address of PostgreSQL: {error}")))?;
        let (timeout, marks) = (Duration::from_secs(10), LogMarks::default());
        Ok(Self { address: Box::new(address), timeout, readers: 4, marks })
    }

    /// With what every connection is told: the server itself ends what takes too long, also when whoever
    /// began it is gone.
    pub(super) fn connect(&self) -> PgConnectOptions {
        let limit_ms = self.timeout.as_millis();
        PgConnectOptions::clone(&self.address).application_name("henge").options([
            ("statement_timeout", limit_ms.to_string()),
            ("idle_in_transaction_session_timeout", limit_ms.to_string()),
            ("client_min_messages", "error".to_owned()),
        ])
    }
}

/// True when no store was ever made in the schema.
pub(in crate::metadata) async fn is_unmade(connection: &mut Connection) -> Result<bool> {
    let row = connection
        .statement(
            "SELECT count(*) AS tables FROM pg_catalog.pg_tables \
             WHERE schemaname = current_schema()",
        )
        .fetch_one()
        .await?;
    Ok(row.u64("tables")? == 0)
}

/// The version of the schema that is there; 0 where no store was made.
pub(in crate::metadata) async fn schema_version(connection: &mut Connection) -> Result<u64> {
    if is_unmade(connection).await? { Ok(0) } else { version(connection).await }
}

/// Moves all tables into a schema of their own, whose name tells when that was.
const SET_ASIDE: &str = "DO $$ DECLARE moved text; aside text := 'henge_aside_' || \
     to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS'); \
     BEGIN EXECUTE format('CREATE SCHEMA %I', aside); \
     FOR moved IN SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema() \
     LOOP EXECUTE format('ALTER TABLE %I SET SCHEMA %I', moved, aside); END LOOP; END $$";

/// Moves all tables out of the way, within the caller's transaction; gives the schema that has them now.
pub(in crate::metadata) async fn set_aside(connection: &mut Connection) -> Result<String> {
    if let Connection::Postgres(link) = connection {
        link.command(SET_ASIDE).await?;
    }
    let newest = connection.statement(
        "SELECT max(nspname::text) AS name FROM pg_catalog.pg_namespace \
         WHERE nspname LIKE 'henge\\_aside\\_%'",
    );
    newest.fetch_one().await?.text("name")
}

/// Brings the schema up to date, within the caller's transaction. Refuses a stranger's and one from a newer
/// version.
pub(in crate::metadata) async fn migrate(connection: &mut Connection) -> Result<()> {
    let done = if is_unmade(connection).await? { 0 } else { version(connection).await? };
    let known = MIGRATIONS.len() as u64;
    if done > known {
        return Err(MetadataError::Corrupt(format!(
            "the database has schema version {done}, this program knows {known}: use a newer one"
        )));
    }
    for statements in MIGRATIONS.iter().skip(usize::try_from(done).unwrap_or(usize::MAX)) {
        if let Connection::Postgres(link) = connection {
            link.command(statements).await?;
        }
    }
    if done < known {
        let version = i64::try_from(known).unwrap_or(i64::MAX);
        connection
            .statement("UPDATE henge_schema SET version = $1")
            .bind(version)
            .execute()
            .await?;
    }
    connection
        .statement("INSERT INTO cluster (uuid) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM cluster)")
        .bind(crate::metadata::new_cluster_uuid())
        .execute()
        .await?;
    Ok(())
}

async fn version(connection: &mut Connection) -> Result<u64> {
    let ours = connection
        .statement(
            "SELECT 1 FROM pg_catalog.pg_tables \
             WHERE schemaname = current_schema() AND tablename = 'henge_schema'",
        )
        .fetch_optional()
        .await?;
    if ours.is_none() {
        return Err(MetadataError::Corrupt(
            "the database has tables of another application; give Henge one of its own; nothing \
             was changed"
                .into(),
        ));
    }
    connection.statement("SELECT version FROM henge_schema").fetch_one().await?.u64("version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_holds_the_password() {
        let options =
            PostgresOptions::new("postgresql://henge:hunter2@db.example:5433/meta").unwrap();
        let shown = format!("{options:?}");
        assert!(shown.contains("db.example") && !shown.contains("hunter2"), "{shown}");
        for wrong in ["postgresql://u:hunter2@[::1/db", "mysql://u:hunter2@h/db", "hunter2"] {
            let error = PostgresOptions::new(wrong).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
