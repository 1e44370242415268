//! Segments: publishing, polling. Every function runs within the caller's transaction.

use henge_types::{Interval, SegmentId};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::convert::{from_json, get_u64, payload_checksum, segment, store_error, to_i64, to_json};
use super::manifests::{enqueue, reserve};
use super::{buffered, sources};
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::manifest::Manifest;
use crate::metadata::records::{
    IdempotencyRecord, PublishOutcome, PublishRequest, PublishedSegment, SegmentChange,
    SegmentChanges, SegmentObject, SegmentSnapshot,
};
use crate::metadata::rules;
use crate::metadata::rules::{UsedSegment, append_conflicts, fingerprint, replaced_segments};

/// Committed transactions are remembered this long, counted in transactions.
const KEPT_PUBLICATIONS: i64 = 100_000;

/// Advances a counter and gives its new value.
pub(super) async fn next_counter(connection: &mut SqliteConnection, name: &str) -> Result<u64> {
    let row = sqlx::query("UPDATE counters SET value = value + 1 WHERE name = ? RETURNING value")
        .bind(name)
        .fetch_one(connection)
        .await
        .map_err(store_error)?;
    get_u64(&row, "value")
}

async fn sequence(connection: &mut SqliteConnection) -> Result<u64> {
    let row = sqlx::query("SELECT value FROM counters WHERE name = 'sequence'")
        .fetch_one(connection)
        .await
        .map_err(store_error)?;
    get_u64(&row, "value")
}

pub(super) async fn used_overlapping(
    connection: &mut SqliteConnection,
    datasource: &str,
    intervals: &[Interval],
) -> Result<Vec<UsedSegment>> {
    let mut used = Vec::new();
    for interval in intervals {
        let rows = sqlx::query(
            "SELECT id, payload, payload_checksum FROM segments \
             WHERE datasource = ? AND used = 1 AND end_ms > ? AND start_ms < ?",
        )
        .bind(datasource)
        .bind(interval.start_ms)
        .bind(interval.end_ms)
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
        for row in &rows {
            let segment = segment(row)?;
            used.push(UsedSegment { id: segment.id, shard_spec: segment.shard_spec });
        }
    }
    Ok(used)
}

/// Applies a checked request.
pub(super) async fn publish(
    connection: &mut SqliteConnection,
    request: &PublishRequest,
) -> Result<PublishOutcome> {
    let fingerprint = fingerprint(request);
    if let Some((published, outcome)) = publication(connection, &request.transaction_id).await? {
        if published != fingerprint {
            return Err(MetadataError::TransactionReused(request.transaction_id.clone()));
        }
        return Ok(outcome);
    }
    if let Some(source) = &request.source {
        sources::advance(connection, source).await?;
    }
    let replaced = check_segments(connection, request).await?;
    mark_unused(connection, &replaced).await?;
    for segment in &request.segments {
        insert_segment(connection, segment).await?;
    }
    for record in &request.idempotency {
        insert_idempotency(connection, record).await?;
    }
    let sequence = sequence(connection).await?;
    let outcome = PublishOutcome { already_published: false, replaced, sequence };
    enqueue(connection, rules::manifest_of(request, &fingerprint, &outcome)).await?;
    sqlx::query("INSERT INTO publications (transaction_id, fingerprint, outcome) VALUES (?, ?, ?)")
        .bind(&request.transaction_id)
        .bind(fingerprint)
        .bind(to_json(&outcome)?)
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    sqlx::query(
        "DELETE FROM publications WHERE rowid <= (SELECT max(rowid) FROM publications) - ?",
    )
    .bind(KEPT_PUBLICATIONS)
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(outcome)
}

/// A committed transaction: the fingerprint of its segments and its outcome.
pub(super) async fn publication(
    connection: &mut SqliteConnection,
    transaction_id: &str,
) -> Result<Option<(String, PublishOutcome)>> {
    let row = sqlx::query("SELECT fingerprint, outcome FROM publications WHERE transaction_id = ?")
        .bind(transaction_id)
        .fetch_optional(connection)
        .await
        .map_err(store_error)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let outcome: String = row.try_get("outcome").map_err(store_error)?;
    let outcome = PublishOutcome { already_published: true, ..from_json(&outcome)? };
    Ok(Some((row.try_get("fingerprint").map_err(store_error)?, outcome)))
}

/// Gives the segments that the request replaces.
async fn check_segments(
    connection: &mut SqliteConnection,
    request: &PublishRequest,
) -> Result<Vec<SegmentId>> {
    for segment in &request.segments {
        let exists = sqlx::query("SELECT 1 FROM segments WHERE id = ?")
            .bind(segment.id.to_string())
            .fetch_optional(&mut *connection)
            .await
            .map_err(store_error)?;
        if exists.is_some() {
            return Err(MetadataError::SegmentExists(segment.id.clone()));
        }
    }
    if let Some(scope) = &request.replace {
        let used = used_overlapping(connection, &scope.datasource, &scope.intervals).await?;
        return replaced_segments(scope, &request.segments, &used);
    }
    let mut used = Vec::new();
    for segment in &request.segments {
        let id = &segment.id;
        used.extend(used_overlapping(connection, &id.datasource, &[id.interval]).await?);
    }
    let ids = append_conflicts(&request.segments, &used);
    if ids.is_empty() { Ok(Vec::new()) } else { Err(MetadataError::VersionConflict { ids }) }
}

