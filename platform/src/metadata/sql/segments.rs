//! Segments: publishing, polling. Every function runs within the caller's transaction.

use henge_types::{Interval, SegmentId};

use super::convert::{from_json, payload_checksum, segment, to_i64, to_json};
use super::database::Connection;
use super::idempotency;
use super::manifests::{enqueue, reserve};
use super::{buffered, leases, sources};
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::manifest::Manifest;
use crate::metadata::records::{
    PublishOutcome, PublishRequest, PublishedSegment, SegmentChange, SegmentChanges, SegmentObject,
    SegmentSnapshot,
};
use crate::metadata::rules;
use crate::metadata::rules::{UsedSegment, append_conflicts, fingerprint, replaced_segments};
use crate::runtime::Clock;

/// Committed transactions are remembered this long, counted in transactions.
const KEPT_PUBLICATIONS: i64 = 100_000;

/// Advances a counter and gives its new value.
pub(super) async fn next_counter(connection: &mut Connection, name: &str) -> Result<u64> {
    let row = connection
        .statement("UPDATE counters SET value = value + 1 WHERE name = $1 RETURNING value")
        .bind(name)
        .fetch_one()
        .await?;
    row.u64("value")
}

/// The value of a counter.
pub(super) async fn counter(connection: &mut Connection, name: &str) -> Result<u64> {
    let row = connection
        .statement("SELECT value FROM counters WHERE name = $1")
        .bind(name)
        .fetch_one()
        .await?;
    row.u64("value")
}

pub(super) async fn used_overlapping(
    connection: &mut Connection,
    datasource: &str,
    intervals: &[Interval],
) -> Result<Vec<UsedSegment>> {
    let mut used = Vec::new();
    for interval in intervals {
        let rows = connection
            .statement(
                "SELECT id, payload, payload_checksum FROM segments \
             WHERE datasource = $1 AND used = 1 AND end_ms > $2 AND start_ms < $3",
            )
            .bind(datasource)
            .bind(interval.start_ms)
            .bind(interval.end_ms)
            .fetch_all()
            .await?;
        for row in &rows {
            let segment = segment(row)?;
            used.push(UsedSegment { id: segment.id, shard_spec: segment.shard_spec });
        }
    }
    Ok(used)
}

/// Applies a checked request.
pub(super) async fn publish(
    connection: &mut Connection,
    clock: &dyn Clock,
    request: &PublishRequest,
) -> Result<PublishOutcome> {
    let fingerprint = fingerprint(request);
    if let Some((published, outcome)) = publication(connection, &request.transaction_id).await? {
        if published != fingerprint {
            return Err(MetadataError::TransactionReused(request.transaction_id.clone()));
        }
        return Ok(outcome);
    }
    leases::check(connection, request.fence.as_ref()).await?;
    if let Some(source) = &request.source {
        sources::advance(connection, source).await?;
    }
    let replaced = check_segments(connection, request).await?;
    mark_unused(connection, clock, &replaced).await?;
    for segment in &request.segments {
        insert_segment(connection, segment).await?;
    }
    for record in &request.idempotency {
        idempotency::insert(connection, record).await?;
    }
    let sequence = counter(connection, "sequence").await?;
    let outcome = PublishOutcome { already_published: false, replaced, sequence };
    enqueue(connection, rules::manifest_of(request, &fingerprint, &outcome)).await?;
    connection
        .statement(
            "INSERT INTO publications (transaction_id, fingerprint, outcome) VALUES ($1, $2, $3)",
        )
        .bind(&request.transaction_id)
        .bind(fingerprint)
        .bind(to_json(&outcome)?)
        .execute()
        .await?;
    connection
        .statement(
            "DELETE FROM publications WHERE rowid <= (SELECT max(rowid) FROM publications) - $1",
        )
        .bind(KEPT_PUBLICATIONS)
        .execute()
        .await?;
    Ok(outcome)
}

/// A committed transaction: the fingerprint of its segments and its outcome.
pub(super) async fn publication(
    connection: &mut Connection,
    transaction_id: &str,
) -> Result<Option<(String, PublishOutcome)>> {
    let row = connection
        .statement("SELECT fingerprint, outcome FROM publications WHERE transaction_id = $1")
        .bind(transaction_id)
        .fetch_optional()
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let outcome: String = row.text("outcome")?;
    let outcome = PublishOutcome { already_published: true, ..from_json(&outcome)? };
    Ok(Some((row.text("fingerprint")?, outcome)))
}

