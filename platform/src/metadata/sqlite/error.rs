//! What SQLite's errors mean to callers.

use crate::metadata::error::MetadataError;

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

/// As the error of the store.
#[expect(clippy::needless_pass_by_value, reason = "passed to `map_err` by name")]
pub(in crate::metadata) fn store_error(error: sqlx::Error) -> MetadataError {
    if is_transient(&error) {
        return MetadataError::Unavailable(error.to_string());
    }
    match primary_code(&error) {
        Some(CORRUPT | NOT_A_DATABASE) => MetadataError::Corrupt(error.to_string()),
        _ => MetadataError::Internal(error.to_string()),
    }
}
