//! The outbox of manifests, a complete one, and a store from one. Every function runs within the
//! caller's transaction.

use henge_types::{SegmentId, Version};

use super::convert::{self, from_json, to_i64, to_json};
use super::database::Connection;
use super::segments::{counter, insert_segment, mark_unused, next_counter};
use super::statement::Row;
use super::unused::set_deletion;
use super::{documents, idempotency, sources};
use crate::metadata::error::Result;
use crate::metadata::manifest::{FinishedTransaction, Manifest, ManifestState, WaitingManifest};
use crate::metadata::unused::Deletion;
use crate::runtime::Clock;

async fn set_counter(connection: &mut Connection, name: &str, value: u64) -> Result<()> {
    connection
        .statement("UPDATE counters SET value = $1 WHERE name = $2")
        .bind(to_i64(value, name)?)
        .bind(name)
        .execute()
        .await?;
    Ok(())
}

/// Puts a change into the outbox, as the next manifest; gives its number.
pub(super) async fn enqueue(connection: &mut Connection, change: Manifest) -> Result<u64> {
    next_counter(connection, "manifest").await?;
    let manifest = with_head(connection, change).await?;
    if manifest.complete {
        set_counter(connection, "complete_manifest", manifest.number).await?;
    }
    connection
        .statement("INSERT INTO manifests_waiting (number, body) VALUES ($1, $2)")
        .bind(to_i64(manifest.number, "manifest number")?)
        .bind(manifest.encode()?)
        .execute()
        .await?;
    Ok(manifest.number)
}

/// A change with what the store counts by now.
pub(super) async fn with_head(connection: &mut Connection, change: Manifest) -> Result<Manifest> {
    let cluster = connection.statement("SELECT uuid FROM cluster").fetch_one().await?;
    Ok(Manifest {
        cluster_uuid: cluster.text("uuid")?,
        number: counter(connection, "manifest").await?,
        sequence: counter(connection, "sequence").await?,
        version: counter(connection, "version").await?,
        ..change
    })
}

pub(super) async fn waiting(
    connection: &mut Connection,
    limit: usize,
) -> Result<Vec<WaitingManifest>> {
    let rows = connection
        .statement("SELECT number, body FROM manifests_waiting ORDER BY number LIMIT $1")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all()
        .await?;
    let waiting = |row: &Row| {
        let text = row.text("body")?;
        Ok(WaitingManifest { number: row.u64("number")?, text })
    };
    rows.iter().map(waiting).collect()
}

/// Those up to a number are in deep storage.
pub(super) async fn forget_waiting(connection: &mut Connection, up_to: u64) -> Result<()> {
    connection
        .statement("DELETE FROM manifests_waiting WHERE number <= $1")
        .bind(to_i64(up_to, "manifest number")?)
        .execute()
        .await?;
    Ok(())
}

/// Every folder of the cluster carries its identity from now on.
pub(super) async fn mark_cluster(connection: &mut Connection) -> Result<()> {
    connection.statement("UPDATE cluster SET marked = 1").execute().await?;
    Ok(())
}

pub(super) async fn state(connection: &mut Connection) -> Result<ManifestState> {
    let row = connection
        .statement(
            "SELECT (SELECT value FROM counters WHERE name = 'manifest') AS made, \
         (SELECT value FROM counters WHERE name = 'complete_manifest') AS complete, \
         (SELECT count(*) FROM manifests_waiting) AS waiting, \
         (SELECT coalesce(max(rowid), 0) FROM segments) AS segments, \
         (SELECT marked FROM cluster) AS marked",
        )
        .fetch_one()
        .await?;
    Ok(ManifestState {
        made: row.u64("made")?,
        complete: row.u64("complete")?,
        waiting: row.u64("waiting")?,
        segments: row.u64("segments")?,
        marked: row.u64("marked")? != 0,
    })
}

/// All that is published, as a change from nothing.
pub(super) async fn everything(connection: &mut Connection) -> Result<Manifest> {
    let mut all = Manifest { complete: true, ..Manifest::default() };
    all.documents = documents::all(connection).await?;
    let rows = connection
        .statement("SELECT id, payload, payload_checksum, used, deletion FROM segments ORDER BY id")
        .fetch_all()
        .await?;
    for row in &rows {
        let segment = convert::segment(row)?;
        if row.u64("used")? == 0 {
            all.unused.push(segment.id.clone());
        }
        if row.u64("deletion")? > 0 {
            all.condemned.push(segment.id.clone());
        }
        all.segments.push(segment);
    }
    all.positions = sources::all(connection).await?;
    let rows = connection
        .statement("SELECT * FROM idempotency ORDER BY datasource, key")
        .fetch_all()
        .await?;
    all.keys = rows.iter().map(convert::idempotency).collect::<Result<_>>()?;
    let rows = connection
        .statement(
            "SELECT transaction_id, fingerprint, outcome FROM publications \
         WHERE transaction_id IN (SELECT id FROM tasks) ORDER BY transaction_id",
        )
        .fetch_all()
        .await?;
    for row in &rows {
        let outcome: String = row.text("outcome")?;
        all.transactions.push(FinishedTransaction {
            id: row.text("transaction_id")?,
            fingerprint: row.text("fingerprint")?,
            outcome: from_json(&outcome)?,
        });
    }
    Ok(all)
}

/// Fills an empty store with what a complete manifest says. Partitions of `reserved` and versions up
/// to `version` are never given out.
pub(super) async fn restore(
    connection: &mut Connection,
    clock: &dyn Clock,
    all: &Manifest,
    version: Version,
    reserved: &[SegmentId],
) -> Result<()> {
    connection
        .statement("UPDATE cluster SET uuid = $1, marked = 1")
        .bind(&all.cluster_uuid)
        .execute()
        .await?;
    for document in &all.documents {
        documents::insert(connection, document).await?;
    }
    // Above every sequence that anyone may have followed.
    set_counter(connection, "sequence", all.sequence).await?;
    for segment in &all.segments {
        insert_segment(connection, segment).await?;
    }
    mark_unused(connection, clock, &all.unused).await?;
    for id in &all.condemned {
        set_deletion(connection, id, Deletion::Condemned).await?;
    }
    for source in &all.positions {
        let (id, partition) = (&source.source_id, &source.partition);
        sources::put(connection, id, partition, &source.mark()).await?;
    }
    for key in &all.keys {
        idempotency::insert(connection, key).await?;
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
    connection: &mut Connection,
    transaction: &FinishedTransaction,
) -> Result<()> {
    connection
        .statement(
            "INSERT INTO publications (transaction_id, fingerprint, outcome) VALUES ($1, $2, $3)",
        )
        .bind(&transaction.id)
        .bind(&transaction.fingerprint)
        .bind(to_json(&transaction.outcome)?)
        .execute()
        .await?;
    Ok(())
}

/// Keeps an id from being given out.
pub(super) async fn reserve(connection: &mut Connection, id: &SegmentId) -> Result<()> {
    connection
        .statement(
            "INSERT INTO chunk_versions (datasource, start_ms, end_ms, version, next_partition) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (datasource, start_ms, end_ms, version) \
         DO UPDATE SET next_partition = excluded.next_partition \
         WHERE excluded.next_partition > chunk_versions.next_partition",
        )
        .bind(&*id.datasource)
        .bind(id.interval.start_ms)
        .bind(id.interval.end_ms)
        .bind(to_i64(id.version.0, "version")?)
        .bind(i64::from(id.partition) + 1)
        .execute()
        .await?;
    Ok(())
}