pub(super) async fn insert_segment(
    connection: &mut SqliteConnection,
    segment: &PublishedSegment,
) -> Result<()> {
    let id = &segment.id;
    let version = to_i64(id.version.0, "version")?;
    let sequence = next_counter(connection, "sequence").await?;
    let payload = to_json(segment)?;
    let checksum = payload_checksum(&payload);
    sqlx::query(
        "INSERT INTO segments (id, datasource, start_ms, end_ms, version, partition, used, \
         sequence, payload, payload_checksum) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?)",
    )
    .bind(id.to_string())
    .bind(&*id.datasource)
    .bind(id.interval.start_ms)
    .bind(id.interval.end_ms)
    .bind(version)
    .bind(i64::from(id.partition))
    .bind(to_i64(sequence, "sequence")?)
    .bind(payload)
    .bind(checksum)
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query(
        "DELETE FROM pending_segments WHERE datasource = ? AND start_ms = ? AND end_ms = ? \
         AND version = ? AND partition = ?",
    )
    .bind(&*id.datasource)
    .bind(id.interval.start_ms)
    .bind(id.interval.end_ms)
    .bind(version)
    .bind(i64::from(id.partition))
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    buffered::remove(connection, id).await?;
    reserve(connection, id).await
}

pub(super) async fn insert_idempotency(
    connection: &mut SqliteConnection,
    record: &IdempotencyRecord,
) -> Result<()> {
    sqlx::query(
        "INSERT OR IGNORE INTO idempotency \
         (datasource, key, response_json, created_ms, body_hash, published_uptime_ms) \
         VALUES (?, ?, ?, ?, ?, (SELECT value FROM counters WHERE name = 'uptime_ms'))",
    )
    .bind(&record.datasource)
    .bind(&record.key)
    .bind(&record.response_json)
    .bind(record.created_ms)
    .bind(&record.body_hash)
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Gives those that were used before.
pub(super) async fn mark_unused(
    connection: &mut SqliteConnection,
    ids: &[SegmentId],
) -> Result<Vec<SegmentId>> {
    let mut marked = Vec::new();
    for id in ids {
        let changed = sqlx::query(
            "UPDATE segments SET used = 0, \
             sequence = (SELECT value + 1 FROM counters WHERE name = 'sequence') \
             WHERE id = ? AND used = 1",
        )
        .bind(id.to_string())
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
        if changed.rows_affected() > 0 {
            next_counter(connection, "sequence").await?;
            marked.push(id.clone());
        }
    }
    Ok(marked)
}

/// False when the segment has the new object already.
pub(super) async fn replace_object(
    connection: &mut SqliteConnection,
    id: &SegmentId,
    expected: &SegmentObject,
    new: &SegmentObject,
) -> Result<bool> {
    let row =
        sqlx::query("SELECT id, payload, payload_checksum FROM segments WHERE id = ? AND used = 1")
            .bind(id.to_string())
            .fetch_optional(&mut *connection)
            .await
            .map_err(store_error)?;
    let known = row.as_ref().map(segment).transpose()?;
    let Some(changed) = rules::with_object(id, known, expected, new)? else { return Ok(false) };
    let sequence = next_counter(connection, "sequence").await?;
    let payload = to_json(&changed)?;
    sqlx::query("UPDATE segments SET payload = ?, payload_checksum = ?, sequence = ? WHERE id = ?")
        .bind(&payload)
        .bind(payload_checksum(&payload))
        .bind(to_i64(sequence, "sequence")?)
        .bind(id.to_string())
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    enqueue(connection, Manifest { segments: vec![changed], ..Manifest::default() }).await?;
    Ok(true)
}

pub(super) async fn snapshot(connection: &mut SqliteConnection) -> Result<SegmentSnapshot> {
    let sequence = sequence(connection).await?;
    let rows = sqlx::query(
        "SELECT id, payload, payload_checksum FROM segments WHERE used = 1 ORDER BY id",
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    let segments = rows.iter().map(segment).collect::<Result<_>>()?;
    Ok(SegmentSnapshot { segments, sequence, complete: true })
}

pub(super) async fn changes(
    connection: &mut SqliteConnection,
    after: u64,
    limit: usize,
) -> Result<SegmentChanges> {
    let rows = sqlx::query(
        "SELECT id, payload, payload_checksum, used, sequence FROM segments \
         WHERE sequence > ? ORDER BY sequence LIMIT ?",
    )
    .bind(to_i64(after, "sequence")?)
    .bind(i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    let mut answer = SegmentChanges {
        sequence: after,
        more: rows.len() > limit,
        changes: Vec::with_capacity(rows.len().min(limit)),
    };
    for row in rows.iter().take(limit) {
        let segment = segment(row)?;
        answer.sequence = get_u64(row, "sequence")?;
        answer.changes.push(match get_u64(row, "used")? {
            0 => SegmentChange::Unused(segment.id),
            _ => SegmentChange::Used(Box::new(segment)),
        });
    }
    Ok(answer)
}
