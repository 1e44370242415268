//! One statement for both databases: its parameters are `$1`, `$2` and so on, which SQLite reads as well, and
//! it keeps to the SQL that they share. Columns hold 64-bit integers, texts and bytes, nothing else.

use sqlx::postgres::PgRow;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Database, Decode, Postgres, Row as _, Sqlite, Type};
use tokio::time::timeout;

use super::database::Connection;
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::postgres::{Link, text};
use crate::metadata::{postgres, sqlite};

/// What a parameter is set to.
#[derive(Debug)]
pub(in crate::metadata) enum Value<'v> {
    Text(Option<&'v str>),
    OwnedText(String),
    Integer(Option<i64>),
    Bytes(Vec<u8>),
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(text: &'v String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::OwnedText(text)
    }
}

impl<'v> From<Option<&'v str>> for Value<'v> {
    fn from(text: Option<&'v str>) -> Self {
        Self::Text(text)
    }
}

impl<'v> From<&'v Option<String>> for Value<'v> {
    fn from(text: &'v Option<String>) -> Self {
        Self::Text(text.as_deref())
    }
}

impl From<i64> for Value<'_> {
    fn from(integer: i64) -> Self {
        Self::Integer(Some(integer))
    }
}

impl From<u32> for Value<'_> {
    fn from(integer: u32) -> Self {
        Self::Integer(Some(integer.into()))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(integer: Option<i64>) -> Self {
        Self::Integer(integer)
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// A statement about to be run on a connection.
#[derive(Debug)]
#[must_use = "a statement does nothing before it is executed or fetched"]
pub(in crate::metadata) struct Statement<'c, 'v> {
    connection: Raw<'c>,
    sql: &'static str,
    values: Vec<Value<'v>>,
}

/// The connection within whatever holds it.
#[derive(Debug)]
enum Raw<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut Link),
}

impl Connection {
    /// A statement without parameters so far.
    pub(in crate::metadata) fn statement<'v>(&mut self, sql: &'static str) -> Statement<'_, 'v> {
        let connection = match self {
            Self::SqliteReader(reader) => Raw::Sqlite(reader),
            Self::SqliteTransaction(transaction) => Raw::Sqlite(transaction),
            Self::Postgres(link) => Raw::Postgres(link),
        };
        Statement { connection, sql, values: Vec::new() }
    }
}

impl<'v> Statement<'_, 'v> {
    /// Sets the next parameter.
    pub(in crate::metadata) fn bind(mut self, value: impl Into<Value<'v>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it; gives how many rows it changed.
    pub(in crate::metadata) async fn execute(self) -> Result<u64> {
        let Self { connection, sql, values } = self;
        match connection {
            Raw::Sqlite(connection) => {
                let done = sqlite_query(sql, values).execute(connection).await;
                Ok(done.map_err(sqlite::store_error)?.rows_affected())
            }
            Raw::Postgres(link) => {
                let run = postgres_query(sql, values).execute(&mut link.connection);
                let ended = timeout(link.limit, run).await;
                Ok(link.noticed(ended)?.rows_affected())
            }
        }
    }

    /// Runs it; gives all of its rows.
    pub(in crate::metadata) async fn fetch_all(self) -> Result<Vec<Row>> {
        let Self { connection, sql, values } = self;
        match connection {
            Raw::Sqlite(connection) => {
                let rows = sqlite_query(sql, values).fetch_all(connection).await;
                Ok(rows.map_err(sqlite::store_error)?.into_iter().map(Row::Sqlite).collect())
            }
            Raw::Postgres(link) => {
                let run = postgres_query(sql, values).fetch_all(&mut link.connection);
                let ended = timeout(link.limit, run).await;
                Ok(link.noticed(ended)?.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Runs it; gives its first row.
    pub(in crate::metadata) async fn fetch_optional(self) -> Result<Option<Row>> {
        Ok(self.fetch_all().await?.into_iter().next())
    }

    /// Runs a statement that always has a row.
    pub(in crate::metadata) async fn fetch_one(self) -> Result<Row> {
        let sql = self.sql;
        let row = self.fetch_optional().await?;
        row.ok_or_else(|| MetadataError::Corrupt(format!("a record is missing: no row of '{sql}'")))
    }
}

fn sqlite_query<'q>(
    sql: &'static str,
    values: Vec<Value<'_>>,
) -> Query<'q, Sqlite, <Sqlite as Database>::Arguments> {
    values.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::OwnedText(text) => query.bind(text),
        Value::Integer(integer) => query.bind(integer),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

fn postgres_query<'q>(
    sql: &'static str,
    values: Vec<Value<'_>>,
) -> Query<'q, Postgres, <Postgres as Database>::Arguments> {
    values.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Text(text) => query.bind(text.map(text::written)),
        Value::OwnedText(text) => query.bind(text::written(&text)),
        Value::Integer(integer) => query.bind(integer),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

/// A row of an answer.
#[derive(Debug)]
pub(in crate::metadata) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(in crate::metadata) fn text(&self, column: &str) -> Result<String> {
        let text: String = self.get(column)?;
        Ok(match self {
            Self::Sqlite(_) => text,
            Self::Postgres(_) => text::read(text),
        })
    }

    pub(in crate::metadata) fn optional_text(&self, column: &str) -> Result<Option<String>> {
        let text: Option<String> = self.get(column)?;
        Ok(match self {
            Self::Sqlite(_) => text,
            Self::Postgres(_) => text.map(text::read),
        })
    }

    pub(in crate::metadata) fn i64(&self, column: &str) -> Result<i64> {
        self.get(column)
    }

    pub(in crate::metadata) fn optional_i64(&self, column: &str) -> Result<Option<i64>> {
        self.get(column)
    }

    pub(in crate::metadata) fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        self.get(column)
    }

    pub(in crate::metadata) fn u64(&self, column: &str) -> Result<u64> {
        let value = self.i64(column)?;
        u64::try_from(value)
            .map_err(|_| MetadataError::Corrupt(format!("column '{column}' holds {value}")))
    }

    fn get<'r, T>(&'r self, column: &str) -> Result<T>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>,
    {
        match self {
            Self::Sqlite(row) => row.try_get(column).map_err(sqlite::store_error),
            Self::Postgres(row) => row.try_get(column).map_err(postgres::store_error),
        }
    }
}
