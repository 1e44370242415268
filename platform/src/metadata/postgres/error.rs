//! What PostgreSQL's errors mean to callers.

use crate::metadata::error::MetadataError;

/// What was said over a connection that does not go on.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        // Of these, only those after which the server hangs up: it stops, it crashed, it starts, or a
        // transaction did nothing for too long.
        sqlx::Error::Database(error) => {
            matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P03" | "25P03"))
        }
        sqlx::Error::RowNotFound
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::Encode(_) => false,
        _ => true,
    }
}

fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => {
            let code = error.code();
            let code = code.as_deref().unwrap_or_default();
            // Connections, rollbacks, resources, operators, and what is wrong around the server; a server
            // that only reads is one that another took over from.
            let classes = ["08", "40", "53", "57", "58"];
            classes.iter().any(|class| code.starts_with(class))
                || matches!(code, "55P03" | "25P03" | "25006")
        }
        _ => false,
    }
}

/// As the error of the store.
#[expect(clippy::needless_pass_by_value, reason = "passed to `map_err` by name")]
pub(in crate::metadata) fn store_error(error: sqlx::Error) -> MetadataError {
    if is_transient(&error) {
        return MetadataError::Unavailable(format!("PostgreSQL: {error}"));
    }
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        Some("XX001" | "XX002") => MetadataError::Corrupt(format!("PostgreSQL: {error}")),
        _ => MetadataError::Internal(format!("PostgreSQL: {error}")),
    }
}

/// The same, of a connection that did not come about: most often a setting is wrong, and it is said which.
pub(super) fn connect_error(place: &str, error: sqlx::Error) -> MetadataError {
    let code = error.as_database_error().and_then(|error| error.code());
    let fix = match code.as_deref() {
        Some("28P01" | "28000") => ": user and password are in metadata.url, or in PGPASSWORD",
        Some("3D000") => ": make the database, or name another one in metadata.url",
        _ => "",
    };
    let reason = format!("PostgreSQL ({place}, by metadata.url): {error}{fix}");
    match store_error(error) {
        MetadataError::Unavailable(_) => MetadataError::Unavailable(reason),
        MetadataError::Corrupt(_) => MetadataError::Corrupt(reason),
        _ => MetadataError::Internal(reason),
    }
}
