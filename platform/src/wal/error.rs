//! Errors of the write-ahead log.

use std::path::Path;
use std::sync::Arc;

use henge_types::ErrorClass;

/// Why the log failed. Cheap to clone, because one failure answers a whole group of appends.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WalError {
    /// The entry cannot be written at all.
    #[error("{0}")]
    Invalid(String),
    /// Nothing of the group was stored; later appends may succeed (for example after space is freed).
    #[error("write-ahead log could not write: {0}")]
    WriteFailed(Arc<str>),
    /// The log has stopped for good: what is on disk is not known, so nothing more is promised.
    /// Restart to recover from what is durable.
    #[error("write-ahead log has stopped: {0}")]
    Stopped(Arc<str>),
    /// Too many bytes wait to be written.
    #[error("write-ahead log is behind: {waiting_bytes} bytes wait")]
    Behind {
        /// Bytes that wait.
        waiting_bytes: u64,
    },
    /// Records that are not published are missing or changed. Nothing was changed: restore the file,
    /// or accept the loss.
    #[error(
        "write-ahead log file '{path}' is damaged at byte {offset}: {reason}; restore the file, or \
        give up what is missing with `henge metadata accept-log-loss --data-dir DIR --datasource NAME`"
    )]
    Corrupt {
        /// The file.
        path: String,
        /// Where the damage begins.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// A file or directory failed.
    #[error("write-ahead log '{path}': {reason}")]
    Io {
        /// The file.
        path: String,
        /// What happened.
        reason: String,
    },
}

impl WalError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Invalid(_) => ErrorClass::InvalidInput,
            Self::WriteFailed(_) | Self::Stopped(_) => ErrorClass::Unavailable,
            Self::Behind { .. } => ErrorClass::Capacity,
            Self::Corrupt { .. } => ErrorClass::Corrupt,
            Self::Io { .. } => ErrorClass::Internal,
        }
    }

    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), reason: error.to_string() }
    }
}

/// The module's result.
pub type Result<T, E = WalError> = std::result::Result<T, E>;
