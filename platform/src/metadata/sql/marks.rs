//! Marks of logs. Every function runs within the caller's transaction.

use std::collections::BTreeMap;

use super::database::Connection;
use super::statement::Row;
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::rules::newer_marks;
use crate::wal::LogMark;

/// All marks, by datasource.
pub(super) async fn all(connection: &mut Connection) -> Result<BTreeMap<String, LogMark>> {
    let rows = connection.statement("SELECT datasource, mark FROM log_marks").fetch_all().await?;
    rows.iter().map(mark).collect()
}

fn mark(row: &Row) -> Result<(String, LogMark)> {
    let name: String = row.text("datasource")?;
    let bytes: Vec<u8> = row.bytes("mark")?;
    match LogMark::decode(&bytes) {
        Some(mark) => Ok((name, mark)),
        None => Err(MetadataError::Corrupt(format!("the mark of the log of '{name}' was changed"))),
    }
}

/// Keeps those that are newer than what is kept.
pub(super) async fn note(
    connection: &mut Connection,
    marks: &BTreeMap<String, LogMark>,
) -> Result<()> {
    let known = all(&mut *connection).await?;
    for (name, mark) in newer_marks(&known, marks) {
        connection
            .statement(
                "INSERT INTO log_marks (datasource, mark) VALUES ($1, $2) \
             ON CONFLICT (datasource) DO UPDATE SET mark = excluded.mark",
            )
            .bind(name)
            .bind(mark.encode())
            .execute()
            .await?;
    }
    Ok(())
}
