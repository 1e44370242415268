//! Allocation: where an append goes and which id it gets, within the caller's transaction.

use henge_types::{Interval, SegmentId, ShardSpec, Version};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::convert::{get_u64, store_error, to_i64};
use super::segments::{next_counter, used_overlapping};
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::places::{ChunkVersion, Place, Surroundings, place_append, reach};
use crate::metadata::records::{Allocation, PendingSegment};

pub(super) async fn allocate_append(
    connection: &mut SqliteConnection,
    owner: &str,
    datasource: &str,
    rows: Interval,
    bucket: Interval,
) -> Result<Allocation> {
    let around = around(connection, datasource, rows.span(&bucket)).await?;
    let Place { interval, version, core_partitions, slice } = place_append(rows, bucket, &around)?;
    let version = match version {
        Some(version) => version,
        None => Version(next_counter(connection, "version").await?),
    };
    let partition = next_partition(connection, datasource, interval, version).await?;
    sqlx::query(
        "INSERT INTO pending_segments (datasource, start_ms, end_ms, version, partition, owner) \
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(datasource)
    .bind(interval.start_ms)
    .bind(interval.end_ms)
    .bind(to_i64(version.0, "version")?)
    .bind(i64::from(partition))
    .bind(owner)
    .execute(connection)
    .await
    .map_err(store_error)?;
    let id = SegmentId::new(datasource, interval, version, partition);
    let shard_spec = ShardSpec::numbered(partition, core_partitions);
    Ok(Allocation { segment: PendingSegment { id, shard_spec }, slice })
}

/// The next number of a chunk and version, which is not given out again.
pub(super) async fn next_partition(
    connection: &mut SqliteConnection,
    datasource: &str,
    interval: Interval,
    version: Version,
) -> Result<u32> {
    let row = sqlx::query(
        "INSERT INTO chunk_versions (datasource, start_ms, end_ms, version, next_partition) \
         VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET next_partition = next_partition + 1 \
         RETURNING next_partition - 1 AS partition",
    )
    .bind(datasource)
    .bind(interval.start_ms)
    .bind(interval.end_ms)
    .bind(to_i64(version.0, "version")?)
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    u32::try_from(get_u64(&row, "partition")?)
        .map_err(|_| MetadataError::Invalid(format!("chunk {interval} has no partition left")))
}

async fn around(
    connection: &mut SqliteConnection,
    datasource: &str,
    asked: Interval,
) -> Result<Surroundings> {
    let pending = sqlx::query(
        "SELECT DISTINCT start_ms, end_ms, version FROM pending_segments \
         WHERE datasource = ? AND end_ms > ? AND start_ms < ?",
    )
    .bind(datasource)
    .bind(asked.start_ms)
    .bind(asked.end_ms)
    .fetch_all(&mut *connection)
    .await
    .map_err(store_error)?;
    let pending = pending.iter().map(chunk_version).collect::<Result<Vec<_>>>()?;
    let rows = sqlx::query(
        "SELECT start_ms, end_ms, version, max(used) AS used FROM segments \
         WHERE datasource = ? AND used IN (0, 1) AND end_ms > ? AND start_ms < ? \
         GROUP BY start_ms, end_ms, version",
    )
    .bind(datasource)
    .bind(asked.start_ms)
    .bind(asked.end_ms)
    .fetch_all(&mut *connection)
    .await
    .map_err(store_error)?;
    let mut published = Vec::with_capacity(rows.len());
    let mut chunks: Vec<Interval> = pending.iter().map(|(interval, _)| *interval).collect();
    for row in &rows {
        let chunk = chunk_version(row)?;
        published.push(chunk);
        if get_u64(row, "used")? == 1 {
            chunks.push(chunk.0);
        }
    }
    let used = used_overlapping(connection, datasource, &[reach(asked, chunks)]).await?;
    Ok(Surroundings { used, pending, published })
}

fn chunk_version(row: &SqliteRow) -> Result<ChunkVersion> {
    let start_ms = row.try_get("start_ms").map_err(store_error)?;
    let end_ms = row.try_get("end_ms").map_err(store_error)?;
    Ok((Interval { start_ms, end_ms }, Version(get_u64(row, "version")?)))
}
