//! The pushes that are published, by their keys. Every function runs within the caller's transaction.

use super::convert::{self, to_i64};
use super::database::Connection;
use crate::metadata::error::Result;
use crate::metadata::records::IdempotencyRecord;

pub(super) async fn find(
    connection: &mut Connection,
    datasource: &str,
    key: &str,
) -> Result<Option<IdempotencyRecord>> {
    let row = connection
        .statement("SELECT * FROM idempotency WHERE datasource = $1 AND key = $2")
        .bind(datasource)
        .bind(key)
        .fetch_optional()
        .await?;
    row.as_ref().map(convert::idempotency).transpose()
}

/// Remembers a key, unless it is known.
pub(super) async fn insert(connection: &mut Connection, record: &IdempotencyRecord) -> Result<()> {
    connection
        .statement(
            "INSERT INTO idempotency \
         (datasource, key, response_json, created_ms, body_hash, published_uptime_ms) \
         VALUES ($1, $2, $3, $4, $5, (SELECT value FROM counters WHERE name = 'uptime_ms')) \
         ON CONFLICT (datasource, key) DO NOTHING",
        )
        .bind(&record.datasource)
        .bind(&record.key)
        .bind(&record.response_json)
        .bind(record.created_ms)
        .bind(&record.body_hash)
        .execute()
        .await?;
    Ok(())
}

/// Adds to the time that servers have run on the store; gives the sum.
pub(super) async fn add_uptime(connection: &mut Connection, elapsed_ms: u64) -> Result<u64> {
    let row = connection
        .statement(
            "UPDATE counters SET value = value + $1 WHERE name = 'uptime_ms' RETURNING value",
        )
        .bind(to_i64(elapsed_ms, "uptime")?)
        .fetch_one()
        .await?;
    row.u64("value")
}

/// Forgets keys that were published before this much uptime; gives how many went.
pub(super) async fn prune(connection: &mut Connection, before_uptime_ms: u64) -> Result<usize> {
    let pruned = connection
        .statement("DELETE FROM idempotency WHERE published_uptime_ms < $1")
        .bind(to_i64(before_uptime_ms, "uptime")?)
        .execute()
        .await?;
    Ok(usize::try_from(pruned).unwrap_or(usize::MAX))
}
