//! Positions of sources. Every function runs within the caller's transaction.

use super::convert::{from_json, to_json};
use super::database::Connection;
use super::statement::Row;
use crate::metadata::error::Result;
use crate::metadata::manifest::SourcePosition;
use crate::metadata::positions::{SourceAdvance, SourceMark, SourceMarks};
use crate::metadata::rules;

/// What is committed of a source.
pub(super) async fn marks(connection: &mut Connection, source_id: &str) -> Result<SourceMarks> {
    let rows = connection
        .statement("SELECT * FROM source_partitions WHERE source_id = $1")
        .bind(source_id)
        .fetch_all()
        .await?;
    let positions = rows.iter().map(position);
    positions
        .map(|read| read.map(|position| (position.partition.clone(), position.mark())))
        .collect()
}

/// What is committed of all sources.
pub(super) async fn all(connection: &mut Connection) -> Result<Vec<SourcePosition>> {
    let rows = connection
        .statement("SELECT * FROM source_partitions ORDER BY source_id, partition")
        .fetch_all()
        .await?;
    rows.iter().map(position).collect()
}

pub(super) async fn advance(connection: &mut Connection, source: &SourceAdvance) -> Result<()> {
    let known = marks(connection, &source.source_id).await?;
    rules::check_source(source, &known)?;
    for (partition, advance) in &source.partitions {
        put(connection, &source.source_id, partition, &advance.next).await?;
    }
    Ok(())
}

pub(super) async fn put(
    connection: &mut Connection,
    source_id: &str,
    partition: &str,
    mark: &SourceMark,
) -> Result<()> {
    connection.statement(
        "INSERT INTO source_partitions (source_id, partition, position, state) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (source_id, partition) DO UPDATE SET position = excluded.position, state = excluded.state",
    )
    .bind(source_id)
    .bind(partition)
    .bind(to_json(&mark.position)?)
    .bind(&mark.state)
    .execute()
    .await?;
    Ok(())
}

fn position(row: &Row) -> Result<SourcePosition> {
    let text = |column| row.text(column);
    Ok(SourcePosition {
        source_id: text("source_id")?,
        partition: text("partition")?,
        position: from_json(&text("position")?)?,
        state: text("state")?,
    })
}
