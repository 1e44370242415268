//! What nodes buffer. Every function runs within the caller's transaction.

use std::sync::Arc;

use henge_types::{Interval, SegmentId, ShardSpec, Version};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::allocate::{allocate_append, next_partition};
use super::convert::{get_u64, store_error, to_i64};
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::records::{BufferedSegment, PendingSegment, UNPLACED};

/// An identity for rows of a chunk, noted as buffered.
pub(super) async fn buffer(
    connection: &mut SqliteConnection,
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
    connection: &mut SqliteConnection,
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

async fn add(connection: &mut SqliteConnection, owner: &str, id: &SegmentId) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO buffered_segments \
         (datasource, start_ms, end_ms, version, partition, owner) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&*id.datasource)
    .bind(id.interval.start_ms)
    .bind(id.interval.end_ms)
    .bind(to_i64(id.version.0, "version")?)
    .bind(i64::from(id.partition))
    .bind(owner)
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Also when it is not there.
pub(super) async fn remove(connection: &mut SqliteConnection, id: &SegmentId) -> Result<()> {
    sqlx::query(
        "DELETE FROM buffered_segments WHERE datasource = ? AND start_ms = ? AND end_ms = ? \
         AND version = ? AND partition = ?",
    )
    .bind(&*id.datasource)
    .bind(id.interval.start_ms)
    .bind(id.interval.end_ms)
    .bind(to_i64(id.version.0, "version")?)
    .bind(i64::from(id.partition))
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<BufferedSegment>> {
    let rows = sqlx::query("SELECT * FROM buffered_segments")
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    rows.iter().map(record).collect()
}

fn record(row: &SqliteRow) -> Result<BufferedSegment> {
    let text = |column| row.try_get::<String, _>(column).map_err(store_error);
    let number = |column| row.try_get::<i64, _>(column).map_err(store_error);
    let interval = Interval { start_ms: number("start_ms")?, end_ms: number("end_ms")? };
    let partition = u32::try_from(get_u64(row, "partition")?)
        .map_err(|_| MetadataError::Corrupt("a buffered segment's partition".into()))?;
    let version = Version(get_u64(row, "version")?);
    let id = SegmentId::new(text("datasource")?, interval, version, partition);
    Ok(BufferedSegment { id, owner: Arc::from(text("owner")?) })
}