/// Gives the segments that the request replaces.
async fn check_segments(
    connection: &mut Connection,
    request: &PublishRequest,
) -> Result<Vec<SegmentId>> {
    for segment in &request.segments {
        let exists = connection
            .statement("SELECT 1 FROM segments WHERE id = $1")
            .bind(segment.id.to_string())
            .fetch_optional()
            .await?;
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
    connection: &mut Connection,
    segment: &PublishedSegment,
) -> Result<()> {
    let id = &segment.id;
    let version = to_i64(id.version.0, "version")?;
    let sequence = next_counter(connection, "sequence").await?;
    let payload = to_json(segment)?;
    let checksum = payload_checksum(&payload);
    connection
        .statement(
            "INSERT INTO segments (id, datasource, start_ms, end_ms, version, partition, used, \
         sequence, payload, payload_checksum, object_key) \
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10)",
        )
        .bind(id.to_string())
        .bind(&*id.datasource)
        .bind(id.interval.start_ms)
        .bind(id.interval.end_ms)
        .bind(version)
        .bind(id.partition)
        .bind(to_i64(sequence, "sequence")?)
        .bind(payload)
        .bind(checksum)
        .bind(&segment.object_key)
        .execute()
        .await?;
    connection
        .statement(
            "DELETE FROM pending_segments WHERE datasource = $1 AND start_ms = $2 AND end_ms = $3 \
         AND version = $4 AND partition = $5",
        )
        .bind(&*id.datasource)
        .bind(id.interval.start_ms)
        .bind(id.interval.end_ms)
        .bind(version)
        .bind(id.partition)
        .execute()
        .await?;
    buffered::remove(connection, id).await?;
    reserve(connection, id).await
}

/// Gives those that were used before.
pub(super) async fn mark_unused(
    connection: &mut Connection,
    clock: &dyn Clock,
    ids: &[SegmentId],
) -> Result<Vec<SegmentId>> {
    let mut marked = Vec::new();
    if ids.is_empty() {
        return Ok(marked);
    }
    let now_ms = leases::now_ms(connection, clock).await?;
    for id in ids {
        let changed = connection
            .statement(
                "UPDATE segments SET used = 0, unused_ms = $2, \
             sequence = (SELECT value + 1 FROM counters WHERE name = 'sequence') \
             WHERE id = $1 AND used = 1",
            )
            .bind(id.to_string())
            .bind(now_ms)
            .execute()
            .await?;
        if changed > 0 {
            next_counter(connection, "sequence").await?;
            marked.push(id.clone());
        }
    }
    Ok(marked)
}

/// Marks segments unused and says so in a manifest; gives how many were used before.
pub(super) async fn drop_used(
    connection: &mut Connection,
    clock: &dyn Clock,
    ids: &[SegmentId],
) -> Result<usize> {
    let unused = mark_unused(connection, clock, ids).await?;
    let marked = unused.len();
    if marked > 0 {
        enqueue(connection, Manifest { unused, ..Manifest::default() }).await?;
    }
    Ok(marked)
}

/// Does nothing when the segment has the new object already.
pub(super) async fn replace_object(
    connection: &mut Connection,
    id: &SegmentId,
    expected: &SegmentObject,
    new: &SegmentObject,
) -> Result<()> {
    let row = connection
        .statement("SELECT id, payload, payload_checksum FROM segments WHERE id = $1 AND used = 1")
        .bind(id.to_string())
        .fetch_optional()
        .await?;
    let known = row.as_ref().map(segment).transpose()?;
    let Some(changed) = rules::with_object(id, known, expected, new)? else { return Ok(()) };
    let sequence = next_counter(connection, "sequence").await?;
    let payload = to_json(&changed)?;
    connection
        .statement(
            "UPDATE segments SET payload = $1, payload_checksum = $2, sequence = $3, \
             object_key = $4 WHERE id = $5",
        )
        .bind(&payload)
        .bind(payload_checksum(&payload))
        .bind(to_i64(sequence, "sequence")?)
        .bind(&changed.object_key)
        .bind(id.to_string())
        .execute()
        .await?;
    enqueue(connection, Manifest { segments: vec![changed], ..Manifest::default() }).await?;
    Ok(())
}

pub(super) async fn snapshot(connection: &mut Connection) -> Result<SegmentSnapshot> {
    let sequence = counter(connection, "sequence").await?;
    let rows = connection
        .statement("SELECT id, payload, payload_checksum FROM segments WHERE used = 1 ORDER BY id")
        .fetch_all()
        .await?;
    let segments = rows.iter().map(segment).collect::<Result<_>>()?;
    Ok(SegmentSnapshot { segments, sequence, complete: true })
}

/// Segments that one statement looks up.
const FOUND_AT_ONCE: usize = 50;

/// Those that are used.
pub(super) async fn find_used(
    connection: &mut Connection,
    ids: &[SegmentId],
) -> Result<Vec<PublishedSegment>> {
    let mut found = Vec::with_capacity(ids.len());
    for some in ids.chunks(FOUND_AT_ONCE) {
        let mut statement = connection.statement(
            "SELECT id, payload, payload_checksum FROM segments WHERE used = 1 AND id IN ( \
         $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
         $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, \
         $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, \
         $46, $47, $48, $49, $50)",
        );
        // The last one again where there are fewer.
        for id in some.iter().chain(some.last().into_iter().cycle()).take(FOUND_AT_ONCE) {
            statement = statement.bind(id.to_string());
        }
        for row in &statement.fetch_all().await? {
            found.push(segment(row)?);
        }
    }
    Ok(found)
}

pub(super) async fn changes(
    connection: &mut Connection,
    after: u64,
    limit: usize,
) -> Result<SegmentChanges> {
    let rows = connection
        .statement(
            "SELECT id, payload, payload_checksum, used, sequence FROM segments \
         WHERE sequence > $1 ORDER BY sequence LIMIT $2",
        )
        .bind(to_i64(after, "sequence")?)
        .bind(i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX))
        .fetch_all()
        .await?;
    let mut answer = SegmentChanges {
        sequence: after,
        more: rows.len() > limit,
        changes: Vec::with_capacity(rows.len().min(limit)),
    };
    for row in rows.iter().take(limit) {
        let segment = segment(row)?;
        answer.sequence = row.u64("sequence")?;
        answer.changes.push(match row.u64("used")? {
            0 => SegmentChange::Unused(segment.id),
            _ => SegmentChange::Used(Box::new(segment)),
        });
    }
    Ok(answer)
}
