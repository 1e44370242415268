//! Between rows and records.

use xxhash_rust::xxh3::xxh3_64;

use super::statement::Row;
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::records::{
    DeadLetter, IdempotencyRecord, PublishedSegment, StoredDeadLetter, TaskRecord, TaskStatus,
};

/// The integers of both databases are signed.
pub(super) fn to_i64(value: u64, name: &str) -> Result<i64> {
    i64::try_from(value)
        .map_err(|_| MetadataError::Invalid(format!("{name} {value} is above 2^63 - 1")))
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| MetadataError::Internal(error.to_string()))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| MetadataError::Corrupt(format!("a stored record cannot be read: {error}")))
}

pub(super) fn payload_checksum(payload: &str) -> i64 {
    xxh3_64(payload.as_bytes()).cast_signed()
}

/// A segment, unless a byte of it changed in the database.
pub(super) fn segment(row: &Row) -> Result<PublishedSegment> {
    let payload = row.text("payload")?;
    if payload_checksum(&payload) != row.i64("payload_checksum")? {
        let id = row.text("id")?;
        return Err(MetadataError::Corrupt(format!("the record of segment '{id}' was changed")));
    }
    let segment: PublishedSegment = from_json(&payload)?;
    if segment.id.to_string() != row.text("id")? {
        return Err(MetadataError::Corrupt(format!("segment '{}' under another id", segment.id)));
    }
    Ok(segment)
}

pub(super) fn idempotency(row: &Row) -> Result<IdempotencyRecord> {
    Ok(IdempotencyRecord {
        datasource: row.text("datasource")?,
        key: row.text("key")?,
        response_json: row.text("response_json")?,
        created_ms: row.i64("created_ms")?,
        body_hash: row.optional_text("body_hash")?,
    })
}

pub(super) fn task(row: &Row) -> Result<TaskRecord> {
    let status = row.text("status")?;
    Ok(TaskRecord {
        id: row.text("id")?,
        task_type: row.text("task_type")?,
        datasource: row.text("datasource")?,
        owner: row.text("owner")?,
        created_ms: row.i64("created_ms")?,
        status: TaskStatus::parse(&status)
            .ok_or_else(|| MetadataError::Corrupt(format!("task status '{status}'")))?,
        error: row.optional_text("error")?,
        duration_ms: row.optional_i64("duration_ms")?,
        payload_json: row.text("payload_json")?,
        progress: from_json(&row.text("progress")?)?,
    })
}

pub(super) fn dead_letter(row: &Row) -> Result<StoredDeadLetter> {
    Ok(StoredDeadLetter {
        number: row.u64("number")?,
        letter: DeadLetter {
            received_ms: row.i64("received_ms")?,
            origin: row.text("origin")?,
            position: row.u64("position")?,
            offset_bytes: row.u64("offset_bytes")?,
            reason: row.text("reason")?,
            raw: row.text("raw")?,
        },
    })
}
