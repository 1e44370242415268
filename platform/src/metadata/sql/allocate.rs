//! Allocation: where an append goes and which id it gets, within the caller's transaction.

use henge_types::{Interval, SegmentId, ShardSpec, Version};

use super::convert::to_i64;
use super::database::Connection;
use super::segments::{next_counter, used_overlapping};
use super::statement::Row;
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::places::{ChunkVersion, Place, Surroundings, place_append, reach};
use crate::metadata::records::{Allocation, PendingSegment};

pub(super) async fn allocate_append(
    connection: &mut Connection,
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
    connection.statement(
        "INSERT INTO pending_segments (datasource, start_ms, end_ms, version, partition, owner) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(datasource)
    .bind(interval.start_ms)
    .bind(interval.end_ms)
    .bind(to_i64(version.0, "version")?)
    .bind(partition)
    .bind(owner)
    .execute()
    .await?;
    let id = SegmentId::new(datasource, interval, version, partition);
    let shard_spec = ShardSpec::numbered(partition, core_partitions);
    Ok(Allocation { segment: PendingSegment { id, shard_spec }, slice })
}

/// Forgets what `owner`, or nobody, allocated and never published; gives how many.
pub(super) async fn forget(connection: &mut Connection, owner: &str) -> Result<usize> {
    let forgotten = connection
        .statement("DELETE FROM pending_segments WHERE owner = $1 OR owner IS NULL")
        .bind(owner)
        .execute()
        .await?;
    Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
}

/// The next number of a chunk and version, which is not given out again.
pub(super) async fn next_partition(
    connection: &mut Connection,
    datasource: &str,
    interval: Interval,
    version: Version,
) -> Result<u32> {
    let row = connection
        .statement(
            "INSERT INTO chunk_versions (datasource, start_ms, end_ms, version, next_partition) \
         VALUES ($1, $2, $3, $4, 1) ON CONFLICT (datasource, start_ms, end_ms, version) \
         DO UPDATE SET next_partition = chunk_versions.next_partition + 1 \
         RETURNING chunk_versions.next_partition - 1 AS partition",
        )
        .bind(datasource)
        .bind(interval.start_ms)
        .bind(interval.end_ms)
        .bind(to_i64(version.0, "version")?)
        .fetch_one()
        .await?;
    u32::try_from(row.u64("partition")?)
        .map_err(|_| MetadataError::Invalid(format!("chunk {interval} has no partition left")))
}

async fn around(
    connection: &mut Connection,
    datasource: &str,
    asked: Interval,
) -> Result<Surroundings> {
    let pending = connection
        .statement(
            "SELECT DISTINCT start_ms, end_ms, version FROM pending_segments \
         WHERE datasource = $1 AND end_ms > $2 AND start_ms < $3",
        )
        .bind(datasource)
        .bind(asked.start_ms)
        .bind(asked.end_ms)
        .fetch_all()
        .await?;
    let pending = pending.iter().map(chunk_version).collect::<Result<Vec<_>>>()?;
    let rows = connection
        .statement(
            "SELECT start_ms, end_ms, version, max(used) AS used FROM segments \
         WHERE datasource = $1 AND used IN (0, 1) AND end_ms > $2 AND start_ms < $3 \
         GROUP BY start_ms, end_ms, version",
        )
        .bind(datasource)
        .bind(asked.start_ms)
        .bind(asked.end_ms)
        .fetch_all()
        .await?;
    let mut published = Vec::with_capacity(rows.len());
    let mut chunks: Vec<Interval> = pending.iter().map(|(interval, _)| *interval).collect();
    for row in &rows {
        let chunk = chunk_version(row)?;
        published.push(chunk);
        if row.u64("used")? == 1 {
            chunks.push(chunk.0);
        }
    }
    let used = used_overlapping(connection, datasource, &[reach(asked, chunks)]).await?;
    Ok(Surroundings { used, pending, published })
}

fn chunk_version(row: &Row) -> Result<ChunkVersion> {
    let start_ms = row.i64("start_ms")?;
    let end_ms = row.i64("end_ms")?;
    Ok((Interval { start_ms, end_ms }, Version(row.u64("version")?)))
}
