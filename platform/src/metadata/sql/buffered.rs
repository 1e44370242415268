//! What nodes buffer. Every function runs within the caller's transaction.

use std::sync::Arc;

use henge_types::{Interval, SegmentId, ShardSpec, Version};

use super::allocate::{allocate_append, next_partition};
use super::convert::to_i64;
use super::database::Connection;
use super::statement::Row;
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::records::{BufferedSegment, PendingSegment, UNPLACED};

/// An identity for rows of a chunk, noted as buffered.
pub(super) async fn buffer(
    connection: &mut Connection,
    owner: &str,
    datasource: &str,
    chunk: Interval,
) -> Result<PendingSegment> {
    let segment = match allocate_append(connection, owner, datasource, chunk, chunk).await {
        Ok(allocation) => allocation.segment,
        Err(MetadataError::IntervalConflict { .. }) => {
            let partition = next_partition(connection, datasource, chunk, UNPLACED).await?;
            let id = SegmentId::new(datasource, chunk, UNPLACED, partition);
            PendingSegment { id, shard_spec: ShardSpec::appended(partition) }
        }
        Err(error) => return Err(error),
    };
    add(connection, owner, &segment.id).await?;
    Ok(segment)
}

pub(super) async fn change(
    connection: &mut Connection,
    owner: &str,
    new: &[SegmentId],
    old: &[SegmentId],
) -> Result<()> {
    for id in old {
        remove(connection, id).await?;
    }
    for id in new {
        add(connection, owner, id).await?;
    }
    Ok(())
}

async fn add(connection: &mut Connection, owner: &str, id: &SegmentId) -> Result<()> {
    connection
        .statement(
            "INSERT INTO buffered_segments \
         (datasource, start_ms, end_ms, version, partition, owner) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (datasource, start_ms, end_ms, version, partition) \
         DO UPDATE SET owner = excluded.owner",
        )
        .bind(&*id.datasource)
        .bind(id.interval.start_ms)
        .bind(id.interval.end_ms)
        .bind(to_i64(id.version.0, "version")?)
        .bind(id.partition)
        .bind(owner)
        .execute()
        .await?;
    Ok(())
}

/// Also when it is not there.
pub(super) async fn remove(connection: &mut Connection, id: &SegmentId) -> Result<()> {
    connection
        .statement(
            "DELETE FROM buffered_segments WHERE datasource = $1 AND start_ms = $2 AND end_ms = $3 \
         AND version = $4 AND partition = $5",
        )
        .bind(&*id.datasource)
        .bind(id.interval.start_ms)
        .bind(id.interval.end_ms)
        .bind(to_i64(id.version.0, "version")?)
        .bind(id.partition)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn all(connection: &mut Connection) -> Result<Vec<BufferedSegment>> {
    let rows = connection.statement("SELECT * FROM buffered_segments").fetch_all().await?;
    rows.iter().map(record).collect()
}

fn record(row: &Row) -> Result<BufferedSegment> {
    let text = |column| row.text(column);
    let number = |column| row.i64(column);
    let interval = Interval { start_ms: number("start_ms")?, end_ms: number("end_ms")? };
    let partition = u32::try_from(row.u64("partition")?)
        .map_err(|_| MetadataError::Corrupt("a buffered segment's partition".into()))?;
    let version = Version(row.u64("version")?);
    let id = SegmentId::new(text("datasource")?, interval, version, partition);
    Ok(BufferedSegment { id, owner: Arc::from(text("owner")?) })
}
