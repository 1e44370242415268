//! The outbox of manifests, a complete one, and a store from one. Every function runs within the
//! caller's transaction.

use henge_types::{SegmentId, Version};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::convert::{self, from_json, get_u64, store_error, to_i64, to_json};
use super::segments::{insert_idempotency, insert_segment, mark_unused, next_counter};
use super::{documents, sources};
use crate::metadata::error::Result;
use crate::metadata::manifest::{FinishedTransaction, Manifest, ManifestState, WaitingManifest};

async fn counter(connection: &mut SqliteConnection, name: &str) -> Result<u64> {
    let row = sqlx::query("SELECT value FROM counters WHERE name = ?")
        .bind(name)
        .fetch_one(connection)
        .await
        .map_err(store_error)?;
    get_u64(&row, "value")
}

async fn set_counter(connection: &mut SqliteConnection, name: &str, value: u64) -> Result<()> {
    sqlx::query("UPDATE counters SET value = ? WHERE name = ?")
        .bind(to_i64(value, name)?)
        .bind(name)
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(())
}

/// Puts a change into the outbox, as the next manifest; gives its number.
pub(super) async fn enqueue(connection: &mut SqliteConnection, change: Manifest) -> Result<u64> {
    next_counter(connection, "manifest").await?;
    let manifest = with_head(connection, change).await?;
    if manifest.complete {
        set_counter(connection, "complete_manifest", manifest.number).await?;
    }
    sqlx::query("INSERT INTO manifests_waiting (number, body) VALUES (?, ?)")
        .bind(to_i64(manifest.number, "manifest number")?)
        .bind(manifest.encode()?)
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(manifest.number)
}

/// A change with what the store counts by now.
pub(super) async fn with_head(
    connection: &mut SqliteConnection,
    change: Manifest,
) -> Result<Manifest> {
    let cluster_uuid = sqlx::query_scalar("SELECT uuid FROM cluster")
        .fetch_one(&mut *connection)
        .await
        .map_err(store_error)?;
    Ok(Manifest {
        cluster_uuid,
        number: counter(connection, "manifest").await?,
        sequence: counter(connection, "sequence").await?,
        version: counter(connection, "version").await?,
        ..change
    })
}

pub(super) async fn waiting(
    connection: &mut SqliteConnection,
    limit: usize,
) -> Result<Vec<WaitingManifest>> {
    let rows = sqlx::query("SELECT number, body FROM manifests_waiting ORDER BY number LIMIT ?")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    let waiting = |row: &SqliteRow| {
        let text = row.try_get("body").map_err(store_error)?;
        Ok(WaitingManifest { number: get_u64(row, "number")?, text })
    };
    rows.iter().map(waiting).collect()
}

pub(super) async fn state(connection: &mut SqliteConnection) -> Result<ManifestState> {
    let row = sqlx::query(
        "SELECT (SELECT value FROM counters WHERE name = 'manifest') AS made, \
         (SELECT value FROM counters WHERE name = 'complete_manifest') AS complete, \
         (SELECT count(*) FROM manifests_waiting) AS waiting, \
         (SELECT coalesce(max(rowid), 0) FROM segments) AS segments, \
         (SELECT marked FROM cluster) AS marked",
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    Ok(ManifestState {
        made: get_u64(&row, "made")?,
        complete: get_u64(&row, "complete")?,
        waiting: get_u64(&row, "waiting")?,
        segments: get_u64(&row, "segments")?,
        marked: get_u64(&row, "marked")? != 0,
    })
}

/// All that is published, as a change from nothing.
pub(super) async fn everything(connection: &mut SqliteConnection) -> Result<Manifest> {
    let mut all = Manifest { complete: true, ..Manifest::default() };
    all.documents = documents::all(connection).await?;
    let rows = sqlx::query("SELECT id, payload, payload_checksum, used FROM segments ORDER BY id")
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
    for row in &rows {
        let segment = convert::segment(row)?;
        if get_u64(row, "used")? == 0 {
            all.unused.push(segment.id.clone());
        }
        all.segments.push(segment);
    }
    all.positions = sources::all(connection).await?;
    let rows = sqlx::query("SELECT * FROM idempotency ORDER BY datasource, key")
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
    all.keys = rows.iter().map(convert::idempotency).collect::<Result<_>>()?;
    let rows = sqlx::query(
        "SELECT transaction_id, fingerprint, outcome FROM publications \
         WHERE transaction_id IN (SELECT id FROM tasks) ORDER BY transaction_id",
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    for row in &rows {
        let outcome: String = row.try_get("outcome").map_err(store_error)?;
        all.transactions.push(FinishedTransaction {
            id: row.try_get("transaction_id").map_err(store_error)?,
            fingerprint: row.try_get("fingerprint").map_err(store_error)?,
            outcome: from_json(&outcome)?,
        });
    }
    Ok(all)
}

/// Fills an empty store with what a complete manifest says. Partitions of `reserved` and versions up
/// to `version` are never given out.
pub(super) async fn restore(
    connection: &mut SqliteConnection,
    all: &Manifest,
    version: Version,
    reserved: &[SegmentId],
) -> Result<()> {
    sqlx::query("UPDATE cluster SET uuid = ?, marked = 1")
        .bind(&all.cluster_uuid)
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    for document in &all.documents {
        documents::insert(connection, document).await?;
    }
    // Above every sequence that anyone may have followed.
    set_counter(connection, "sequence", all.sequence).await?;
    for segment in &all.segments {
        insert_segment(connection, segment).await?;
    }
    mark_unused(connection, &all.unused).await?;
    for source in &all.positions {
        let (id, partition) = (&source.source_id, &source.partition);
        sources::put(connection, id, partition, &source.mark()).await?;
    }
    for key in &all.keys {
        insert_idempotency(connection, key).await?;
    }
    for transaction in &all.transactions {
        insert_publication(connection, transaction).await?;
    }
    for id in reserved {
        reserve(connection, id).await?;
    }
    let highest = all.segments.iter().map(|segment| segment.id.version).max();
    let highest = highest.unwrap_or_default().max(version).max(Version(all.version));
    set_counter(connection, "version", highest.0).await?;
    set_counter(connection, "manifest", all.number).await?;
    // The next start says everything again, with the numbers given here.
    set_counter(connection, "complete_manifest", 0).await
}

async fn insert_publication(
    connection: &mut SqliteConnection,
    transaction: &FinishedTransaction,
) -> Result<()> {
    sqlx::query("INSERT INTO publications (transaction_id, fingerprint, outcome) VALUES (?, ?, ?)")
        .bind(&transaction.id)
        .bind(&transaction.fingerprint)
        .bind(to_json(&transaction.outcome)?)
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(())
}

/// Keeps an id from being given out.
pub(super) async fn reserve(connection: &mut SqliteConnection, id: &SegmentId) -> Result<()> {
    sqlx::query(
        "INSERT INTO chunk_versions VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE \
         SET next_partition = max(next_partition, excluded.next_partition)",
    )
    .bind(&*id.datasource)
    .bind(id.interval.start_ms)
    .bind(id.interval.end_ms)
    .bind(to_i64(id.version.0, "version")?)
    .bind(i64::from(id.partition) + 1)
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}
