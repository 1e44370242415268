//! Leases and fences. Every function runs within the caller's transaction.

use super::convert::to_i64;
use super::database::Connection;
use super::segments::next_counter;
use super::statement::Row;
use crate::metadata::error::Result;
use crate::metadata::leases::{Asked, Fence, Lease, StoredLease, asked, check_fence};
use crate::runtime::Clock;

/// The store's time: of PostgreSQL, which all processes share, or of the one process.
pub(super) async fn now_ms(connection: &mut Connection, clock: &dyn Clock) -> Result<i64> {
    match connection {
        // Not the beginning of the transaction: it may have waited for others.
        Connection::Postgres(_) => {
            let now = connection.statement(
                "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT) AS now_ms",
            );
            now.fetch_one().await?.i64("now_ms")
        }
        Connection::SqliteReader(_) | Connection::SqliteTransaction(_) => Ok(clock.now_ms()),
    }
}

async fn stored(connection: &mut Connection, name: &str) -> Result<Option<StoredLease>> {
    let row = connection.statement("SELECT * FROM leases WHERE name = $1").bind(name);
    row.fetch_optional().await?.as_ref().map(of_row).transpose()
}

fn of_row(row: &Row) -> Result<StoredLease> {
    Ok(StoredLease {
        holder: row.optional_text("holder")?,
        epoch: row.u64("epoch")?,
        expires_ms: row.i64("expires_ms")?,
    })
}

async fn put(connection: &mut Connection, name: &str, lease: &StoredLease) -> Result<()> {
    connection
        .statement(
            "INSERT INTO leases (name, holder, epoch, expires_ms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = excluded.epoch, \
             expires_ms = excluded.expires_ms",
        )
        .bind(name)
        .bind(&lease.holder)
        .bind(to_i64(lease.epoch, "epoch")?)
        .bind(lease.expires_ms)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn acquire(
    connection: &mut Connection,
    clock: &dyn Clock,
    name: &str,
    holder: &str,
    ttl_ms: u64,
) -> Result<Lease> {
    let known = stored(connection, name).await?;
    let now_ms = now_ms(connection, clock).await?;
    let lease = match asked(known, holder, now_ms) {
        Asked::Refused(other) => return Ok(other.at(name, now_ms)),
        Asked::Kept(lease) => lease,
        Asked::Taken => {
            // From the sequence of versions, which goes on above all of its numbers after a rebuild.
            let epoch = next_counter(connection, "version").await?;
            StoredLease { holder: Some(holder.to_owned()), epoch, expires_ms: now_ms }
        }
    };
    let lease = lease.renewed(now_ms, ttl_ms);
    put(connection, name, &lease).await?;
    Ok(lease.at(name, now_ms))
}

pub(super) async fn renew(
    connection: &mut Connection,
    clock: &dyn Clock,
    fence: &Fence,
    ttl_ms: u64,
) -> Result<Lease> {
    let lease = check_fence(stored(connection, &fence.lease).await?, fence)?;
    let now_ms = now_ms(connection, clock).await?;
    let lease = lease.renewed(now_ms, ttl_ms);
    put(connection, &fence.lease, &lease).await?;
    Ok(lease.at(&fence.lease, now_ms))
}

pub(super) async fn release(
    connection: &mut Connection,
    clock: &dyn Clock,
    fence: &Fence,
) -> Result<()> {
    let lease = check_fence(stored(connection, &fence.lease).await?, fence)?;
    let now_ms = now_ms(connection, clock).await?;
    put(connection, &fence.lease, &lease.released(now_ms)).await
}

pub(super) async fn read(
    connection: &mut Connection,
    clock: &dyn Clock,
    name: &str,
) -> Result<Option<Lease>> {
    let Some(lease) = stored(connection, name).await? else { return Ok(None) };
    let now_ms = now_ms(connection, clock).await?;
    Ok(Some(lease.at(name, now_ms)))
}

pub(super) async fn list(connection: &mut Connection, clock: &dyn Clock) -> Result<Vec<Lease>> {
    let rows = connection.statement("SELECT * FROM leases ORDER BY name").fetch_all().await?;
    let now_ms = now_ms(connection, clock).await?;
    let lease = |row: &Row| Ok(of_row(row)?.at(&row.text("name")?, now_ms));
    rows.iter().map(lease).collect()
}

/// Refuses a write whose fence is of an earlier epoch.
pub(super) async fn check(connection: &mut Connection, fence: Option<&Fence>) -> Result<()> {
    let Some(fence) = fence else { return Ok(()) };
    check_fence(stored(connection, &fence.lease).await?, fence).map(|_| ())
}
