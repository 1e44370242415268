//! Between rows and records.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use xxhash_rust::xxh3::xxh3_64;

use crate::metadata::error::{MetadataError, Result};
use crate::metadata::records::{
    DeadLetter, IdempotencyRecord, PublishedSegment, StoredDeadLetter, TaskRecord, TaskStatus,
};

/// SQLite's primary result codes that mean "later".
const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const IO_ERROR: i64 = 10;
const CORRUPT: i64 = 11;
const FULL: i64 = 13;
const CANNOT_OPEN: i64 = 14;
const NOT_A_DATABASE: i64 = 26;

fn primary_code(error: &sqlx::Error) -> Option<i64> {
    let code: i64 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

pub(super) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
        other => matches!(primary_code(other), Some(BUSY | LOCKED | IO_ERROR | FULL | CANNOT_OPEN)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "passed to `map_err` by name")]
pub(super) fn store_error(error: sqlx::Error) -> MetadataError {
    if is_transient(&error) {
        return MetadataError::Unavailable(error.to_string());
    }
    match primary_code(&error) {
        Some(CORRUPT | NOT_A_DATABASE) => MetadataError::Corrupt(error.to_string()),
        _ => MetadataError::Internal(error.to_string()),
    }
}

/// SQLite's integers are signed.
pub(super) fn to_i64(value: u64, name: &str) -> Result<i64> {
    i64::try_from(value)
        .map_err(|_| MetadataError::Invalid(format!("{name} {value} is above 2^63 - 1")))
}

pub(super) fn get_u64(row: &SqliteRow, column: &str) -> Result<u64> {
    let value: i64 = row.try_get(column).map_err(store_error)?;
    u64::try_from(value)
        .map_err(|_| MetadataError::Corrupt(format!("column '{column}' holds {value}")))
}

fn get_text(row: &SqliteRow, column: &str) -> Result<String> {
    row.try_get(column).map_err(store_error)
}

fn get_i64(row: &SqliteRow, column: &str) -> Result<i64> {
    row.try_get(column).map_err(store_error)
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
pub(super) fn segment(row: &SqliteRow) -> Result<PublishedSegment> {
    let payload = get_text(row, "payload")?;
    if payload_checksum(&payload) != get_i64(row, "payload_checksum")? {
        let id = get_text(row, "id")?;
        return Err(MetadataError::Corrupt(format!("the record of segment '{id}' was changed")));
    }
    let segment: PublishedSegment = from_json(&payload)?;
    if segment.id.to_string() != get_text(row, "id")? {
        return Err(MetadataError::Corrupt(format!("segment '{}' under another id", segment.id)));
    }
    Ok(segment)
}

pub(super) fn idempotency(row: &SqliteRow) -> Result<IdempotencyRecord> {
    Ok(IdempotencyRecord {
        datasource: get_text(row, "datasource")?,
        key: get_text(row, "key")?,
        response_json: get_text(row, "response_json")?,
        created_ms: get_i64(row, "created_ms")?,
        body_hash: row.try_get("body_hash").map_err(store_error)?,
    })
}

pub(super) fn task(row: &SqliteRow) -> Result<TaskRecord> {
    let status = get_text(row, "status")?;
    Ok(TaskRecord {
        id: get_text(row, "id")?,
        task_type: get_text(row, "task_type")?,
        datasource: get_text(row, "datasource")?,
        created_ms: get_i64(row, "created_ms")?,
        status: TaskStatus::parse(&status)
            .ok_or_else(|| MetadataError::Corrupt(format!("task status '{status}'")))?,
        error: row.try_get("error").map_err(store_error)?,
        duration_ms: row.try_get("duration_ms").map_err(store_error)?,
        payload_json: get_text(row, "payload_json")?,
        progress: from_json(&get_text(row, "progress")?)?,
    })
}

pub(super) fn dead_letter(row: &SqliteRow) -> Result<StoredDeadLetter> {
    Ok(StoredDeadLetter {
        number: get_u64(row, "number")?,
        letter: DeadLetter {
            received_ms: get_i64(row, "received_ms")?,
            origin: get_text(row, "origin")?,
            position: get_u64(row, "position")?,
            offset_bytes: get_u64(row, "offset_bytes")?,
            reason: get_text(row, "reason")?,
            raw: get_text(row, "raw")?,
        },
    })
}
