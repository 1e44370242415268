//! Positions of sources. Every function runs within the caller's transaction.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::convert::{from_json, store_error, to_json};
use crate::metadata::error::Result;
use crate::metadata::manifest::SourcePosition;
use crate::metadata::positions::{SourceAdvance, SourceMark, SourceMarks};
use crate::metadata::rules;

/// What is committed of a source.
pub(super) async fn marks(
    connection: &mut SqliteConnection,
    source_id: &str,
) -> Result<SourceMarks> {
    let rows = sqlx::query("SELECT * FROM source_partitions WHERE source_id = ?")
        .bind(source_id)
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    let positions = rows.iter().map(position);
    positions
        .map(|read| read.map(|position| (position.partition.clone(), position.mark())))
        .collect()
}

/// What is committed of all sources.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<SourcePosition>> {
    let rows = sqlx::query("SELECT * FROM source_partitions ORDER BY source_id, partition")
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    rows.iter().map(position).collect()
}

pub(super) async fn advance(
    connection: &mut SqliteConnection,
    source: &SourceAdvance,
) -> Result<()> {
    let known = marks(connection, &source.source_id).await?;
    rules::check_source(source, &known)?;
    for (partition, advance) in &source.partitions {
        put(connection, &source.source_id, partition, &advance.next).await?;
    }
    Ok(())
}

pub(super) async fn put(
    connection: &mut SqliteConnection,
    source_id: &str,
    partition: &str,
    mark: &SourceMark,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO source_partitions (source_id, partition, position, state) VALUES (?, ?, ?, ?) \
         ON CONFLICT DO UPDATE SET position = excluded.position, state = excluded.state",
    )
    .bind(source_id)
    .bind(partition)
    .bind(to_json(&mark.position)?)
    .bind(&mark.state)
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

fn position(row: &SqliteRow) -> Result<SourcePosition> {
    let text = |column| row.try_get::<String, _>(column).map_err(store_error);
    Ok(SourcePosition {
        source_id: text("source_id")?,
        partition: text("partition")?,
        position: from_json(&text("position")?)?,
        state: text("state")?,
    })
}
