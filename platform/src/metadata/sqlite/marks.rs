//! Marks of logs. Every function runs within the caller's transaction.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::convert::store_error;
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::rules::newer_marks;
use crate::wal::LogMark;

/// All marks, by datasource.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<BTreeMap<String, LogMark>> {
    let rows = sqlx::query("SELECT datasource, mark FROM log_marks")
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    rows.iter().map(mark).collect()
}

fn mark(row: &SqliteRow) -> Result<(String, LogMark)> {
    let name: String = row.try_get("datasource").map_err(store_error)?;
    let bytes: Vec<u8> = row.try_get("mark").map_err(store_error)?;
    match LogMark::decode(&bytes) {
        Some(mark) => Ok((name, mark)),
        None => Err(MetadataError::Corrupt(format!("the mark of the log of '{name}' was changed"))),
    }
}

/// Keeps those that are newer than what is kept.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    marks: &BTreeMap<String, LogMark>,
) -> Result<()> {
    let known = all(&mut *connection).await?;
    for (name, mark) in newer_marks(&known, marks) {
        sqlx::query(
            "INSERT INTO log_marks VALUES (?, ?) ON CONFLICT DO UPDATE SET mark = excluded.mark",
        )
        .bind(name)
        .bind(mark.encode())
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    }
    Ok(())
}
